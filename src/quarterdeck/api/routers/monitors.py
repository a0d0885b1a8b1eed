"""Scheduled jobs that report their runs to Sentry's check-ins: what became of the last one, which are late."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import moment
from quarterdeck.errors.models import Monitor
from quarterdeck.errors.watching import monitors

router = Router()


class MonitorRow(TypedDict):
    """A job. `state` is waiting, running, ok, error, missed or timeout; `next_due` null without a schedule."""

    project: int
    slug: str
    environment: str
    service: str
    schedule: str
    state: str
    state_since: str | None
    last_at: str | None
    last_status: str
    last_duration_s: float
    next_due: str | None


class MonitorPage(Schema):
    items: list[MonitorRow]
    next: str | None


def _row(row: Monitor) -> dict[str, Any]:
    times = {name: moment(getattr(row, name)) for name in ("state_since", "last_at", "next_due")}
    return {name: getattr(row, name) for name in MonitorRow.__annotations__ if name not in times} | times


@router.get("/errors/monitors", response=MonitorPage)
def list_(request: HttpRequest) -> dict[str, Any]:
    """List scheduled jobs, those with trouble first."""
    return {"items": [_row(row) for row in monitors(identify(request))], "next": None}
