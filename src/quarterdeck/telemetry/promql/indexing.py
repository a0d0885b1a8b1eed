"""What series, labels and values there are, for menus and completion.

The times of a query are not looked at: a series is listed as long as its samples are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from promql_parser import VectorSelector

from quarterdeck.telemetry import client
from quarterdeck.telemetry.promql.answering import Limits
from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.parsing import bare, parse
from quarterdeck.telemetry.promql.plan import Parameters, Scope
from quarterdeck.telemetry.promql.selecting import condition, labels_sql

ROWS_MAX = 100_000


def series(matches: Sequence[str], scope: Scope, limits: Limits, limit: int = 0) -> list[dict[str, str]]:
    """Return the labels of the series that any of the selectors means, in order. Raises BadExpression, Unavailable."""
    if not matches:
        raise BadExpression(_("no match[] parameter provided"), field="match[]")
    parameters = Parameters()
    sql = f"SELECT DISTINCT full FROM ({_labelled(matches, scope, parameters)}) ORDER BY toString(full)"
    return [dict(row[0]) for row in _rows(sql, parameters, limits, limit)]


def label_names(matches: Sequence[str], scope: Scope, limits: Limits, limit: int = 0) -> list[str]:
    """Return the names of labels. Raises as `series` does."""
    parameters = Parameters()
    sql = (
        f"SELECT DISTINCT arrayJoin(mapKeys(full)) AS name FROM ({_labelled(matches, scope, parameters)}) ORDER BY name"
    )
    return [str(row[0]) for row in _rows(sql, parameters, limits, limit)]


def label_values(name: str, matches: Sequence[str], scope: Scope, limits: Limits, limit: int = 0) -> list[str]:
    """Return the values of one label. Raises as `series` does."""
    parameters = Parameters()
    value = f"full[{parameters.text(name)}]"
    sql = (
        f"SELECT DISTINCT {value} AS found FROM ({_labelled(matches, scope, parameters)})"
        " WHERE found != '' ORDER BY found"
    )
    return [str(row[0]) for row in _rows(sql, parameters, limits, limit)]


def _labelled(matches: Sequence[str], scope: Scope, parameters: Parameters) -> str:
    allowed = "1" if scope.owners is None else f"item IN ({', '.join(map(str, scope.owners)) or 'NULL'})"
    chosen = [f"({condition(_selector(text), scope, parameters)})" for text in matches] or ["1"]
    full = labels_sql(scope, parameters)
    return f"SELECT {full} AS full FROM series WHERE {allowed} AND ({' OR '.join(chosen)})"


def _selector(text: str) -> Any:
    node = bare(parse(text))
    if not isinstance(node, VectorSelector):
        raise BadExpression(_("%(text)s is no selector of series") % {"text": text[:200]}, field="match[]")
    return node


def _rows(sql: str, parameters: Parameters, limits: Limits, limit: int) -> list[tuple[Any, ...]]:
    count = min(limit or ROWS_MAX, ROWS_MAX)
    return client.query(f"{sql} LIMIT {count}", parameters.values, options=limits.options())
