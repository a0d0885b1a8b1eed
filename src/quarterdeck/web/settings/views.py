"""Settings with their origin, the state of the system, and the sources of the inventory."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from quarterdeck.access.checks import may
from quarterdeck.core.errors import TooMany, Unavailable
from quarterdeck.inventory.actions import request_sync
from quarterdeck.inventory.connectors.passes import connectors
from quarterdeck.inventory.models import SyncRun
from quarterdeck.telemetry.status import engine_status
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.paging import newest_first
from quarterdeck.web.settings import system
from quarterdeck.web.settings.values import sections


@require_GET
@page("settings.view")
def values(request: PageRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    context = {"sections": sections(text), "text": text, "file": settings.DATA / "quarterdeck.toml"}
    return render(request, "web/settings/values.html", context)


@require_GET
@page("settings.view")
def system_page(request: PageRequest) -> HttpResponse:
    context: dict[str, Any] = {
        "processes": system.processes(),
        "stores": system.stores(),
        "versions": system.versions(),
        "data": settings.DATA,
    }
    try:
        context["engine"] = engine_status()
    except (Unavailable, TooMany) as error:
        context["engine_error"] = error
    return render(request, "web/settings/system.html", context)


def _summary(counts: dict[str, Any]) -> str:
    """Return "12 new, 3 changed, 40 unchanged" of a pass's counts."""
    words = {
        "created": _("%(n)s new"),
        "updated": _("%(n)s changed"),
        "unchanged": _("%(n)s unchanged"),
        "missing": _("%(n)s missing"),
        "errors": _("%(n)s errors"),
    }
    return ", ".join(text % {"n": counts[name]} for name, text in words.items() if counts.get(name))


def _seconds(run: SyncRun) -> float | None:
    return (run.ended_at - run.started_at).total_seconds() if run.ended_at else None


@require_GET
@page("settings.view")
def sources(request: PageRequest) -> HttpResponse:
    """Every source with its last pass, and the passes of all of them."""
    rows = []
    for name, connector in connectors().items():
        last = SyncRun.objects.filter(source=name).order_by("-pk").first()
        rows.append(
            {
                "name": name,
                "title": _(str(connector.title)),
                "last": last,
                "summary": _summary(last.counts) if last else "",
            }
        )
    runs, cursor = newest_first(SyncRun.objects.all(), request.GET.get("after", ""), 25)
    context = {
        "sources": rows,
        "runs": [{"run": run, "summary": _summary(run.counts), "seconds": _seconds(run)} for run in runs],
        "next_cursor": cursor,
        "may_sync": may(request.actor, "inventory.edit"),
    }
    return render(request, "web/settings/sources.html", context)


@require_POST
@page("inventory.edit")
def sync(request: PageRequest) -> HttpResponseBase:
    """Queue a pass over all sources, as the schedule does."""
    request_sync(request.actor)
    messages.success(request, _("The sources are being read. The list below shows each pass when it has begun."))
    return redirect("web:sources")
