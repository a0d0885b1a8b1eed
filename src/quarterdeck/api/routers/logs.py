"""Log lines of the items that one may read: search, counts, patterns, context, live tail and export."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.description import file_answer
from quarterdeck.api.paging import link_next
from quarterdeck.api.shapes import Line as Text
from quarterdeck.api.shapes import UrlQuery, moment
from quarterdeck.api.shapes.differing import DifferencesRow, differences
from quarterdeck.api.times import at_time
from quarterdeck.core.clock import now
from quarterdeck.core.streams import in_background, server_sent
from quarterdeck.logs import queries
from quarterdeck.logs.exporting import FORMATS, export
from quarterdeck.logs.queries import Line, Search

router = Router()
Rows = Annotated[int, Query(100, ge=1, le=1000)]
Cursor = Annotated[str, Query("", max_length=80, description="The `next` of the page before.")]
Order = Literal["count", "rare", "new", "change"]


class LogLine(TypedDict):
    """A line. `level` is trace, debug, info, warning, error, fatal or ""; `is_cut`: the message is longer than 8 KB.

    `ts_ns` and `id` name the line.
    """

    ts: str
    ts_ns: int
    id: str
    level: str
    service: str
    host: str
    component: str
    source: str
    message: str
    is_cut: bool
    trace_id: str
    span_id: str
    attributes: dict[str, str]
    resource: dict[str, str]
    parsed: dict[str, str]


class LogPage(Schema):
    items: list[LogLine]
    next: str | None


class LogHistogram(Schema):
    """`counts["error"][i]` lines belong to the `step_seconds` from `start + i * step_seconds`."""

    start: str
    step_seconds: int
    counts: dict[str, list[int]]
    total: int


class LogValue(TypedDict):
    value: str
    count: int


class LogFacet(Schema):
    """The most frequent values of a field. `is_sampled`: counted in a sample of the lines."""

    field: str
    is_sampled: bool
    values: list[LogValue]


class LogFacets(Schema):
    items: list[LogFacet]


class LogStatistics(Schema):
    """A field's values: in how many lines, how many different ones (about), as numbers where they are numbers."""

    field: str
    lines: int
    present: int
    distinct: int
    top: list[LogValue]
    numbers: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class LogContext(Schema):
    """What the same host and service said before and after a line, oldest first."""

    before: list[LogLine]
    line: LogLine
    after: list[LogLine]


class LogPattern(Schema):
    """A template of lines. `before` counts the same length of time before; `trend` has 24 parts of the time.

    `query` selects its lines.
    """

    id: str
    template: str
    count: int
    before: int
    is_new: bool
    first: str
    last: str
    sample: str
    level: str
    services: list[str]
    trend: list[int]
    query: str


class LogPatterns(Schema):
    items: list[LogPattern]


class LogChangedPattern(TypedDict):
    """A template with its lines in both times, and their shares of all lines, 0 to 1. `query` selects its lines."""

    id: str
    template: str
    now: int
    before: int
    now_share: float
    before_share: float
    is_new: bool
    is_gone: bool
    deviations: float
    level: str
    services: list[str]
    query: str


class LogChanges(Schema):
    """What changed from [`before_since`, `since`) to [`since`, `until`): fields and patterns, most changed first.

    `patterns_known` templates were compared; `patterns_cut`: there were more kinds of lines than can be counted.
    """

    before_since: str
    since: str
    until: str
    fields: DifferencesRow
    patterns: list[LogChangedPattern]
    patterns_known: int
    patterns_cut: bool


def shown(line: Line) -> dict[str, Any]:
    """Return the line as JSON has it."""
    fields = {name: getattr(line, name) for name in LogLine.__annotations__ if name != "ts"}
    return {"ts": moment(line.at), **fields}


class Asked(Schema):
    """Which lines. `since` and `until` are 30m, 6h, 7d ago or ISO 8601; `selector` limits the items."""

    q: UrlQuery = ""
    since: Text = "1h"
    until: Text = ""
    selector: UrlQuery = ""

    def search(self, parse: str = "") -> Search:
        at = now()
        start = at_time(self.since, "since", at)
        end: datetime = at_time(self.until, "until", at) if self.until else at
        return Search(self.q, start, end, self.selector, parse)


Parse = Annotated[str, Query("", max_length=1000, description="json, logfmt, access or grok:PATTERN")]


def _counted(values: list[tuple[str, int]]) -> list[LogValue]:
    return [{"value": value, "count": count} for value, count in values]


@router.get("/logs", response=LogPage)
def list_(
    request: HttpRequest,
    response: HttpResponse,
    asked: Query[Asked],
    parse: Parse = "",
    limit: Rows = 100,
    after: Cursor = "",
) -> dict[str, Any]:
    """List lines, newest first. `since` and `until` are 30m, 6h, 7d ago or ISO 8601; `selector` limits the items."""
    page = queries.find(identify(request), asked.search(parse), limit=limit, after=after)
    link_next(request, response, page.next or None)
    return {"items": [shown(line) for line in page.lines], "next": page.next or None}


