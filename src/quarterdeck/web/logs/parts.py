"""What the page of lines asks for after it is shown: bars, facets, completions, new lines, files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from quarterdeck.core.clock import now
from quarterdeck.core.errors import OpsError
from quarterdeck.core.streams import in_background, server_sent
from quarterdeck.logs import queries
from quarterdeck.logs.completing import completions as complete
from quarterdeck.logs.exporting import FORMATS
from quarterdeck.logs.exporting import export as write_export
from quarterdeck.logs.queries import Facet, Line
from quarterdeck.web.logs.asked import Asked, asked
from quarterdeck.web.logs.titles import facet_title, level_title
from quarterdeck.web.pages import PageRequest, page

BARS = 80


@require_GET
@page("telemetry.query")
def histogram(request: PageRequest) -> JsonResponse:
    """Lines by level in time, for islands/log-bars.ts: `series` is `[{"level", "name", "counts"}]`."""
    found = queries.histogram(request.actor, asked(request).search, bars=BARS)
    series = [
        {"level": level, "name": str(level_title(level)), "counts": counts} for level, counts in found.counts.items()
    ]
    answer = JsonResponse(
        {
            "start": found.start.timestamp() * 1000,
            "step": found.step_seconds * 1000,
            "total": found.total,
            "series": series,
        }
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


@require_GET
@page("telemetry.query")
def facets(request: PageRequest) -> HttpResponse:
    """The facets of the search, asked for after the lines so that those do not wait."""
    one = asked(request)
    try:
        found = queries.facets(request.actor, one.search)
    except OpsError:
        # The list of lines says what is wrong.
        found = []
    context = {"facets": [_facet(one, facet) for facet in found], "address": one.address()}
    return render(request, "web/logs/facets.html", context)


def _facet(one: Asked, facet: Facet) -> dict[str, Any]:
    is_level = facet.field == "level"
    values = [
        {
            "title": level_title(value) if is_level else value,
            "count": count,
            "only": one.narrowed(facet.field, value),
            "without": one.narrowed(facet.field, value, out=True),
        }
        for value, count in facet.values
    ]
    return {"field": facet.field, "title": facet_title(facet.field), "is_sampled": facet.is_sampled, "values": values}


@require_GET
@page("telemetry.query")
def statistics(request: PageRequest) -> HttpResponse:
    """What the values of `?field=` are like."""
    one = asked(request)
    found = queries.statistics(request.actor, one.search, request.GET.get("field", ""))
    return render(request, "web/logs/statistics.html", {"found": found})


@require_GET
@page("telemetry.query")
def completions(request: PageRequest) -> JsonResponse:
    """What may stand at the cursor: `[{"text": "host:", "hint": "", "start": 0, "end": 2}]`."""
    text, cursor = request.GET.get("text", ""), request.GET.get("cursor", "")
    found = complete(request.actor, text, int(cursor) if cursor.isdecimal() else None, asked(request).search)
    return JsonResponse([asdict(one) for one in found], safe=False)


@require_GET
@page("telemetry.query")
def tail(request: PageRequest) -> HttpResponseBase:
    """Lines as they come in, as server-sent events; islands/log-tail.ts puts them on top of the list."""
    search = asked(request).search
    queries.check(request.actor, search.query, search.selector)
    return server_sent(queries.follow(request.actor, search.query, search.selector), _shown)


def _shown(line: Line) -> dict[str, Any]:
    return {
        "at": line.ts_ns // 1_000_000,
        "level": line.level,
        "level_title": str(level_title(line.level)),
        "service": line.service,
        "host": line.host,
        "message": line.message,
    }


@require_GET
@page("telemetry.query")
def export(request: PageRequest) -> HttpResponseBase:
    """The lines of the search as a file, streamed: `?format=` jsonl or csv."""
    name = request.GET.get("format", "jsonl")
    content = write_export(request.actor, asked(request).search, name)
    answer = StreamingHttpResponse(in_background(content), content_type=FORMATS[name])
    answer["Content-Disposition"] = f'attachment; filename="logs-{now():%Y%m%d-%H%M%S}.{name}"'
    return answer
