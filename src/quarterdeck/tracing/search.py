"""Finding traces: spans that match a query, newest or slowest first, one row for each trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput
from quarterdeck.core.query import compile_node, parse
from quarterdeck.telemetry import client
from quarterdeck.telemetry.conditions import Sql
from quarterdeck.telemetry.turns import fairly
from quarterdeck.tracing.fields import SpanFields
from quarterdeck.tracing.limits import options
from quarterdeck.tracing.scoping import Scope, scope_of

TRACES_MAX = 1000
Order = Literal["latest", "slowest"]
# So many matching spans are read for each trace that is wanted; when they are of fewer traces, ten times as many.
_SPANS_PER_TRACE = 8
_SPANS_MAX = 500_000
# Parts of a trace further from the span that was found than this are not looked for in a list.
_AROUND_NS = 1800 * 10**9
# The newest part of the range is looked at first, then four times as much, and so on.
_FIRST_PART = 64
_GROWTH = 4
_LEAST_PART_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class Found:
    """A trace, and the span of it by which it was found; counted is only what may be read.

    `spans` and `errors` count what lies within half an hour of the span. Ids are in hex, durations in nanoseconds.
    """

    trace_id: str
    start: datetime
    duration_ns: int
    root_service: str
    root_name: str
    spans: int
    errors: int
    services: list[str]
    span_id: str
    span_at: datetime
    span_service: str
    span_name: str
    span_duration_ns: int
    span_is_error: bool


@dataclass(frozen=True, slots=True)
class _Hit:
    trace_id: str
    ts_ns: int
    duration_ns: int
    service: str
    name: str
    span_id: str
    is_error: bool


@fairly
def traces(
    actor: Actor,
    q: str,
    since: datetime,
    until: datetime,
    *,
    order: Order = "latest",
    limit: int = 100,
    selector: str = "",
) -> list[Found]:
    """Return traces with a span that matches `q` and began in [`since`, `until`), within the items of `selector`.

    Raises Denied, BadQuery, BadInput, Unavailable: also when the search would take too long.
    """
    scope = scope_of(actor, selector)
    matching = compile_node(parse(q), SpanFields()) & scope.rows
    if order not in get_args(Order):
        raise BadInput(_('unknown order "%(name)s"') % {"name": str(order)[:40]}, hint=", ".join(get_args(Order)))
    start_ns, end_ns = nanoseconds(since), nanoseconds(until)
    if end_ns <= start_ns:
        raise BadInput(_("the range is empty"), hint=_("choose an end after the start"), field="until")
    wanted = max(1, min(limit, TRACES_MAX))
    hits = (
        _slowest(matching, start_ns, end_ns, wanted)
        if order == "slowest"
        else _latest(matching, start_ns, end_ns, wanted)
    )
    return _summarised(hits, scope)


def nanoseconds(at: datetime) -> int:
    """Return a time as the tables have it; before 1970 and after 2106 lies nothing."""
    return int(min(max(at.timestamp(), 0.0), 2.0**32 - 1) * 1_000_000) * 1000


def _latest(matching: Sql, start_ns: int, end_ns: int, wanted: int) -> list[_Hit]:
    found: dict[str, _Hit] = {}
    for low, high in _parts(start_ns, end_ns):
        for hit in _hits(matching, "spans.ts", low, high, wanted - len(found), list(found)):
            found.setdefault(hit.trace_id, hit)
        if len(found) >= wanted:
            break
    return list(found.values())


def _slowest(matching: Sql, start_ns: int, end_ns: int, wanted: int) -> list[_Hit]:
    return _hits(matching, "spans.duration_ns", start_ns, end_ns, wanted, [])


def _parts(start_ns: int, end_ns: int) -> Iterator[tuple[int, int]]:
    """Yield parts of the range from its end back: who asks for the newest seldom needs more than the first."""
    width = max((end_ns - start_ns) // _FIRST_PART, _LEAST_PART_NS)
    high = end_ns
    while high > start_ns:
        low = max(start_ns, high - width)
        yield low, high
        high, width = low, width * _GROWTH


def _hits(matching: Sql, order: str, low: int, high: int, wanted: int, known: Sequence[str]) -> list[_Hit]:
    """Return the first span of each trace in falling `order`, at most `wanted`, none of the `known` traces."""
    candidates = wanted * _SPANS_PER_TRACE
    without = Sql(
        "trace_id NOT IN (SELECT toFixedString(unhex(arrayJoin({known:Array(String)})), 16))", {"known": known}
    )
    condition = (matching & without) if known else matching
    sql = _HITS.format(where=condition.text, order=order)
    while True:
        parameters = {**condition.parameters, "low": low, "high": high, "candidates": candidates, "wanted": wanted}
        rows = client.query(sql, parameters, options=options())
        read = int(rows[0][-1]) if rows else 0
        if len(rows) >= wanted or read < candidates or candidates >= _SPANS_MAX:
            return [_Hit(*row[:-1]) for row in rows]
        candidates *= 10


def _summarised(hits: Sequence[_Hit], scope: Scope) -> list[Found]:
    if not hits:
        return []
    times = [hit.ts_ns for hit in hits]
    parameters = {
        "ids": [hit.trace_id for hit in hits],
        "low": min(times) - _AROUND_NS,
        "high": max(times) + _AROUND_NS,
        "buckets": sorted({bucket for at in times for bucket in _buckets(at)}),
    }
    rows = client.query(_SUMMARIES.format(where=scope.rows.text), parameters, options=options())
    by_id = {row[0]: row[1:] for row in rows}
    return [_found(hit, by_id[hit.trace_id]) for hit in hits if hit.trace_id in by_id]


def _buckets(at_ns: int) -> tuple[int, int, int]:
    """Return the half hours, in seconds, around a moment: the table is ordered by them."""
    here = at_ns // _AROUND_NS * 1800
    return here - 1800, here, here + 1800


def _found(hit: _Hit, row: Sequence[Any]) -> Found:
    start_ns, end_ns, (root_service, root_name), spans, errors, services = row
    return Found(
        hit.trace_id, _at(start_ns), int(end_ns) - int(start_ns), root_service, root_name, int(spans), int(errors),
        sorted(services), hit.span_id, _at(hit.ts_ns), hit.service, hit.name, hit.duration_ns, hit.is_error,
    )  # fmt: skip


def _at(nanoseconds_: int) -> datetime:
    return datetime.fromtimestamp(int(nanoseconds_) / 1e9, UTC)


_WITHIN = "ts >= fromUnixTimestamp64Nano({{low:Int64}}) AND ts < fromUnixTimestamp64Nano({{high:Int64}})"
# The inner LIMIT lets the engine keep the best only, and read the other columns of those alone.
_HITS = f"""
    SELECT lower(hex(trace_id)), toUnixTimestamp64Nano(ts), duration_ns, service, name, lower(hex(span_id)), is_error,
        count() OVER () AS candidates
    FROM (
        SELECT trace_id, ts, duration_ns, service, name, span_id, is_error FROM spans
        WHERE {_WITHIN} AND {{where}} ORDER BY {{order}} DESC LIMIT {{{{candidates:UInt32}}}}
    ) AS spans
    ORDER BY {{order}} DESC LIMIT 1 BY trace_id LIMIT {{{{wanted:UInt32}}}}"""
_SUMMARIES = f"""
    SELECT lower(hex(trace_id)), toUnixTimestamp64Nano(min(ts)),
        max(toUnixTimestamp64Nano(ts) + toInt64(duration_ns)) AS end,
        argMin((service, name), (parent_id != toFixedString('', 8), ts)), uniqExact(span_id, kind),
        uniqExactIf((span_id, kind), is_error), groupUniqArray(100)(service)
    FROM spans
    WHERE {_WITHIN}
        AND toStartOfInterval(ts, INTERVAL 30 MINUTE) IN (
            SELECT toDateTime(arrayJoin({{{{buckets:Array(Int64)}}}}), 'UTC')
        )
        AND trace_id IN (SELECT toFixedString(unhex(arrayJoin({{{{ids:Array(String)}}}})), 16)) AND {{where}}
    GROUP BY trace_id"""
