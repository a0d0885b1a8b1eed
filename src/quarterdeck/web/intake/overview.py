"""The intake at a glance: each protocol, where it listens, what came in and what waits."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import may
from quarterdeck.core.errors import Unavailable
from quarterdeck.telemetry.intake_status import IntakeStatus, intake_status
from quarterdeck.web.intake.protocols import Protocol, is_for_this_machine_only, protocols
from quarterdeck.web.pages import PageRequest, page


def status_or_error(request: PageRequest) -> tuple[IntakeStatus | None, Unavailable | None]:
    """Return the intake's state, or why it is not known: the pages still show how to connect."""
    try:
        return intake_status(request.actor), None
    except Unavailable as error:
        return None, error


@require_GET
@page("telemetry.intake")
def overview(request: PageRequest) -> HttpResponse:
    status, error = status_or_error(request)
    rows = protocols(status)
    context: dict[str, Any] = {
        "status": status,
        "error": error,
        "protocols": rows,
        "sums": _sums(rows),
        "is_local_only": is_for_this_machine_only(settings.QD["intake_http"]),
        "is_loopback_open": settings.QD["intake_loopback_open"],
        "may_keys": may(request.actor, "telemetry.keys"),
    }
    return render(request, "web/intake/overview.html", context)


def _sums(rows: list[Protocol]) -> dict[str, float]:
    counts = [row.counts for row in rows if row.counts]
    return {
        "accepted": sum(one.accepted for one in counts),
        "loaded": sum(one.loaded for one in counts),
        "waiting": sum(max(0, one.spooled - one.loaded - one.dead) for one in counts),
        "refused": sum(one.refused for one in counts),
        "dead": sum(one.dead for one in counts),
    }
