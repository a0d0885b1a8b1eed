"""The page of scheduled jobs."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from quarterdeck.core.errors import Unavailable
from quarterdeck.errors import watching
from quarterdeck.web.issues.lists import tabs_of
from quarterdeck.web.pages import PageRequest, page

_TONES = {"ok": "good", "error": "bad", "missed": "bad", "timeout": "bad", "running": "info"}


@require_GET
@page("telemetry.query")
def monitors(request: PageRequest) -> HttpResponse:
    """Jobs that report their runs, those with trouble first."""
    context: dict[str, Any] = {"tabs": tabs_of(request, "monitors")}
    status = 200
    try:
        context["rows"] = [(row, _TONES.get(row.state, "")) for row in watching.monitors(request.actor)]
    except Unavailable as error:
        context["unavailable"], status = error, error.status
    return render(request, "web/issues/monitors.html", context, status=status)
