"""Schedules: runs that begin by themselves, when they do next, and what became of each time."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.etags import required_version, tag
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.routers.runs import RunRow, one_row
from quarterdeck.api.shapes import Body, Json, Line, moment
from quarterdeck.jobs.schedules import actions, queries
from quarterdeck.jobs.schedules.definitions import read
from quarterdeck.jobs.schedules.models import Firing, Schedule

router = Router()


class FiringRow(TypedDict):
    """A time at which a schedule was due. `outcome` is started, waiting, skipped, missed or failed; `run_state` is how
    the run stands that was started."""

    id: int
    due_at: str | None
    at: str | None
    outcome: str
    is_by_hand: bool
    run: int | None
    run_state: str | None
    error: str


class ScheduleRow(TypedDict):
    """A schedule. `when` is its cron expression, period or time; it runs with the rights of its owner."""

    name: str
    template: str
    when: str
    time_zone: str
    is_enabled: bool
    next_run_at: str | None
    owner: str
    version: int
    last: FiringRow | None


class ScheduleRead(ScheduleRow):
    plan: dict[str, Any]
    upcoming: list[str]


class SchedulePage(Schema):
    items: list[ScheduleRow]
    next: str | None


class FiringPage(Schema):
    items: list[FiringRow]
    next: str | None


class ScheduleValues(Body):
    """What runs and when; who saves it becomes the owner, with whose rights it runs.

    `plan` has `template` and `values`, or `runner`, `work` and `options`; `query`, `reason`; one of `cron`, `every`
    ("15m") and `at` ("2026-12-24T18:00"); `time_zone`; `not_on` (["2026-12-24", "sat,sun", "mon-fri 08:00-18:00"]);
    `missed` (skip or run); `overlap` (skip, queue or allow).
    """

    plan: dict[str, Json]
    is_enabled: bool | None = None


def _firing(firing: Firing) -> FiringRow:
    return {
        "id": firing.pk,
        "due_at": moment(firing.due_at),
        "at": moment(firing.at),
        "outcome": firing.outcome,
        "is_by_hand": firing.is_by_hand,
        "run": firing.run_id,
        "run_state": firing.run.state if firing.run else None,
        "error": firing.error,
    }


def _row(schedule: Schedule, last: Firing | None) -> ScheduleRow:
    plan = read(schedule.plan)
    return {
        "name": schedule.name,
        "template": schedule.template,
        "when": plan.cron or plan.every or plan.at,
        "time_zone": plan.time_zone,
        "is_enabled": schedule.is_enabled,
        "next_run_at": moment(schedule.next_run_at),
        "owner": schedule.owner,
        "version": schedule.version,
        "last": _firing(last) if last else None,
    }


def _read(request: HttpRequest, schedule: Schedule, response: HttpResponse) -> ScheduleRead:
    response["ETag"] = tag(schedule.version)
    upcoming = [moment(at) or "" for at in queries.upcoming(schedule)]
    last = queries.last_firings([schedule]).get(schedule.pk)
    return {**_row(schedule, last), "plan": queries.plan_of(identify(request), schedule), "upcoming": upcoming}


@router.get("/schedules", response=SchedulePage)
def list_(request: HttpRequest, response: HttpResponse, limit: Limit = 100, after: After = "") -> dict[str, Any]:
    """List the schedules, the oldest first, each with what became of its last time."""
    rows, cursor = by_id(queries.schedules(identify(request)), after, limit)
    last = queries.last_firings(rows)
    return page(request, response, [_row(row, last.get(row.pk)) for row in rows], cursor)


@router.get("/schedules/{slug:slug}", response=ScheduleRead)
def read_(request: HttpRequest, response: HttpResponse, slug: Line) -> ScheduleRead:
    """Read one schedule with its plan and its next five times; the ETag is its version."""
    return _read(request, queries.schedule_of(identify(request), slug), response)


@router.put("/schedules/{slug:slug}", response=ScheduleRead)
def put(request: HttpRequest, response: HttpResponse, slug: Line, body: ScheduleValues) -> ScheduleRead:
    """Make a schedule, or change it. With If-Match only when it still is the version that was read."""
    actor, version = identify(request), required_version(request)
    saved = actions.save_schedule(actor, slug, body.plan, is_enabled=body.is_enabled, version=version)
    return _read(request, saved, response)


@router.delete("/schedules/{slug:slug}", response={204: None})
def delete(request: HttpRequest, slug: Line) -> Status[None]:
    """Delete a schedule with its history; its runs stay."""
    actions.delete_schedule(identify(request), slug)
    return Status(204, None)


@router.post("/schedules/{slug:slug}/enable", response=ScheduleRead)
def enable(request: HttpRequest, response: HttpResponse, slug: Line) -> ScheduleRead:
    """Switch a schedule on: it is due from now on."""
    return _read(request, actions.switch_schedule(identify(request), slug, is_enabled=True), response)


@router.post("/schedules/{slug:slug}/disable", response=ScheduleRead)
def disable(request: HttpRequest, response: HttpResponse, slug: Line) -> ScheduleRead:
    """Switch a schedule off; runs that have begun go on."""
    return _read(request, actions.switch_schedule(identify(request), slug, is_enabled=False), response)


@router.post("/schedules/{slug:slug}/run", response={202: RunRow})
def run(request: HttpRequest, slug: Line) -> Status[RunRow]:
    """Start now what a schedule prepares, with the rights of whoever asks."""
    return Status(202, one_row(actions.run_schedule(identify(request), slug)))


@router.get("/schedules/{slug:slug}/history", response=FiringPage)
def history(
    request: HttpRequest, response: HttpResponse, slug: Line, limit: Limit = 100, after: After = ""
) -> dict[str, Any]:
    """List the times at which a schedule was due, newest first, and what became of each."""
    schedule = queries.schedule_of(identify(request), slug)
    rows, cursor = by_id(queries.firings(schedule), after, limit, newest_first=True)
    return page(request, response, [_firing(row) for row in rows], cursor)
