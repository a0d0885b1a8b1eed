"""The page of issues: what a query selects in the page's time, with its trend."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import may
from quarterdeck.core.errors import BadInput, BadQuery, OpsError, TooMany, Unavailable
from quarterdeck.errors import events, queries
from quarterdeck.errors.artifacts.actions import UPLOAD
from quarterdeck.errors.events import Counts
from quarterdeck.errors.models import Issue
from quarterdeck.errors.owner_actions import OWNERS
from quarterdeck.errors.queries import Window
from quarterdeck.errors.rule_actions import RULES
from quarterdeck.errors.scope import EDIT
from quarterdeck.telemetry.loading import receivers
from quarterdeck.web.intake.protocols import setups
from quarterdeck.web.issues.drawing import trend_of
from quarterdeck.web.issues.titles import state_title, state_tone
from quarterdeck.web.items.listing import marked
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.viewing import range_of, selector_of

PAGE_ROWS = 50
BARS = 24
USUAL_QUERY = "is:unresolved"
_MAX_QUERY = 20_000


@require_GET
@page("telemetry.query")
def issues(request: PageRequest) -> HttpResponse:
    """The issues of `?q=` that were seen in the page's time range, unresolved ones when nothing is asked for."""
    query = request.GET.get("q", USUAL_QUERY)[:_MAX_QUERY]
    context: dict[str, Any] = {
        "query": query,
        "sort": request.GET.get("sort", ""),
        "tabs": tabs_of(request, "issues"),
        "filters": _filters(query),
        "may_edit": may(request.actor, EDIT),
        "people": queries.people() if may(request.actor, EDIT) else [],
    }
    status = 200
    try:
        context |= _found(request, query)
    except (BadInput, Unavailable, TooMany) as error:
        context |= wrong(error, query)
        status = error.status
    return render(request, "web/issues/list.html", context, status=status)


def wrong(error: OpsError, query: str) -> dict[str, Any]:
    if isinstance(error, BadQuery):
        return {"query_error": error, "marked": marked(query, error)}
    return {"unavailable": error}


def tabs_of(request: PageRequest, current: str) -> list[dict[str, Any]]:
    """Return the tabs of the pages of errors."""
    titles = {"issues": _("Issues"), "releases": _("Releases"), "monitors": _("Scheduled jobs")}
    if may(request.actor, RULES):
        titles["rules"] = _("Grouping")
    if may(request.actor, OWNERS):
        titles["owners"] = _("Owners")
    if may(request.actor, UPLOAD):
        titles["source_maps"] = _("Source maps")
    addresses = {
        "issues": "web:issues",
        "releases": "web:releases",
        "monitors": "web:monitors",
        "rules": "web:issue_rules",
        "owners": "web:issue_owners",
        "source_maps": "web:source_maps",
    }
    return [
        {"title": title, "url": reverse(addresses[name]), "current": name == current} for name, title in titles.items()
    ]


def _filters(query: str) -> list[dict[str, Any]]:
    """Return the usual queries."""
    titles = {
        USUAL_QUERY: _("Unresolved"),
        "is:regressed": _("Regressed"),
        "is:unresolved assignee:me": _("Assigned to me"),
        "is:unresolved is:performance": _("Performance"),
        "is:ignored": _("Ignored"),
        "is:resolved": _("Resolved"),
        "": _("All"),
    }
    address = reverse("web:issues")
    return [
        {"title": title, "url": f"{address}?{urlencode({'q': wanted})}", "current": wanted == query.strip()}
        for wanted, title in titles.items()
    ]


def _found(request: PageRequest, query: str) -> dict[str, Any]:
    window = queries.last(range_of(request).seconds)
    sort = request.GET.get("sort", "")
    selected = queries.issues(request.actor, query, window, selector=selector_of(request), sort=sort)
    rows, cursor = queries.page(selected, request.GET.get("after", ""), PAGE_ROWS)
    counted = events.counts(request.actor, [row.pk for row in rows], window, bars=BARS)
    context = {"rows": [_row(issue, counted.get(issue.pk, Counts()), window) for issue in rows], "next_cursor": cursor}
    if not rows:
        context |= _nothing(request)
    return context


def _row(issue: Issue, counts: Counts, window: Window) -> dict[str, Any]:
    return {
        "issue": issue,
        "counts": counts,
        "trend": trend_of(counts.bars),
        "state": state_title(issue),
        "tone": state_tone(issue),
        "is_new": issue.first_seen >= window.since,
    }


def _nothing(request: PageRequest) -> dict[str, Any]:
    """Say whether there is any issue at all; where there is none, how to send the first event."""
    try:
        is_empty = not queries.issues(request.actor).exists()
    except OpsError:
        is_empty = False
    if not is_empty or not may(request.actor, "telemetry.intake"):
        return {"is_empty": is_empty}
    sentry = receivers()["sentry"]
    return {
        "is_empty": True,
        "setups": setups(sentry, request, 1)[:2],
        "connect_url": reverse("web:intake_connect", args=["sentry"]),
    }
