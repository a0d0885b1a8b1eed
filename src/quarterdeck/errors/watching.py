"""Scheduled jobs that report by check-ins: what became of the last run, and whether the next one is late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.errors.models import Monitor
from quarterdeck.errors.schedules import Schedule, schedule_of
from quarterdeck.errors.scope import events_of
from quarterdeck.errors.sql import ask
from quarterdeck.telemetry import client
from quarterdeck.telemetry.conditions import EVERYTHING, Names
from quarterdeck.telemetry.turns import fairly

_DAYS = 40
_OPTIONS = {"max_execution_time": 30}
_MONITORS = """
    SELECT project, monitor, environment, anyLast(config), min(first_seen) FROM check_in_monitors
    GROUP BY project, monitor, environment"""
_LAST = f"""
    SELECT project, monitor, environment, argMax(status, ts), max(ts), argMax(duration_s, ts), argMax(service, ts)
    FROM check_ins FINAL WHERE ts >= now() - INTERVAL {_DAYS} DAY GROUP BY project, monitor, environment"""
_SEEN = "SELECT DISTINCT project, monitor, environment FROM check_ins WHERE {where}"
Key = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """The last report of a job. `status` is in_progress, ok or error."""

    status: str
    at: datetime
    duration_s: float
    service: str


def state_of(schedule: Schedule | None, run: Run | None, since: datetime, at: datetime) -> tuple[str, datetime | None]:
    """Return a job's state at `at`, and when it is due next. `since` is when it was first heard of."""
    due = schedule.due_after(run.at if run else since) if schedule else None
    if schedule and due and at > due + timedelta(minutes=schedule.margin_minutes):
        return Monitor.State.MISSED, due
    if run is None:
        return Monitor.State.WAITING, due
    limit = timedelta(minutes=schedule.runtime_minutes if schedule else 24 * 60)
    if run.status == "in_progress":
        return (Monitor.State.TIMEOUT if at > run.at + limit else Monitor.State.RUNNING), due
    return (Monitor.State.ERROR if run.status == "error" else Monitor.State.OK), due


def watch() -> int:
    """Bring every job's state up to date; return how many changed."""
    at = now()
    runs = {
        (project, monitor, environment): Run(*rest)
        for project, monitor, environment, *rest in client.query(_LAST, options=_OPTIONS)
    }
    told: dict[Key, tuple[str, datetime]] = {
        (project, monitor, environment): (config, first)
        for project, monitor, environment, config, first in client.query(_MONITORS, options=_OPTIONS)
    }
    changed = 0
    for key in {*told, *runs}:
        config, first = told.get(key, ("", at))
        changed += _write(key, config, runs.get(key), first, at)
    return changed


def _write(key: Key, config: str, run: Run | None, first: datetime, at: datetime) -> bool:
    schedule = schedule_of(config)
    state, due = state_of(schedule, run, first, at)
    project, slug, environment = key
    known = {"project": project, "slug": slug[:255], "environment": environment[:255]}
    values = {"schedule": schedule.text if schedule else "", "next_due": due, **_last(run)}
    row, is_made = Monitor.objects.get_or_create(**known, defaults={**values, "state": state, "state_since": at})
    if is_made:
        return True
    Monitor.objects.filter(pk=row.pk).update(**values)
    # Whoever of two watchers comes first notes the change.
    return bool(Monitor.objects.filter(pk=row.pk).exclude(state=state).update(state=state, state_since=at))


def _last(run: Run | None) -> dict[str, object]:
    if run is None:
        return {}
    return {
        "last_at": run.at,
        "last_status": run.status,
        "last_duration_s": run.duration_s,
        "service": run.service[:255],
    }


@fairly
def monitors(actor: Actor) -> list[Monitor]:
    """Return the jobs whose runs the actor may see, those with trouble first. Raises Denied."""
    names = Names()
    scope = events_of(actor, names)
    rows = list(Monitor.objects.all())
    if scope != EVERYTHING:
        seen = set(ask(_SEEN, scope))
        rows = [row for row in rows if (row.project, row.slug, row.environment) in seen]
    return sorted(rows, key=lambda row: (not row.is_trouble, row.slug, row.environment))
