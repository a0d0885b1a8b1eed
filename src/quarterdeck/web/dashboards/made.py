"""The dashboards that are made of what a type's items send."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from quarterdeck.access.checks import may
from quarterdeck.monitoring.dashboards.actions import VERB, free_slug, save_dashboard
from quarterdeck.monitoring.dashboards.definitions import plain
from quarterdeck.monitoring.dashboards.making import made_for
from quarterdeck.web.dashboards.reading import board_context, figures
from quarterdeck.web.pages import PageRequest, page


@require_GET
@page("telemetry.query")
def board(request: PageRequest, code: str) -> HttpResponse:
    made = made_for(request.actor, code)
    context = board_context(request, made.definition, reverse("web:dashboard_made", args=[code]))
    context |= {"made": made, "may_keep": may(request.actor, VERB) and not context["is_kiosk"]}
    return render(request, "web/dashboards/board.html", context)


@require_GET
@page("telemetry.query")
def data(request: PageRequest, code: str, number: int) -> JsonResponse:
    return figures(request, made_for(request.actor, code).definition, number)


@require_POST
@page(VERB)
def keep(request: PageRequest, code: str) -> HttpResponse:
    """Make it one that people change."""
    definition = plain(made_for(request.actor, code).definition)
    dashboard = save_dashboard(request.actor, free_slug(code), definition, note=_("made of what the items send"))
    messages.success(request, _('The dashboard "%(title)s" is yours to change.') % {"title": dashboard.title})
    return HttpResponseRedirect(reverse("web:dashboard", args=[dashboard.slug]) + "?edit=1")
