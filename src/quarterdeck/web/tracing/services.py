"""Services by their calls, one service, and the statements that services send."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.core.errors import NotFound
from quarterdeck.inventory import queries as inventory
from quarterdeck.telemetry.requests import Red
from quarterdeck.tracing import queries
from quarterdeck.web.items.figures import step_seconds
from quarterdeck.web.marks import mark, marks_of, version_text
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.tracing.addresses import traces_query
from quarterdeck.web.tracing.common import item_url, shown, times_of
from quarterdeck.web.viewing import range_of, selector_of

_MINUTE_SECONDS = 60


@require_GET
@page("telemetry.query")
def listing(request: PageRequest) -> HttpResponse:
    """Every service that called or was called in the page's time range."""

    def read() -> dict[str, Any]:
        found = queries.services(request.actor, *times_of(request), selector=selector_of(request))
        return {"services": [(one, item_url(one.item)) for one in found], "seconds": range_of(request).seconds}

    return shown(request, "web/tracing/services.html", {}, read)


@require_GET
@page("telemetry.query")
def show(request: PageRequest, name: str) -> HttpResponse:
    """One service: figures, charts, operations, versions, neighbours, statements, exceptions."""

    def read() -> dict[str, Any]:
        times = times_of(request)
        found = queries.service(request.actor, name, *times, _step(request))
        return {
            "service": found,
            "item_url": item_url(found.item),
            "seconds": range_of(request).seconds,
            "callers": [edge for edge in found.edges if edge.callee == name],
            "callees": [edge for edge in found.edges if edge.caller == name],
        }

    context = {"name": name, "traces_query": traces_query("service", name)}
    return shown(request, "web/tracing/service.html", context, read)


def _step(request: PageRequest) -> int:
    return max(_MINUTE_SECONDS, step_seconds(range_of(request).seconds))


def _rates(one: Red, seconds: int) -> dict[str, float | None]:
    return {_("calls"): one.count / seconds, _("failed"): one.errors / seconds}


def _durations(one: Red, _seconds: int) -> dict[str, float | None]:
    found = {"p50": one.p50_ns, "p95": one.p95_ns, "p99": one.p99_ns}
    return {name: None if value is None else value / 1e6 for name, value in found.items()}


# name: (unit, what is drawn of a point)
_CHARTS: dict[str, tuple[str, Callable[[Red, int], dict[str, float | None]]]] = {
    "rate": ("/s", _rates),
    "duration": ("ms", _durations),
}


@require_GET
@page("telemetry.query")
def chart(request: PageRequest, name: str, chart: str) -> JsonResponse:
    """The data of a chart of the service's calls: "rate" or "duration"; the step that is not over is left out."""
    if chart not in _CHARTS:
        raise NotFound(_('There is no chart "%(name)s".') % {"name": chart[:40]}, hint=", ".join(_CHARTS))
    unit, values = _CHARTS[chart]
    found = queries.service(request.actor, name, *times_of(request), _step(request))
    grid = found.grid
    series: dict[str, list[tuple[float, float | None]]] = {}
    for index, point in enumerate(found.points[:-1]):
        for title, value in values(point, grid.step).items():
            series.setdefault(title, []).append(((grid.start + index * grid.step) * 1000, value))
    answer = JsonResponse(
        {
            "unit": unit,
            "stacked": False,
            "maximum": None,
            "since": grid.start * 1000,
            "until": grid.end * 1000,
            "series": [{"name": title, "points": points} for title, points in series.items()],
            "marks": _marks(request, found),
        }
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _marks(request: PageRequest, found: queries.Service) -> list[list[Any]]:
    """Return what happened to the service's item, and when versions answered first: its deployments."""
    since = datetime.fromtimestamp(found.grid.start, UTC)
    marks = [mark(one.first_seen, "info", version_text(one.name)) for one in found.versions if one.first_seen >= since]
    if found.item:
        marks += marks_of(request.actor, inventory.get_item(request.actor, found.item), since)
    return sorted(marks)


@require_GET
@page("telemetry.query")
def statements(request: PageRequest) -> HttpResponse:
    """What services ask of databases, caches, queues and other addresses; `?service=` limits it to one."""
    categories = {
        "database": _("Databases"),
        "cache": _("Caches"),
        "queue": _("Queues"),
        "external": _("Other addresses"),
    }
    asked = request.GET.get("category", "")
    category = asked if asked in categories else "database"
    service = request.GET.get("service", "")[:255]

    def read() -> dict[str, Any]:
        found = queries.statements(
            request.actor, *times_of(request), category=category, service=service, selector=selector_of(request)  # type: ignore[arg-type]
        )  # fmt: skip
        return {"statements": found, "seconds": range_of(request).seconds}

    context = {"categories": categories, "category": category, "of_service": service}
    return shown(request, "web/tracing/statements.html", context, read)
