"""One line unfolded: every field with "only" and "without", its trace and item, and what was said around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from quarterdeck.logs import queries
from quarterdeck.logs.queries import Line
from quarterdeck.web.logs.asked import Asked, asked
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.tracing.addresses import of_trace

_OWN = ("level", "service", "host", "component", "source", "trace_id", "span_id")


@require_GET
@page("telemetry.query")
def line(request: PageRequest, ts_ns: int, line_id: str) -> HttpResponse:
    """All that a line holds."""
    one = asked(request)
    found = queries.get_line(request.actor, ts_ns, line_id, parse=one.search.parse)
    groups = [_own(one, found), *_maps(one, found)]
    context = {
        "line": found,
        "groups": [group for group in groups if group["fields"]],
        "address": one.address(),
        "trace_query": one.address(q=f"trace:{found.trace_id}", since=None, until=None) if found.trace_id else "",
        "trace_url": of_trace(found.trace_id) if found.trace_id else "",
    }
    return render(request, "web/logs/line.html", context)


def _own(one: Asked, found: Line) -> dict[str, Any]:
    values = {name: str(getattr(found, name)) for name in _OWN if getattr(found, name)}
    return {"title": "", "fields": _fields(one, values)}


def _maps(one: Asked, found: Line) -> list[dict[str, Any]]:
    maps = {"attributes": found.attributes, "resource": found.resource, "parsed": found.parsed}
    return [{"title": name, "fields": _fields(one, values)} for name, values in maps.items()]


def _fields(one: Asked, values: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {
            "name": name,
            "value": value,
            # A name with other characters cannot be written in a query.
            "only": one.narrowed(name, value) if _is_field(name) and len(value) < 1000 else "",
            "without": one.narrowed(name, value, out=True) if _is_field(name) and len(value) < 1000 else "",
            "column": one.address(columns=",".join(dict.fromkeys([*one.columns, name]))) if _is_field(name) else "",
        }
        for name, value in sorted(values.items())
    ]


def _is_field(name: str) -> bool:
    return not name[:1].isdigit() and all(letter.isalnum() or letter in "_.-/" for letter in name)


@require_GET
@page("telemetry.query")
def context(request: PageRequest, ts_ns: int, line_id: str) -> HttpResponse:
    """What the same host and service said before and after the line."""
    found = queries.around(request.actor, ts_ns, line_id, limit=10)
    return render(request, "web/logs/context.html", {"found": found})
