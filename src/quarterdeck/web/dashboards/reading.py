"""Looking at dashboards: the list, a board, the figures of a panel, its versions, its file."""

from __future__ import annotations

from typing import Any

import yaml
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import may
from quarterdeck.core.errors import NotFound, OpsError
from quarterdeck.monitoring.dashboards import queries
from quarterdeck.monitoring.dashboards.actions import VERB
from quarterdeck.monitoring.dashboards.choosing import Choice, choices, values_of
from quarterdeck.monitoring.dashboards.definitions import Definition, Panel, read
from quarterdeck.monitoring.dashboards.making import title_of, types_that_send
from quarterdeck.web.dashboards.boards import (
    REFRESHES_SECONDS,
    asked_values,
    parameters,
    refresh_of,
    sections_of,
    span_of,
)
from quarterdeck.web.dashboards.figures import panel_figures
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.paging import newest_first


@require_GET
@page("telemetry.query")
def listing(request: PageRequest) -> HttpResponse:
    """Those that people made, and one for each type of items."""
    made = [
        {"code": type_.code, "title": title_of(type_), "icon": type_.icon, "items": n}
        for type_, n in types_that_send(request.actor)
    ]
    context = {"dashboards": queries.dashboards(request.actor), "made": made, "may_change": may(request.actor, VERB)}
    return render(request, "web/dashboards/list.html", context)


@require_GET
@page("telemetry.query")
def board(request: PageRequest, slug: str) -> HttpResponse:
    dashboard = queries.dashboard(request.actor, slug)
    may_change = may(request.actor, VERB)
    is_kiosk = "kiosk" in request.GET
    context = board_context(request, read(dashboard.definition), reverse("web:dashboard", args=[slug]))
    context |= {
        "dashboard": dashboard,
        "may_change": may_change and not is_kiosk,
        "is_editing": may_change and not is_kiosk and "edit" in request.GET,
    }
    return render(request, "web/dashboards/board.html", context)


def board_context(request: PageRequest, definition: Definition, address: str) -> dict[str, Any]:
    """What the page of a board needs, whoever made it; `address` is the page's own."""
    span, refresh = span_of(request, definition), refresh_of(request, definition)
    found: list[Choice] = []
    problem: OpsError | None = None
    try:
        found = choices(request.actor, definition, asked_values(request))
    except OpsError as error:
        problem = error
    shared = parameters(found, span, refresh)
    return {
        "definition": definition,
        "choices": [choice for choice in found if not choice.variable.hidden],
        "problem": problem,
        "sections": sections_of(definition),
        "span": span,
        "refresh_seconds": refresh,
        "refreshes": sorted({*REFRESHES_SECONDS, refresh}),
        "parameters": parameters(found, span),
        "address": address,
        "shared": request.build_absolute_uri(f"{address}?{shared}"),
        "kiosk": f"{address}?{shared}&kiosk=1",
        "plain": f"{address}?{shared}",
        "is_kiosk": "kiosk" in request.GET,
        "base": "web/dashboards/kiosk.html" if "kiosk" in request.GET else "web/base.html",
    }


@require_GET
@page("telemetry.query")
def data(request: PageRequest, slug: str, number: int) -> JsonResponse:
    return figures(request, read(queries.dashboard(request.actor, slug).definition), number)


def figures(request: PageRequest, definition: Definition, number: int) -> JsonResponse:
    """The figures of one panel with the choices of the address; see islands/panel.ts."""
    panel = panel_of(definition, number)
    values = values_of(choices(request.actor, definition, asked_values(request)))
    answer = JsonResponse(panel_figures(request.actor, panel, values, span_of(request, definition)))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def panel_of(definition: Definition, number: int) -> Panel:
    for panel in definition.panels:
        if panel.id == number:
            return panel
    raise NotFound(_("There is no panel %(number)d.") % {"number": number}, hint=_("See the dashboard."))


@require_GET
@page("telemetry.query")
def versions(request: PageRequest, slug: str) -> HttpResponse:
    dashboard = queries.dashboard(request.actor, slug)
    rows, cursor = newest_first(queries.versions(request.actor, slug), request.GET.get("after", ""))
    context = {"dashboard": dashboard, "versions": rows, "next_cursor": cursor, "may_change": may(request.actor, VERB)}
    return render(request, "web/dashboards/versions.html", context)


@require_GET
@page("telemetry.query")
def export(request: PageRequest, slug: str) -> HttpResponse:
    """The file that `qd dashboards import` and the page take."""
    definition = queries.dashboard(request.actor, slug).definition
    text = yaml.safe_dump({"slug": slug, **definition}, allow_unicode=True, sort_keys=False)
    file = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    file.headers["Content-Disposition"] = f'attachment; filename="{slug}.yaml"'
    return file
