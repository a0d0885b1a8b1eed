"""Searching traces, and one trace."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.tracing import queries
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.tracing.common import shown, times_of
from quarterdeck.web.viewing import selector_of

ROWS = 200
_SHOWN_SERVICES = 8
_SHOWN_DIFFERENCES = 8
# Deeper steps stand no further to the right.
_SHOWN_LEVELS = 12


@require_GET
@page("telemetry.query")
def search(request: PageRequest) -> HttpResponse:
    """The traces that the query finds, as points and as a table."""
    orders = {"latest": _("Latest"), "slowest": _("Slowest")}
    asked = request.GET.get("order", "")
    order = asked if asked in orders else "latest"
    query = request.GET.get("q", "")[:20_000]

    def read() -> dict[str, Any]:
        found = queries.traces(
            request.actor, query, *times_of(request), order=order, limit=ROWS, selector=selector_of(request)  # type: ignore[arg-type]
        )  # fmt: skip
        return {"traces": found, "points": [_point(one) for one in found], "is_cut": len(found) >= ROWS}

    context = {"query": query, "orders": orders, "order": order, "shown": ROWS}
    return shown(request, "web/tracing/traces.html", context, read)


def _point(one: queries.Found) -> list[Any]:
    """Return `[ms since 1970, ms, failed, trace, what]`, see islands/scatter.ts."""
    what = f"{one.span_service} · {one.span_name}"
    return [one.span_at.timestamp() * 1000, one.span_duration_ns / 1e6, one.span_is_error, one.trace_id, what[:200]]


@require_GET
@page("telemetry.query")
def show(request: PageRequest, trace_id: str) -> HttpResponse:
    """A trace: its figures, hints and, drawn by an island, its spans."""
    found = queries.trace(request.actor, trace_id, is_outline=True)
    around = queries.around(request.actor, trace_id)
    context = {
        "trace": found,
        "root": found.nodes[found.roots[0]].span,
        "parts": _parts(found),
        "hints": [(hint, found.nodes[hint.parent].span) for hint in found.hints],
        "around": around,
    }
    return render(request, "web/tracing/trace.html", context)


def _parts(trace: queries.Trace) -> list[tuple[str, int, float]]:
    """Return what the duration consists of: `[(service, nanoseconds, share)]` of the critical path."""
    spent: Counter[str] = Counter()
    for node in trace.nodes:
        spent[node.span.service] += node.critical_ns
    whole = sum(spent.values()) or 1
    return [(name, taken, taken / whole) for name, taken in spent.most_common(_SHOWN_SERVICES) if taken]


@require_GET
@page("telemetry.query")
def compare(request: PageRequest) -> HttpResponse:
    """Two traces side by side: `?trace=` twice; with one of them the page asks for the other."""
    asked = [text for text in dict.fromkeys(one.strip()[:64] for one in request.GET.getlist("trace")) if text]
    context: dict[str, Any] = {"asked": asked}
    if len(asked) == 2:
        found = queries.compared(request.actor, *asked)
        context |= {
            "found": found,
            "sides": [_side("A", found.left), _side("B", found.right)],
            "largest": found.largest(_SHOWN_DIFFERENCES),
            "steps": [(step, range(min(step.depth, _SHOWN_LEVELS))) for step in found.steps],
        }
    return render(request, "web/tracing/compare.html", context)


def _side(letter: str, trace: queries.Trace) -> tuple[str, queries.Trace, queries.TraceSpan]:
    return letter, trace, trace.nodes[trace.roots[0]].span


@require_GET
@page("telemetry.query")
def outline(request: PageRequest, trace_id: str) -> JsonResponse:
    """The spans of a trace for the waterfall, as few bytes as they need. See islands/spans.ts."""
    found = queries.trace(request.actor, trace_id, is_outline=True)
    services: dict[str, int] = {}
    names: dict[str, int] = {}
    spans = []
    for node in found.nodes:
        span = node.span
        flags = span.is_error + 2 * node.is_orphan + 4 * node.is_cycle + 8 * bool(node.skew_ns)
        spans.append(
            [
                node.parent, node.depth, (node.start_ns - found.start_ns) // 1000, span.duration_ns / 1000,
                services.setdefault(span.service, len(services)), names.setdefault(span.name, len(names)), span.kind,
                flags, span.span_id,
            ]
        )  # fmt: skip
    critical = [
        [one.node, (one.start_ns - found.start_ns) / 1000, (one.end_ns - found.start_ns) / 1000]
        for one in found.critical
    ]
    answer = JsonResponse(
        {
            "trace": found.trace_id,
            "duration": found.duration_ns / 1000,
            "services": list(services),
            "names": list(names),
            "spans": spans,
            "critical": critical,
        }
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


@require_GET
@page("telemetry.query")
def span(request: PageRequest, trace_id: str, span_id: str) -> HttpResponse:
    """A span with all that it says, as a part of the trace's page."""
    found = queries.span(request.actor, trace_id, span_id, request.GET.get("kind", "")[:20])
    around = queries.around(request.actor, trace_id, span_id=span_id)
    return render(request, "web/tracing/span.html", {"span": found, "around": around})
