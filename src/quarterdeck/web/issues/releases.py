"""Pages of releases: their health in the page's time, and what one of them brought."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.core.errors import BadInput, Unavailable
from quarterdeck.errors import commits, health, queries
from quarterdeck.errors.health import Health
from quarterdeck.web.issues.lists import tabs_of, wrong
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.viewing import range_of

ISSUES, COMMITS = 50, 100
_MAX_QUERY = 20_000
_HEIGHT = 40


@require_GET
@page("telemetry.query")
def releases(request: PageRequest) -> HttpResponse:
    """Releases with sessions or errors in the page's time range."""
    query = request.GET.get("q", "")[:_MAX_QUERY]
    context: dict[str, Any] = {"query": query, "tabs": tabs_of(request, "releases")}
    status = 200
    try:
        context["rows"] = health.releases(request.actor, query, queries.last(range_of(request).seconds))
    except (BadInput, Unavailable) as error:
        context |= wrong(error, query)
        status = error.status
    return render(request, "web/issues/releases.html", context, status=status)


@require_GET
@page("telemetry.query")
def release(request: PageRequest, pk: int) -> HttpResponse:
    """One release: its sessions in time, and the issues that began in it."""
    found = health.get_release(request.actor, pk, queries.last(range_of(request).seconds))
    query = f'first_release:"{found.version}" project:{found.project}'
    row = health.visible_release(request.actor, pk)
    context = {
        "release": found,
        "released_at": row.released_at,
        "commits": commits.commits_of(row)[:COMMITS],
        "figures": _figures(found),
        "trend": _trend(found),
        "issues": list(queries.issues(request.actor, query)[:ISSUES]),
        "query": query,
    }
    return render(request, "web/issues/release.html", context)


def _figures(found: Health) -> list[tuple[str, float | None, bool]]:
    """Return `(title, share, is_good)` of the shares."""
    shares = [
        (_("Sessions without a crash"), found.crash_free_sessions),
        (_("Users without a crash"), found.crash_free_users),
    ]
    return [(title, share, share is None or share >= 0.99) for title, share in shares]


def _trend(found: Health) -> list[tuple[int, int, int, int, int]]:
    """Return `(x, y, height, y_of_crashed, height_of_crashed)` of the sessions in time."""
    highest = max([sessions for sessions, _crashed in found.bars] + [1])
    rows = []
    for index, (sessions, crashed) in enumerate(found.bars):
        height, red = (max(1, round(_HEIGHT * n / highest)) if n else 0 for n in (sessions, crashed))
        rows.append((index * 4, _HEIGHT - height, height, _HEIGHT - red, red))
    return rows
