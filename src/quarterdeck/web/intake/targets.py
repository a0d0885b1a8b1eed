"""The page of scrape targets."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import visible
from quarterdeck.core.errors import Unavailable
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry.scrape_status import ScrapeStatus, scrape_status
from quarterdeck.web.pages import PageRequest, page


@require_GET
@page("telemetry.intake")
def listing(request: PageRequest) -> HttpResponse:
    """Every target with its last scrape; what is down comes first."""
    context: dict[str, object] = {"interval_seconds": settings.QD["scrape_interval_seconds"]}
    try:
        status = scrape_status(request.actor)
        context |= {
            "status": status,
            "targets": sorted(status.targets, key=lambda one: one.is_up or one.scraped_at is None),
            "names": _names(request, status),
        }
    except Unavailable as error:
        context["error"] = error
    return render(request, "web/intake/targets.html", context)


def _names(request: PageRequest, status: ScrapeStatus) -> dict[int, str]:
    """Return the names of the items that targets belong to, of those that the person may see."""
    ids = {one.item for one in status.targets if one.item is not None}
    rows = visible(request.actor, "inventory.view", Item.objects.filter(pk__in=ids))
    return dict(rows.values_list("pk", "name"))
