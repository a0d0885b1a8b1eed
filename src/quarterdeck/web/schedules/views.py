"""Pages of schedules: when each is due next, and what became of its last time."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import may
from quarterdeck.jobs.schedules import queries
from quarterdeck.jobs.schedules.actions import VERB
from quarterdeck.jobs.schedules.definitions import MISSED, OVERLAP, Plan, read
from quarterdeck.jobs.schedules.models import Firing, Schedule
from quarterdeck.jobs.templates.rendering import text_of
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.paging import newest_first

_ROWS = 100


@require_GET
@page("jobs.view")
def listing(request: PageRequest) -> HttpResponse:
    found = queries.schedules(request.actor)
    after = request.GET.get("after", "")
    rows = list(found.filter(name__gt=after)[: _ROWS + 1])
    shown, cursor = rows[:_ROWS], rows[_ROWS - 1].name if len(rows) > _ROWS else ""
    last = queries.last_firings(shown)
    context = {
        "rows": [row_of(one, last.get(one.pk)) for one in shown],
        "next_cursor": cursor,
        "is_empty": not rows and not after,
        "may_change": _may_change(request),
    }
    return render(request, "web/schedules/list.html", context)


def _may_change(request: PageRequest) -> bool:
    return may(request.actor, VERB) and may(request.actor, "jobs.run")


def row_of(schedule: Schedule, last: Firing | None) -> dict[str, Any]:
    plan = read(schedule.plan)
    return {"schedule": schedule, "plan": plan, "what": _what(plan), "when": when_of(plan), "last": last}


def _what(plan: Plan) -> str:
    if plan.template:
        return plan.template
    return str(plan.work.get("command") or plan.work.get("operation") or plan.runner)


def when_of(plan: Plan) -> str:
    """Return the cron expression, the period or the time, as it was written."""
    return plan.cron or plan.every or plan.at


@require_GET
@page("jobs.view")
def schedule(request: PageRequest, name: str) -> HttpResponse:
    found = queries.schedule_of(request.actor, name)
    rows, cursor = newest_first(queries.firings(found), request.GET.get("after", ""))
    plan = read(found.plan)
    context = {
        **row_of(found, None),
        "upcoming": local_times(queries.upcoming(found), plan.time_zone),
        "firings": rows,
        "next_cursor": cursor,
        "missed": MISSED[plan.missed],
        "overlap": OVERLAP[plan.overlap],
        "values": {key: text_of(value, ", ") for key, value in plan.values.items()},
        "may_change": _may_change(request),
        "may_run": may(request.actor, "jobs.run"),
    }
    return render(request, "web/schedules/schedule.html", context)


def local_times(times: list[Any], zone: str) -> list[tuple[Any, str]]:
    """Return each time with how the clock of its zone tells it."""
    return [(at, f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S %Z}") for at in times]
