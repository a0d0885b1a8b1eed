"""A person's own SELECT over the telemetry: judged, limited, read-only, audited."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from clickhouse_connect.driver.exceptions import DatabaseError
from django.conf import settings
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, BadQuery
from quarterdeck.telemetry import client
from quarterdeck.telemetry.sql_guard import Function, Guard
from quarterdeck.telemetry.sql_values import converter, decoded

ROWS_MAX = 100_000
ROWS_DEFAULT = 10_000
STATEMENT_MAX_CHARACTERS = 100_000
_SECONDS_MAX = 30
_ANSWER_MAX_BYTES = 64 << 20
_FORMAT = "JSONCompactEachRowWithNamesAndTypes"


@dataclass(frozen=True, slots=True)
class Rows:
    """An answer: `columns` are `(name, type)`, each row is `{column: value}`. `is_cut`: there are more rows."""

    columns: list[tuple[str, str]]
    rows: list[dict[str, Any]]
    is_cut: bool
    seconds: float


@action("telemetry.sql", atomic=False)
def run_sql(actor: Actor, statement: str, *, limit: int = ROWS_DEFAULT) -> Rows:
    """Run one SELECT and return at most `limit` rows; copies that are not merged away yet are left out.

    It may read the tables of this instance's telemetry and compute; it reaches no file, address, program or other
    database. Raises BadQuery for what is not allowed or not SQL, BadInput, Unavailable when it needs too much.
    """
    text = statement.strip().rstrip(";").rstrip()
    if not text:
        raise BadInput(_("there is no statement"), hint="SELECT count() FROM spans", field="query")
    if len(text) > STATEMENT_MAX_CHARACTERS:
        raise BadInput(_("the statement is too long"), field="query")
    if not 1 <= limit <= ROWS_MAX:
        raise BadInput(_("between 1 and %(max)d rows can be asked for") % {"max": ROWS_MAX}, field="limit")
    record(actor, "telemetry.sql", None, text[:2000])
    started = time.monotonic()
    try:
        _guard().check(_tree(text))
        columns, rows = _read(text, limit)
    except DatabaseError as error:
        raise BadQuery(client.said(error), field="query") from error
    return Rows(columns, rows[:limit], len(rows) > limit, round(time.monotonic() - started, 3))


def _guard() -> Guard:
    tables = client.query(
        "SELECT currentDatabase(), name FROM system.tables"
        " WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    )
    return Guard(str(tables[0][0]), {str(row[1]) for row in tables}, _functions(client.address()))


@cache
def _functions(address: str) -> tuple[Function, ...]:
    """Every function of the engine at `address`; its version does not change while it runs."""
    rows = client.query("SELECT name, is_aggregate, categories, alias_to FROM system.functions")
    own = {str(name).lower(): str(category) for name, _is_aggregate, category, _alias in rows}
    return tuple(
        # Another name of a function (`date_trunc`) has no category of its own.
        Function(str(name), bool(is_aggregate), str(category) or own.get(str(alias).lower(), ""))
        for name, is_aggregate, category, alias in rows
    )


def _tree(text: str) -> list[str]:
    """Return the lines of the statement's tree. Raises DatabaseError for what does not parse, BadQuery."""
    first = text.lstrip("( \t\r\n")[:6].upper()
    if not first.startswith(("SELECT", "WITH", "FROM")):
        raise BadQuery(_("only SELECT is allowed here"), hint="SELECT count() FROM spans", field="query")
    # In parentheses nothing can follow the SELECT: no FORMAT, no INTO OUTFILE, no second statement.
    client.explained(f"EXPLAIN AST SELECT * FROM (\n{text}\n)", _parsing())
    return client.explained(f"EXPLAIN AST\n{text}\n", _parsing())


def _parsing() -> dict[str, Any]:
    return {"readonly": 1, "max_execution_time": 5}


def _options(limit: int) -> dict[str, Any]:
    memory = int(settings.QD["engine_memory_mb"]) << 20
    return {
        "final": 1,
        "max_execution_time": _SECONDS_MAX,
        "timeout_overflow_mode": "throw",
        "max_memory_usage": max(96 << 20, memory // 4),
        "max_bytes_before_external_group_by": 0,
        "max_bytes_before_external_sort": 0,
        "max_result_rows": limit + 1,
        "max_result_bytes": _ANSWER_MAX_BYTES,
        "result_overflow_mode": "break",
        "max_block_size": min(65_409, limit + 1),
        "allow_introspection_functions": 0,
        "allow_ddl": 0,
        "use_query_cache": 0,
        "output_format_json_quote_64bit_integers": 0,
        "output_format_json_quote_denormals": 0,
        "output_format_json_named_tuples_as_objects": 1,
        "date_time_output_format": "iso",
        "readonly": 1,
    }


def _read(text: str, limit: int) -> tuple[list[tuple[str, str]], list[dict[str, Any]]]:
    """Return columns and up to `limit + 1` rows."""
    lines = _lines(client.stream(text, {}, _FORMAT, options=_options(limit)))
    names, types = decoded(next(lines, b"[]")), decoded(next(lines, b"[]"))
    names = _unique([converter("String")(name) for name in names])
    converters = [converter(kind) for kind in types]
    rows: list[dict[str, Any]] = []
    for line in lines:
        values = decoded(line)
        rows.append({name: convert(value) for name, convert, value in zip(names, converters, values, strict=True)})
        if len(rows) > limit:
            break
    return list(zip(names, types, strict=True)), rows


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield whole lines. Inside its strings the engine writes a line's end as an escape."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from filter(None, whole)
    if rest:
        yield rest


def _unique(names: list[str]) -> list[str]:
    """Two columns of one name (`SELECT a.x, b.x`) are told apart by a number."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found