@router.get("/logs/histogram", response=LogHistogram)
def histogram(
    request: HttpRequest,
    asked: Query[Asked],
    bars: Annotated[int, Query(60, ge=1, le=1000)] = 60,
) -> dict[str, Any]:
    """Count lines by level, in steps of a round length."""
    found = queries.histogram(identify(request), asked.search(), bars=bars)
    return {
        "start": moment(found.start),
        "step_seconds": found.step_seconds,
        "counts": found.counts,
        "total": found.total,
    }


@router.get("/logs/facets", response=LogFacets)
def facets(request: HttpRequest, asked: Query[Asked]) -> dict[str, Any]:
    """Count levels, services, hosts and protocols, and attributes in a sample of the lines."""
    found = queries.facets(identify(request), asked.search())
    return {
        "items": [{"field": one.field, "is_sampled": one.is_sampled, "values": _counted(one.values)} for one in found]
    }


@router.get("/logs/statistics", response=LogStatistics)
def statistics(
    request: HttpRequest,
    field: Text,
    asked: Query[Asked],
) -> dict[str, Any]:
    """Answer what the values of one field are like."""
    found = queries.statistics(identify(request), asked.search(), field)
    names = [name for name in LogStatistics.model_fields if name != "top"]
    return {**{name: getattr(found, name) for name in names}, "top": _counted(found.top)}


@router.get("/logs/context", response=LogContext)
def context(
    request: HttpRequest,
    ts_ns: Annotated[int, Query(ge=0, le=2**63 - 1)],
    id: Annotated[str, Query(max_length=16)],  # noqa: A002 - on the wire
    limit: Annotated[int, Query(20, ge=1, le=500)] = 20,
) -> dict[str, Any]:
    """Answer what the same host and service said before and after a line."""
    found = queries.around(identify(request), ts_ns, id, limit=limit)
    return {
        "before": [shown(line) for line in found.before],
        "line": shown(found.line),
        "after": [shown(line) for line in found.after],
    }


@router.get("/logs/patterns", response=LogPatterns)
def patterns(
    request: HttpRequest,
    asked: Query[Asked],
    order: Order = "count",
    limit: Annotated[int, Query(50, ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """List what kinds of lines there are: `order` is count, rare, new or change against the time before."""
    found = queries.patterns(identify(request), asked.search(), order=order, limit=limit)
    plain = [name for name in LogPattern.model_fields if name not in ("first", "last")]
    return {
        "items": [
            {**{name: getattr(one, name) for name in plain}, "first": moment(one.first), "last": moment(one.last)}
            for one in found
        ]
    }


@router.get("/logs/changed", response=LogChanges)
def changed(
    request: HttpRequest,
    asked: Query[Asked],
    parse: Parse = "",
    limit: Annotated[int, Query(20, ge=1, le=50)] = 20,
) -> dict[str, Any]:
    """Compare the lines with those of the same length of time before: which fields, values and patterns differ most.

    Values on fewer than five lines are not told apart, nor is a difference told that may well be chance (3 deviations).
    """
    found = queries.changed(identify(request), asked.search(parse), limit=limit)
    return {
        "before_since": moment(found.before_since),
        "since": moment(found.since),
        "until": moment(found.until),
        "fields": differences(found.fields),
        "patterns": [
            {name: getattr(one, name) for name in LogChangedPattern.__annotations__} for one in found.patterns
        ],
        "patterns_known": found.patterns_known,
        "patterns_cut": found.patterns_cut,
    }


@router.get("/logs/tail", response={200: None}, openapi_extra=file_answer("text/event-stream"))
def tail(request: HttpRequest, q: UrlQuery = "", selector: UrlQuery = "") -> StreamingHttpResponse:
    """Stream lines as they come in, as server-sent events: each `data:` is one line. Ends when the client leaves."""
    actor = identify(request)
    # What is wrong with the query is an error answer, before the stream begins.
    queries.check(actor, q, selector)
    return server_sent(queries.follow(actor, q, selector), shown)


@router.get("/exports/logs", response={200: None}, openapi_extra=file_answer(*FORMATS.values()))
def export_(
    request: HttpRequest,
    asked: Query[Asked],
    format: Text = "jsonl",  # noqa: A002 - on the wire
) -> StreamingHttpResponse:
    """Stream the lines as a file, newest first: jsonl or csv. A failure on the way breaks the connection off."""
    content = export(identify(request), asked.search(), format)
    answer = StreamingHttpResponse(in_background(content), content_type=FORMATS[format])
    answer["Content-Disposition"] = f'attachment; filename="logs-{now():%Y%m%d-%H%M%S}.{format}"'
    return answer
