"""When a scheduled job has to report next, from the schedule that its SDK told.

    {"schedule": {"type": "crontab", "value": "0 3 * * *"}, "timezone": "Europe/Berlin", "checkin_margin": 5, "max_runtime": 30}
    {"schedule": {"type": "interval", "value": 2, "unit": "hour"}}

Margin and run time are in minutes. See https://develop.sentry.dev/sdk/telemetry/check-ins/
"""  # noqa: E501 - a schedule on one line

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from celery.schedules import ParseException, crontab

MARGIN_MINUTES, RUNTIME_MINUTES = 1, 30
_MINUTES_MAX = 40_320
_DAYS_MAX = 366 * 4
_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_UNITS = {"minute": 1, "hour": 60, "day": 1440, "week": 10_080, "month": 43_200, "year": 525_600}


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job's schedule; either `cron` or `every_minutes` is set. Both limits are in minutes."""

    cron: crontab | None
    every_minutes: int
    zone: tzinfo
    margin_minutes: int
    runtime_minutes: int
    text: str

    def due_after(self, at: datetime) -> datetime | None:
        """Return when the job is to run next after `at`, None for a schedule that has no next time."""
        if self.cron is None:
            return at + timedelta(minutes=self.every_minutes)
        local = at.astimezone(self.zone)
        for days in range(_DAYS_MAX):
            day = local.date() + timedelta(days=days)
            if _runs_on(self.cron, day):
                for hour in sorted(self.cron.hour):
                    for minute in sorted(self.cron.minute):
                        due = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone).astimezone(UTC)
                        if due > at:
                            return due
        return None


def _runs_on(cron: crontab, day: date) -> bool:
    """As cron does: where both a day of the month and one of the week are given, either will do."""
    of_month, of_week = day.day in cron.day_of_month, day.isoweekday() % 7 in cron.day_of_week
    either = len(cron.day_of_month) < 31 and len(cron.day_of_week) < 7
    return day.month in cron.month_of_year and ((of_month or of_week) if either else (of_month and of_week))


def schedule_of(config: str) -> Schedule | None:
    """Return the schedule of a monitor's JSON, None where it tells none that can be followed."""
    try:
        found = orjson.loads(config)
    except orjson.JSONDecodeError:
        return None
    told = found.get("schedule") if isinstance(found, dict) else None
    if not isinstance(told, dict):
        return None
    cron, minutes, text = _cron_of(told), _interval_of(told), ""
    if cron is None and not minutes:
        return None
    text = str(told.get("value", "")) if cron else f"{told.get('value')} {told.get('unit')}"
    return Schedule(
        cron, minutes, _zone(found), _minutes(found, "checkin_margin", MARGIN_MINUTES),
        _minutes(found, "max_runtime", RUNTIME_MINUTES), text[:100],
    )  # fmt: skip


def _cron_of(told: Mapping[str, Any]) -> crontab | None:
    value = told.get("value")
    if told.get("type") != "crontab" or not isinstance(value, str) or len(value) > 200:
        return None
    fields = _NAMED.get(value.strip(), value).split()
    if len(fields) != 5:
        return None
    minute, hour, day, month, weekday = fields
    try:
        # 7 is Sunday as well, which Celery does not know.
        return crontab(minute, hour, re.sub(r"\b7\b", "0", weekday), day, month)
    except (ParseException, ValueError, TypeError):
        return None


def _interval_of(told: Mapping[str, Any]) -> int:
    value, unit = told.get("value"), told.get("unit")
    if told.get("type") != "interval" or not isinstance(value, int) or not 0 < value < 100_000:
        return 0
    return value * _UNITS.get(str(unit), 0)


def _zone(found: Mapping[str, Any]) -> tzinfo:
    name = found.get("timezone")
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else UTC
    except (ValueError, OSError, KeyError):
        return UTC


def _minutes(found: Mapping[str, Any], name: str, default: int) -> int:
    value = found.get(name)
    return min(value, _MINUTES_MAX) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default
