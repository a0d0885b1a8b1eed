"""Traces: found by what their spans say, read by their id."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Line, UrlQuery, moment
from quarterdeck.api.shapes.differing import DifferencesRow, differences
from quarterdeck.api.times import at_time
from quarterdeck.core.clock import now
from quarterdeck.tracing import queries
from quarterdeck.tracing.search import TRACES_MAX

router = Router()


class FoundRow(TypedDict):
    """A trace, and the span by which it was found. `spans`, `errors` and `services` are what you may read of it."""

    trace_id: str
    start: str
    duration_ns: int
    root_service: str
    root_name: str
    spans: int
    errors: int
    services: list[str]
    span_id: str
    span_at: str
    span_service: str
    span_name: str
    span_duration_ns: int
    span_is_error: bool


class FoundTraces(Schema):
    items: list[FoundRow]


class SpanEventRow(TypedDict):
    """Something that happened within a span."""

    at_ns: int
    name: str
    attributes: dict[str, str]


class LinkRow(TypedDict):
    trace_id: str
    span_id: str


class TraceSpanRow(TypedDict):
    """A span in its place. Times are nanoseconds since 1970.

    `start_ns` is moved by `skew_ns` where clocks of hosts differ. `parent` is the position of the parent in the list,
    -1 for a root; `is_orphan`: the parent that it names is not there; `is_cycle`: its parents led back to itself.
    `critical_ns` is its part of the critical path.
    """

    span_id: str
    parent_id: str
    parent: int
    depth: int
    service: str
    name: str
    kind: str
    start_ns: int
    duration_ns: int
    skew_ns: int
    critical_ns: int
    is_error: bool
    is_orphan: bool
    is_cycle: bool
    status_message: str
    host: str
    version: str
    http_status: int
    peer: str
    db_system: str
    source: str
    attributes: dict[str, str]
    resource: dict[str, str]
    events: list[SpanEventRow]
    links: list[LinkRow]


class SegmentRow(TypedDict):
    """A piece of the critical path: what the span at position `span` was waited for."""

    span: int
    start_ns: int
    end_ns: int


class HintRow(TypedDict):
    """Calls of one kind, repeated below the span at position `parent`."""

    parent: int
    spans: list[int]
    name: str
    service: str
    db_system: str
    count: int
    total_ns: int
    is_sequential: bool


class TraceRow(Schema):
    """A trace: its spans depth first. `is_unfinished`: what began it has not come in; `is_cut`: it has more spans."""

    trace_id: str
    start_ns: int
    duration_ns: int
    errors: int
    services: list[str]
    is_unfinished: bool
    is_cut: bool
    spans: list[TraceSpanRow]
    critical_path: list[SegmentRow]
    hints: list[HintRow]


class SideRow(TypedDict):
    """What one trace has in a place of the tree: spans, failed ones, time in sum, time on the critical path."""

    count: int
    errors: int
    total_ns: int
    critical_ns: int


class StepRow(TypedDict):
    """An operation below the same callers in both traces. `difference_ns`: how much longer the other was waited for."""

    service: str
    name: str
    kind: str
    depth: int
    difference_ns: int
    left: SideRow
    right: SideRow


class ComparisonRow(Schema):
    """Two traces: steps depth first; `is_cut`: there are more of them."""

    left: str
    right: str
    left_ns: int
    right_ns: int
    is_cut: bool
    steps: list[StepRow]


class SpanChangesRow(Schema):
    """How spans from `since` to `until` differ: from those since `before_since`, or from the rest, which `before` is
    then.
    """

    against: str
    before_since: str | None
    since: str
    until: str
    fields: DifferencesRow


_PLACED = ("parent", "depth", "start_ns", "skew_ns", "critical_ns", "is_orphan", "is_cycle")
_SAID = (
    "span_id", "parent_id", "service", "name", "kind", "duration_ns", "is_error", "status_message", "host", "version",
    "http_status", "peer", "db_system", "source", "attributes", "resource",
)  # fmt: skip


@router.get("/traces", response=FoundTraces)
def list_(
    request: HttpRequest,
    q: UrlQuery = "",
    since: Line = "1h",
    until: Line = "",
    order: Literal["latest", "slowest"] = "latest",
    limit: Annotated[int, Query(100, ge=1, le=TRACES_MAX)] = 100,
    selector: UrlQuery = "",
) -> dict[str, Any]:
    """Find traces: `q` is `service:shop duration:>500ms status:error http.route:/pay`, `selector` a query over items.

    `since` and `until` are 30m, 6h, 7d ago or ISO 8601.
    """
    actor, at = identify(request), now()
    start, end = at_time(since, "since", at), at_time(until, "until", at) if until else at
    found = queries.traces(actor, q, start, end, order=order, limit=limit, selector=selector)
    return {"items": [_found(one) for one in found]}


def _found(one: queries.Found) -> dict[str, Any]:
    row = {name: getattr(one, name) for name in FoundRow.__annotations__}
    return row | {"start": moment(one.start), "span_at": moment(one.span_at)}


@router.get("/traces/changed", response=SpanChangesRow)
def changed(
    request: HttpRequest,
    q: UrlQuery = "",
    since: Line = "1h",
    until: Line = "",
    against: queries.Against = "before",
    limit: Annotated[int, Query(20, ge=1, le=50)] = 20,
    selector: UrlQuery = "",
) -> dict[str, Any]:
    """Compare the spans that `q` finds: with those of the same length of time before, or with the rest of the time.

    A range of `time` in `q` is the time then; against the rest, its ranges of `time` and `duration` are what selects.
    Values on fewer than five spans are not told apart, nor is a difference told that may well be chance (3 deviations).
    """
    actor, at = identify(request), now()
    start, end = at_time(since, "since", at), at_time(until, "until", at) if until else at
    found = queries.changed(actor, q, start, end, against=against, limit=limit, selector=selector)
    return {
        "against": found.against,
        "before_since": moment(found.before_since),
        "since": moment(found.since),
        "until": moment(found.until),
        "fields": differences(found.fields),
    }


@router.get("/traces/{trace_id}", response=TraceRow)
def read(request: HttpRequest, trace_id: Line) -> dict[str, Any]:
    """Answer a trace with its spans as a tree, its critical path and hints on repeated calls."""
    found = queries.trace(identify(request), trace_id)
    return {
        "trace_id": found.trace_id,
        "start_ns": found.start_ns,
        "duration_ns": found.duration_ns,
        "errors": found.errors,
        "services": found.services,
        "is_unfinished": found.is_unfinished,
        "is_cut": found.is_cut,
        "spans": [_span(node) for node in found.nodes],
        "critical_path": [{"span": one.node, "start_ns": one.start_ns, "end_ns": one.end_ns} for one in found.critical],
        "hints": [
            {
                "parent": hint.parent,
                "spans": list(hint.nodes),
                "name": hint.name,
                "service": hint.service,
                "db_system": hint.db_system,
                "count": hint.count,
                "total_ns": hint.total_ns,
                "is_sequential": hint.is_sequential,
            }
            for hint in found.hints
        ],
    }


@router.get("/traces/{trace_id}/compare/{other_id}", response=ComparisonRow)
def compare(request: HttpRequest, trace_id: Line, other_id: Line) -> dict[str, Any]:
    """Answer two traces side by side: what both did in the same places, and what each waited for there."""
    found = queries.compared(identify(request), trace_id, other_id)
    return {
        "left": found.left.trace_id,
        "right": found.right.trace_id,
        "left_ns": found.left.duration_ns,
        "right_ns": found.right.duration_ns,
        "is_cut": found.is_cut,
        "steps": [_step(step) for step in found.steps],
    }


def _step(step: queries.Step) -> dict[str, Any]:
    row = {name: getattr(step, name) for name in ("service", "name", "kind", "depth", "difference_ns")}
    sides = {"left": step.left, "right": step.right}
    return row | {side: {name: getattr(of, name) for name in SideRow.__annotations__} for side, of in sides.items()}


def _span(node: queries.Node) -> dict[str, Any]:
    span = node.span
    row = {name: getattr(span, name) for name in _SAID} | {name: getattr(node, name) for name in _PLACED}
    row["events"] = [{"at_ns": one.at_ns, "name": one.name, "attributes": dict(one.attributes)} for one in span.events]
    row["links"] = [{"trace_id": trace_id, "span_id": span_id} for trace_id, span_id in span.links]
    return row
