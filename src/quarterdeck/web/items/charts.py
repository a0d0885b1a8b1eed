"""An item's metrics: the page of panels, and each panel's data."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.core.errors import NotFound, Unavailable
from quarterdeck.inventory import queries
from quarterdeck.telemetry import queries as telemetry
from quarterdeck.web.items.figures import FIGURES, SPARKS, data, figures_for, of_metric
from quarterdeck.web.items.heads import head
from quarterdeck.web.marks import marks_of
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.viewing import range_of


@require_GET
@page("telemetry.query")
def metrics(request: PageRequest, pk: int) -> HttpResponse:
    """The panels that the item has metrics for; when the engine does not answer, the page says so."""
    item = queries.get_item(request.actor, pk)
    context = head(request, item, "metrics")
    try:
        found = telemetry.metrics_of(request.actor, item)
    except Unavailable as error:
        return render(request, "web/items/metrics.html", context | {"unavailable": error}, status=error.status)
    figures = figures_for(found)
    shown = {source.metric for one in figures.values() for source in one.sources}
    others = [metric for metric in found if metric.name not in shown]
    chosen = request.GET.get("metric", "")
    context |= {
        "figures": figures,
        "others": others,
        "chosen": chosen if any(metric.name == chosen for metric in found) else "",
    }
    return render(request, "web/items/metrics.html", context)


@require_GET
@page("telemetry.query")
def chart(request: PageRequest, pk: int, name: str) -> JsonResponse:
    """A panel's data; `metric` with `?metric=` is any metric by its name."""
    item = queries.get_item(request.actor, pk)
    figure = of_metric(request.GET.get("metric", "")) if name == "metric" else {**FIGURES, **SPARKS}.get(name)
    if figure is None:
        raise NotFound(_('There is no chart "%(name)s".') % {"name": name[:40]}, hint=", ".join(FIGURES))
    span = range_of(request)
    marks = marks_of(request.actor, item, span.since)
    answer = JsonResponse(data(request.actor, item, figure, span) | {"marks": marks})
    answer.headers["Cache-Control"] = "no-store"
    return answer
