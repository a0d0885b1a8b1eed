"""One metric over many items: those that the shell's selector picks, as a table and as a heat map."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast, get_args
from urllib.parse import urlencode

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import visible
from quarterdeck.core.errors import BadQuery, Unavailable
from quarterdeck.inventory import queries
from quarterdeck.inventory.models import Item
from quarterdeck.monitoring import prometheus
from quarterdeck.telemetry import queries as telemetry
from quarterdeck.telemetry.charting import Aggregate
from quarterdeck.telemetry.samples import is_counter, unit_of
from quarterdeck.telemetry.turns import turns
from quarterdeck.web.formatting import visible as shown
from quarterdeck.web.items.listing import marked
from quarterdeck.web.metrics.answers import Grid, Values, grid_of, statistics
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.viewing import range_of, selector_of, within_selector

# More rows than this are no picture any more, and more items than this no question of a person.
ROWS_MAX = 100
ITEMS_MAX = 2000
_PROPOSED_MAX = 1000

VIEWS: dict[str, str | Promise] = {"heat": _("Heat map"), "table": _("Table")}
AGGREGATES: dict[str, str | Promise] = {"avg": _("mean"), "sum": _("sum"), "min": _("lowest"), "max": _("highest")}


@dataclass(frozen=True, slots=True)
class Choice:
    """What of the fleet is shown."""

    metric: str
    aggregate: Aggregate
    view: str

    def parameters(self, view: str = "") -> str:
        return urlencode({"metric": self.metric, "aggregate": self.aggregate, "view": view or self.view})


def choice_of(request: PageRequest) -> Choice:
    """Return the choice in the address; what is not understood is as usual."""
    asked = request.GET
    aggregate, view = asked.get("aggregate", ""), asked.get("view", "")
    return Choice(
        asked.get("metric", "").strip(),
        cast(Aggregate, aggregate) if aggregate in get_args(Aggregate) else "avg",
        view if view in VIEWS else "heat",
    )


@require_GET
@page("telemetry.query")
def fleet(request: PageRequest) -> HttpResponse:
    """The choice of a metric, and where its picture comes from."""
    choice = choice_of(request)
    context: dict[str, Any] = {
        "choice": choice,
        "aggregates": AGGREGATES,
        "parameters": f"{choice.parameters()}&range={range_of(request).code}",
        "views": [
            {"title": title, "url": f"{request.path}?{choice.parameters(code)}", "current": code == choice.view}
            for code, title in VIEWS.items()
        ],
    }
    try:
        ask = prometheus.label_values(request.actor, "__name__", limit=_PROPOSED_MAX)
        with turns.place(ask.caller):
            context["names"] = ask.answer()
        queries.items(request.actor, selector_of(request))
    except Unavailable as error:
        context["unavailable"] = error
    except BadQuery as error:
        context |= {"query_error": error, "marked": marked(selector_of(request), error)}
    return render(request, "web/metrics/fleet.html", context)


@require_GET
@page("telemetry.query")
def data(request: PageRequest) -> JsonResponse:
    """The picture as islands/explorer.ts reads it: a series for each item, the highest newest value first."""
    choice = choice_of(request)
    chosen = queries.items(request.actor, within_selector(request, ""))
    items = {item.pk: item for item in visible(request.actor, "telemetry.query", chosen)[:ITEMS_MAX]}
    grid = grid_of(range_of(request))
    since, until = (datetime.fromtimestamp(at, UTC) for at in (grid.since, grid.until + grid.step))
    found = telemetry.fleet(
        request.actor, list(items.values()), choice.metric, since, until, grid.step, aggregate=choice.aggregate
    )
    rows = [_row(items[pk], values, choice) for pk, values in found.items()]
    rows.sort(key=lambda row: (row["last"] is None, -(row["last"] or 0), row["name"]))
    answer = JsonResponse(_picture(grid, rows))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _picture(grid: Grid, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "since": grid.since * 1000,
        "step": grid.step * 1000,
        "points": grid.points,
        "left_out": max(0, len(rows) - ROWS_MAX),
        "errors": [],
        "series": rows[:ROWS_MAX],
    }


def _row(item: Item, values: Values, choice: Choice) -> dict[str, Any]:
    unit = unit_of(choice.metric)
    address = reverse("web:item_metrics", args=[item.pk])
    return {
        "query": 0,
        "name": shown(item.name),
        "full": shown(item.name),
        "unit": f"{unit}/s" if is_counter(choice.metric) else unit,
        "item": {"name": shown(item.name), "url": reverse("web:item", args=[item.pk])},
        "narrow": f"{address}?{urlencode({'metric': choice.metric})}",
        "values": values,
        "earlier": [],
        **statistics(values),
    }
