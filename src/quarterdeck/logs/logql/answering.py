"""Answers to LogQL queries, to those who may read the lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from clickhouse_connect.driver.exceptions import DatabaseError
from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.limits import GROUPS_MAX, ask
from quarterdeck.logs.logql.meeting import Grid
from quarterdeck.logs.logql.metrics import STEPS_MAX, Lowering, Within
from quarterdeck.logs.logql.parsing import Node, child, parse
from quarterdeck.logs.logql.pipeline import LABELS, Parameters, Pipeline
from quarterdeck.logs.scope import scope_of
from quarterdeck.telemetry.conditions import EVERYTHING, Names
from quarterdeck.telemetry.promql.answering import failure_of

SERIES_MAX = 500
LINES_MAX = 5000
NAMES_MAX = 10_000

Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Stream:
    """Lines with the same labels: (Unix time in ns, line)."""

    labels: Labels
    values: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers with the same labels: (Unix time in ms, value), oldest first."""

    labels: Labels
    values: list[tuple[int, float]]


class Reader:
    """What one actor asks about (after_ns, until_ns]. Raises Denied."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._scope = scope_of(actor, Names()).condition() or EVERYTHING
        self.bind = Parameters()
        self.within = Within(self._scope.text)

    def rows(self, sql: str, **more: Any) -> list[tuple[Any, ...]]:
        options = {"max_rows_to_group_by": GROUPS_MAX, "group_by_overflow_mode": "throw", **more}
        return ask(self._actor, sql, self._scope, self.bind.values, **options)


def is_of_lines(query: str) -> bool:
    """Whether a query answers with lines. Raises BadQuery."""
    return _root(query).data == "logs"


def _root(query: str) -> Node:
    return child(parse(query), 0)


def lines(actor: Actor, query: str, after_ns: int, until_ns: int, *, limit: int, forward: bool = False) -> list[Stream]:
    """Return lines in (after, until], the newest `limit` of them, or the oldest. Raises Denied, BadQuery, TooHeavy."""
    if limit > LINES_MAX:
        raise _bad(_("max entries limit per query exceeded, limit > max_entries_limit (%(found)d > %(max)d)") % {
            "found": limit, "max": LINES_MAX,
        })  # fmt: skip
    reader = Reader(actor)
    made = piped(reader.bind, query, reader.within.of(reader.bind, after_ns, until_ns))
    order = "ASC" if forward else "DESC"
    sql = f"SELECT toUnixTimestamp64Nano(s.ts), s.line, mapSort(s.labels) FROM ({made.sql}) AS s"
    found: dict[str, Stream] = {}
    for ts_ns, line, labels in reader.rows(f"{sql} ORDER BY s.ts {order} LIMIT {limit}"):
        found.setdefault(repr(labels), Stream(dict(labels), [])).values.append((int(ts_ns), line))
    return list(found.values())


def piped(bind: Parameters, query: str, where: str, kept: Mapping[str, str] | None = None) -> Pipeline:
    """Return the lines within `where` that come out of a query's stages. Raises BadQuery, also for a metric query."""
    root = _root(query)
    if root.data != "logs":
        raise _bad(_("only a query of lines is expected here"))
    made = Pipeline(bind, child(root, 0), where, kept)
    for stage in root.children[1:]:
        made.add(cast(Node, stage))
    return made


def numbers(actor: Actor, query: str, grid: Grid) -> list[Series]:
    """Return the series of a metric query. Raises Denied, BadQuery, TooHeavy."""
    if grid.steps > STEPS_MAX:
        raise _bad(
            _("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution")
        )
    reader = Reader(actor)
    made = Lowering(reader.bind, grid, reader.within).vector(_root(query))
    sql = f"SELECT s.labels, arraySort(groupArray((s.t, s.value))) FROM ({made}) AS s GROUP BY s.labels"
    try:
        # As the operators between vectors are written.
        rows = reader.rows(f"{sql} LIMIT {SERIES_MAX + 1}", prefer_column_name_to_alias=1)
    except DatabaseError as error:
        raise failure_of(error) from error
    if len(rows) > SERIES_MAX:
        raise _bad(_("maximum of series (%(max)d) reached for a single query") % {"max": SERIES_MAX})
    return [Series(dict(labels), [(int(t), float(value)) for t, value in points]) for labels, points in rows]


def label_names(actor: Actor, after_ns: int, until_ns: int, query: str = "") -> list[str]:
    """Return the names of the labels that lines have. Raises Denied, BadQuery, TooHeavy."""
    reader = Reader(actor)
    source = _selected(reader, query, after_ns, until_ns)
    rows = reader.rows(
        f"SELECT DISTINCT arrayJoin(mapKeys(s.labels)) AS n FROM ({source}) AS s ORDER BY n LIMIT {NAMES_MAX}"
    )
    return [name for (name,) in rows]


def label_values(actor: Actor, name: str, after_ns: int, until_ns: int, query: str = "") -> list[str]:
    """Return the values of a label. Raises Denied, BadQuery, TooHeavy."""
    reader = Reader(actor)
    source = _selected(reader, query, after_ns, until_ns)
    place = f"s.labels[{reader.bind.text(name)}]"
    rows = reader.rows(
        f"SELECT DISTINCT {place} AS v FROM ({source}) AS s WHERE {place} != '' ORDER BY v LIMIT {NAMES_MAX}"
    )
    return [value for (value,) in rows]


def series(actor: Actor, queries: Sequence[str], after_ns: int, until_ns: int) -> list[Labels]:
    """Return the sets of labels of what the selectors find. Raises Denied, BadQuery, TooHeavy."""
    found: dict[str, Labels] = {}
    for query in queries or [""]:
        reader = Reader(actor)
        source = _selected(reader, query, after_ns, until_ns)
        for (labels,) in reader.rows(f"SELECT DISTINCT mapSort(s.labels) FROM ({source}) AS s LIMIT {NAMES_MAX}"):
            found[repr(labels)] = dict(labels)
    return list(found.values())


def volume(actor: Actor, query: str, after_ns: int, until_ns: int) -> tuple[int, int, int]:
    """Return (streams, lines, bytes) of what a selector finds. Raises Denied, BadQuery, TooHeavy."""
    reader = Reader(actor)
    source = _selected(reader, query, after_ns, until_ns)
    [(streams, entries, size)] = reader.rows(
        f"SELECT uniq(s.labels), count(), sum(length(s.line)) FROM ({source}) AS s"
    )
    return int(streams), int(entries), int(size)


def _selected(reader: Reader, query: str, after_ns: int, until_ns: int) -> str:
    where = reader.within.of(reader.bind, after_ns, until_ns)
    if not query:
        return f"SELECT logs.ts AS ts, logs.message AS line, {LABELS} AS labels FROM logs WHERE {where}"
    root = _root(query)
    if root.data != "logs":
        raise _bad(_("only a selector is expected here"))
    return Pipeline(reader.bind, child(root, 0), where).sql


def _bad(said: str) -> BadQuery:
    return BadQuery(said, field="query")
