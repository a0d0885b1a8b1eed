"""What schedules there are, when they are due, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import may, require
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import NotFound
from quarterdeck.core.names import did_you_mean
from quarterdeck.jobs.runs.actions import shown_around
from quarterdeck.jobs.schedules.definitions import read
from quarterdeck.jobs.schedules.models import Firing, Schedule
from quarterdeck.jobs.schedules.times import rhythm_of

VERB = "jobs.view"
SHOWN = 5


def schedules(actor: Actor) -> QuerySet[Schedule]:
    """Return all, by name. Raises Denied."""
    require(actor, VERB)
    return Schedule.objects.order_by("name")


def schedule_of(actor: Actor, name: str) -> Schedule:
    """Raises Denied, NotFound."""
    found = schedules(actor).filter(name=name).first()
    if found is None:
        near = did_you_mean(name, Schedule.objects.values_list("name", flat=True)[:1000])
        raise NotFound(_('there is no schedule "%(name)s"') % {"name": name[:60]}, hint=near or "qd schedules list")
    return found


def plan_of(actor: Actor, schedule: Schedule) -> dict[str, Any]:
    """Return the plan, whole for who may change it: others see of its variables the names."""
    return schedule.plan if may(actor, "jobs.schedules") else shown_around(schedule.plan)


def upcoming(schedule: Schedule, count: int = SHOWN) -> list[datetime]:
    """Return the next times at which a schedule is due, in UTC; none where it is switched off."""
    if schedule.next_run_at is None:
        return []
    rhythm = rhythm_of(read(schedule.plan), schedule.anchor_at)
    return [schedule.next_run_at, *rhythm.upcoming(max(schedule.next_run_at, now()), count - 1)]


def firings(schedule: Schedule) -> QuerySet[Firing]:
    """Return what became of a schedule, the newest first."""
    return Firing.objects.filter(schedule=schedule).select_related("run").order_by("-pk")


def last_firings(found: Sequence[Schedule]) -> dict[int, Firing]:
    """Return `{schedule's id: its newest firing}`."""
    newest = Firing.objects.filter(schedule__in=found).order_by().values("schedule").annotate(last=Max("pk"))
    rows = Firing.objects.filter(pk__in=[row["last"] for row in newest]).select_related("run")
    return {row.schedule_id: row for row in rows}
