"""What is different about the spans of a query: from those of the time before, or from the rest of the same time.

A time range in the query, as a rectangle drawn over the traces puts there, counts as the window. Against the rest,
what is drawn (time and duration) is compared with what the query finds without it; a query without such ranges with
all other spans.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, get_args

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput
from quarterdeck.core.query import And, Everything, Match, Node, Op, compile_node, condition_text, parse
from quarterdeck.telemetry import client, differing
from quarterdeck.telemetry.conditions import Sql
from quarterdeck.telemetry.differing import Differences
from quarterdeck.telemetry.turns import fairly
from quarterdeck.tracing.fields import SpanFields, time_ns
from quarterdeck.tracing.limits import options
from quarterdeck.tracing.scoping import scope_of
from quarterdeck.tracing.search import nanoseconds

Against = Literal["before", "rest"]
# Durations are compared by these steps, in nanoseconds: 0, 1, 2, 5, 10 ... up to 11 days.
STEPS_NS = (0, *(digit * 10**power for power in range(16) for digit in (1, 2, 5)))


@dataclass(frozen=True, slots=True)
class SpanChanges:
    """How the spans from `since` to `until` differ: from those since `before_since`, or (None) from the rest."""

    against: Against
    before_since: datetime | None
    since: datetime
    until: datetime
    fields: Differences


@dataclass(frozen=True, slots=True)
class _Sets:
    """`where` selects all rows, `is_now` those of the one set; times are nanoseconds since 1970."""

    before_ns: int | None
    start_ns: int
    end_ns: int
    where: Sql
    is_now: Sql


@fairly
def changed(
    actor: Actor,
    q: str,
    since: datetime,
    until: datetime,
    *,
    against: Against = "before",
    limit: int = 20,
    selector: str = "",
) -> SpanChanges:
    """Compare the spans that match `q` and began in [`since`, `until`), within the items of `selector`.

    Raises Denied, BadQuery, BadInput, TooHeavy, TooMany, Unavailable.
    """
    scope = scope_of(actor, selector)
    if against not in get_args(Against):
        raise BadInput(
            _('unknown comparison "%(name)s"') % {"name": str(against)[:40]}, hint=", ".join(get_args(Against))
        )
    start_ns, end_ns = nanoseconds(since), nanoseconds(until)
    if end_ns <= start_ns:
        raise BadInput(_("the range is empty"), hint=_("choose an end after the start"), field="until")
    sets = (_with_rest if against == "rest" else _with_before)(parse(q), start_ns, end_ns)
    where = sets.where & scope.rows
    rows = client.query(
        _SQL.replace("{where}", where.text).replace("{now}", sets.is_now.text),
        {
            **where.parameters,
            **sets.is_now.parameters,
            **differing.parameters(limit),
            "low": sets.start_ns if sets.before_ns is None else sets.before_ns,
            "high": sets.end_ns,
        },
        options=options() | differing.settings(),
    )
    before = None if sets.before_ns is None else _at(sets.before_ns)
    return SpanChanges(against, before, _at(sets.start_ns), _at(sets.end_ns), _readable(rows))


def _with_before(node: Node, start_ns: int, end_ns: int) -> _Sets:
    for match in _ranges(node, ("time",)):
        low, high = match.values
        start_ns = start_ns if low.raw == "*" else time_ns(low, match)
        end_ns = end_ns if high.raw == "*" else time_ns(high, match) + 1
    if end_ns <= start_ns:
        raise BadInput(_("the range is empty"), hint=_("choose an end after the start"), field="until")
    where = compile_node(_without(node, ("time",)), SpanFields())
    is_now = Sql("ts >= fromUnixTimestamp64Nano({border:Int64})", {"border": start_ns})
    return _Sets(max(0, 2 * start_ns - end_ns), start_ns, end_ns, where, is_now)


def _with_rest(node: Node, start_ns: int, end_ns: int) -> _Sets:
    fields = SpanFields()
    drawn = ("time", "duration")
    where = compile_node(_without(node, drawn) if _ranges(node, drawn) else Everything(), fields)
    return _Sets(None, start_ns, end_ns, where, compile_node(node, fields))


def _ranges(node: Node, names: Collection[str]) -> list[Match]:
    """Return the ranges `name:[a TO b]` that the whole query is bound by."""
    parts = node.parts if isinstance(node, And) else (node,)
    return [one for one in parts if isinstance(one, Match) and one.op is Op.BETWEEN and one.field in names]


def _without(node: Node, names: Collection[str]) -> Node:
    drawn = _ranges(node, names)
    left = tuple(one for one in (node.parts if isinstance(node, And) else (node,)) if one not in drawn)
    return And(left) if len(left) > 1 else left[0] if left else Everything()


def _readable(rows: list[tuple[object, ...]]) -> Differences:
    found = differing.differences_of(rows, _condition)
    fields = [
        replace(one, values=[replace(share, text=duration_text(share.text)) for share in one.values])
        if one.field == "duration"
        else one
        for one in found.fields
    ]
    return replace(found, fields=fields)


def _condition(field: str, value: str | None) -> str:
    if field == "duration" and value:
        low, high = duration_step(value)
        return f"duration:[{low}ns TO {high - 1}ns]"
    return condition_text(field, value)


def duration_step(value: str) -> tuple[int, int]:
    """Return the step in nanoseconds, the end exclusive, of a duration as the engine has it: "1000000"."""
    low = int(value)
    return low, STEPS_NS[min(STEPS_NS.index(low) + 1, len(STEPS_NS) - 1)]


def duration_text(value: str) -> str:
    """Return a step as a person writes it: "100 ms – 200 ms"; "" stays so."""
    return " – ".join(_short(one) for one in duration_step(value)) if value else ""


def _short(duration_ns: int) -> str:
    for unit, size in (("s", 10**9), ("ms", 10**6), ("µs", 1000)):
        if duration_ns >= size:
            return f"{duration_ns // size} {unit}"
    return f"{duration_ns} ns"


def _at(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns / 1e9, UTC)


# What columns say as well.
_SAID = ("peer.service", "db.system", "db.system.name")
_SAID_OF_SENDER = (
    "service.name",
    "service.version",
    "host.name",
    "deployment.environment",
    "deployment.environment.name",
)


def _pairs(column: str, said: tuple[str, ...], name: str) -> str:
    names = ", ".join(f"'{one}'" for one in said)
    pairs = f"arrayFilter(pair -> pair.1 NOT IN ({names}), CAST({column}, 'Array(Tuple(String, String))'))"
    return f"arrayMap(pair -> ({name}, pair.2), arraySlice({pairs}, 1, {differing.ATTRIBUTES_MAX}))"


# An attribute without a dot may be a field's name, or look like one that is mistyped.
_NAMED = (
    "if(position(pair.1, '.') > 0 AND NOT startsWith(pair.1, 'attr.') AND NOT startsWith(pair.1, 'resource.'), pair.1,"
    " concat('attr.', pair.1))"
)
_OWN = {
    "service": "service",
    "operation": "spans.name",
    "kind": "spans.kind",
    "status": "if(is_error, 'error', 'ok')",
    "duration": f"toString(roundDown(duration_ns, {list(STEPS_NS)}))",
    "message": "status_message",
    "host": "host",
    "version": "version",
    "env": "env",
    "peer": "peer",
    "db": "db_system",
    "protocol": "source",
}
_PAIRS = f"""arrayFilter(pair -> pair.1 NOT IN ('', 'attr.', 'resource.') AND pair.2 != '', arrayConcat(
        [{", ".join(f"('{name}', toString({value}))" for name, value in _OWN.items())}],
        {_pairs("attributes", _SAID, _NAMED)},
        {_pairs("resource", _SAID_OF_SENDER, "concat('resource.', pair.1)")}))"""
_WITHIN = "ts >= fromUnixTimestamp64Nano({low:Int64}) AND ts < fromUnixTimestamp64Nano({high:Int64})"
# A comparison with what is no number is none.
_NOW = "ifNull(({now}), 0)"
# A span that came twice is drawn twice or not at all, and counted once. A kept span of a sampled day has its weight.
_SQL = differing.statement(
    f"""
    SELECT is_now, weight, pairs FROM (
        SELECT trace_id, span_id, spans.kind AS side, {_NOW} AS is_now, {differing.STANDS_FOR} AS stands_for,
            stands_for * toFloat64(sample_weight) AS weight, {_PAIRS} AS pairs
        FROM spans
        WHERE {_WITHIN} AND {{where}} AND cityHash64(trace_id, span_id, spans.kind) % stands_for = 0
        LIMIT 1 BY trace_id, span_id, side
    )""",
    f"SELECT (countIf({_NOW}), countIf(NOT {_NOW})) FROM spans WHERE {_WITHIN} AND {{where}}",
)
