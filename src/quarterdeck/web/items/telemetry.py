"""What an item sends: its newest lines, its spans, the calls of a service. Charts of metrics are in `charts`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import may
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound, Unavailable
from quarterdeck.inventory import queries
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry import queries as telemetry
from quarterdeck.telemetry.queries import Red, Requests
from quarterdeck.telemetry.recent import Span
from quarterdeck.web.items.figures import step_seconds
from quarterdeck.web.items.heads import head
from quarterdeck.web.marks import marks_of
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.tracing.addresses import traces_query
from quarterdeck.web.viewing import range_of

LINES = 100
SPANS = 50
_MINUTE_SECONDS = 60


def intake_url(actor: Actor) -> str:
    """Return the address of the page that tells how to send, "" for those who may not open it."""
    return reverse("web:intake") if may(actor, "telemetry.intake") else ""


def context_of(request: PageRequest, item: Item, tab: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the page's context with what `read` returns, or with why the engine does not answer."""
    context = head(request, item, tab) | {"range": range_of(request), "intake_url": intake_url(request.actor)}
    try:
        return context | read()
    except Unavailable as error:
        return context | {"unavailable": error}


def _status(context: dict[str, Any]) -> int:
    error = context.get("unavailable")
    return error.status if error else 200


@require_GET
@page("telemetry.query")
def logs(request: PageRequest, pk: int) -> HttpResponse:
    """The newest lines of the page's time range."""
    item = queries.get_item(request.actor, pk)

    def read() -> dict[str, Any]:
        found = telemetry.logs(request.actor, item, range_of(request).since, limit=LINES + 1)
        return {"lines": found[:LINES], "is_cut": len(found) > LINES, "shown": LINES}

    context = context_of(request, item, "logs", read)
    return render(request, "web/items/logs.html", context, status=_status(context))


@require_GET
@page("telemetry.query")
def errors(request: PageRequest, pk: int) -> HttpResponse:
    """The newest error events of the page's time range."""
    item = queries.get_item(request.actor, pk)

    def read() -> dict[str, Any]:
        found = telemetry.errors(request.actor, item, range_of(request).since, limit=LINES + 1)
        return {"events": found[:LINES], "is_cut": len(found) > LINES, "shown": LINES}

    context = context_of(request, item, "errors", read)
    return render(request, "web/items/errors.html", context, status=_status(context))


@require_GET
@page("telemetry.query")
def requests(request: PageRequest, pk: int) -> HttpResponse:
    """Rate, errors and durations of a service, and spans: `?order=` latest, slowest or errors."""
    item = queries.get_item(request.actor, pk)
    orders = {"latest": _("Latest"), "slowest": _("Slowest"), "errors": _("Failed")}
    asked = request.GET.get("order", "")
    order = asked if asked in orders else "latest"

    def read() -> dict[str, Any]:
        span = range_of(request)
        counted = telemetry.requests(request.actor, item, span.since, _step(span.seconds))
        spans = telemetry.spans(request.actor, item, span.since, order=order, limit=SPANS)  # type: ignore[arg-type]
        return {"requests": counted, "seconds": span.seconds, "spans": spans} | _onward(item, spans)

    context = context_of(request, item, "requests", read) | {"orders": orders, "order": order}
    return render(request, "web/items/requests.html", context, status=_status(context))


def _onward(item: Item, spans: Sequence[Span]) -> dict[str, Any]:
    """Return where there is more: the service's own page, and the search for all traces through the item."""
    if not spans:
        return {}
    first = spans[0]
    if catalogue().by_id[item.type_id].code == "service":
        return {"service_name": first.service, "traces_query": traces_query("service", first.service)}
    return {"traces_query": traces_query("host", first.host)} if first.host else {}


def _step(seconds: int) -> int:
    return max(_MINUTE_SECONDS, step_seconds(seconds))


def _rates(one: Red, seconds: int) -> dict[str, float | None]:
    return {_("calls"): one.count / seconds, _("failed"): one.errors / seconds}


def _durations(one: Red, seconds: int) -> dict[str, float | None]:
    found = {"p50": one.p50_ns, "p95": one.p95_ns, "p99": one.p99_ns}
    return {name: None if value is None else value / 1e6 for name, value in found.items()}


# name: (unit, what is drawn of a point)
_CHARTS: dict[str, tuple[str, Callable[[Red, int], dict[str, float | None]]]] = {
    "rate": ("/s", _rates),
    "duration": ("ms", _durations),
}


def drawn(found: Requests, name: str) -> dict[str, Any]:
    """Return what the chart island draws, see islands/chart.ts. A step that is not over would look like a fall."""
    unit, values = _CHARTS[name]
    start = found.since.timestamp() * 1000
    series: dict[str, list[tuple[float, float | None]]] = {}
    for index, point in enumerate(found.points[:-1]):
        for title, value in values(point, found.step_seconds).items():
            series.setdefault(title, []).append((start + index * found.step_seconds * 1000, value))
    return {
        "unit": unit,
        "stacked": False,
        "maximum": None,
        "since": start,
        "until": found.until.timestamp() * 1000,
        "series": [{"name": title, "points": points} for title, points in series.items()],
    }


@require_GET
@page("telemetry.query")
def request_chart(request: PageRequest, pk: int, name: str) -> JsonResponse:
    """The data of a chart of calls: "rate" or "duration"."""
    item = queries.get_item(request.actor, pk)
    if name not in _CHARTS:
        raise NotFound(_('There is no chart "%(name)s".') % {"name": name[:40]}, hint=", ".join(_CHARTS))
    span = range_of(request)
    found = telemetry.requests(request.actor, item, span.since, _step(span.seconds))
    answer = JsonResponse(drawn(found, name) | {"marks": marks_of(request.actor, item, found.since)})
    answer.headers["Cache-Control"] = "no-store"
    return answer
