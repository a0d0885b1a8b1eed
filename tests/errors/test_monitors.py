"""Scheduled jobs: when they are due, and what is said of those that miss, fail or do not end."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.errors.making import PROJECT, ago
from tests.receivers.sentry.requests import envelope, take
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.audit.actor import Actor
from quarterdeck.errors.models import Monitor
from quarterdeck.errors.schedules import schedule_of
from quarterdeck.errors.watching import Run, monitors, state_of, watch
from quarterdeck.telemetry import loading
from quarterdeck.telemetry.loading import Origin

AT = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)  # a Thursday


def _config(value: Any, kind: str = "crontab", **more: Any) -> str:
    unit = {"unit": more.pop("unit")} if "unit" in more else {}
    return orjson.dumps({"schedule": {"type": kind, "value": value, **unit}, **more}).decode()


@pytest.mark.parametrize(
    ("value", "due"),
    [
        ("*/15 * * * *", "2026-11-26T12:45"),
        ("0 3 * * *", "2026-11-27T03:00"),
        ("30 12 * * *", "2026-11-27T12:30"),
        ("0 0 * * 7", "2026-11-29T00:00"),
        ("0 0 * * mon-fri", "2026-11-27T00:00"),
        ("0 0 13 * 5", "2026-11-27T00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("@monthly", "2026-12-01T00:00"),
        ("@hourly", "2026-11-26T13:00"),
    ],
)
def test_cron_says_when(value: str, due: str) -> None:
    schedule = schedule_of(_config(value))
    assert schedule
    found = schedule.due_after(AT)
    assert found
    assert found.isoformat()[:16] == due


def test_zones_and_intervals() -> None:
    berlin = schedule_of(_config("0 3 * * *", timezone="Europe/Berlin"))
    assert berlin
    assert berlin.due_after(AT) == datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
    every = schedule_of(_config(2, "interval", unit="hour"))
    assert every
    assert every.due_after(AT) == AT + timedelta(hours=2)


@pytest.mark.parametrize(
    "config",
    ["", "[]", "{}", _config("* * *"), _config("61 * * * *"), _config("a b c d e"), _config(0, "interval", unit="hour"),
     _config(2, "interval", unit="blink"), _config(None), _config("0 0 31 2 *"), '{"schedule": "daily"}'],
)  # fmt: skip
def test_what_is_no_schedule_is_none(config: str) -> None:
    assert schedule_of(config) is None


@settings(max_examples=150, deadline=None)
@given(value=st.text("0123456789*/,-@ a", max_size=30), zone=st.text(max_size=10))
def test_any_text_is_taken(value: str, zone: str) -> None:
    schedule = schedule_of(_config(value, timezone=zone))
    if schedule and (due := schedule.due_after(AT)):
        assert due > AT


@pytest.mark.parametrize(
    ("run", "minutes", "state"),
    [
        (Run("ok", AT, 1.0, ""), 10, "ok"),
        (Run("error", AT, 1.0, ""), 10, "error"),
        (Run("ok", AT, 1.0, ""), 59, "ok"),
        (Run("ok", AT, 1.0, ""), 66, "missed"),
        (Run("in_progress", AT, 0.0, ""), 10, "running"),
        (Run("in_progress", AT, 0.0, ""), 40, "timeout"),
        (None, 10, "waiting"),
        (None, 66, "missed"),
    ],
)
def test_states(run: Run | None, minutes: int, state: str) -> None:
    schedule = schedule_of(_config(1, "interval", unit="hour", checkin_margin=5, max_runtime=30))
    assert state_of(schedule, run, AT, AT + timedelta(minutes=minutes))[0] == state


def _send(**check_in: Any) -> None:
    sent = {"check_in_id": uuid4().hex, "environment": "prod", "status": "ok", **check_in}
    taken = take(envelope(("check_in", sent)), project=str(PROJECT))
    frames = [frame for frame in taken.frames if frame.stream == "sentry.check_ins"]
    loading.load(frames, Origin("sentry", 0, time.time_ns() // 1_000_000, {"service": "shop"}), f"{time.time_ns()}")


@pytest.mark.slow
@pytest.mark.django_db
def test_a_missed_run_is_seen(errors: Engine, owner: Actor, teammate: Actor, owner_user: User) -> None:
    config = {"schedule": {"type": "interval", "value": 10, "unit": "minute"}}
    _send(monitor_slug="nightly", monitor_config=config, timestamp=ago(minutes=30).timestamp())
    _send(monitor_slug="hourly", timestamp=ago(minutes=30).timestamp(), duration=2.5)
    assert watch() == 2
    assert watch() == 0
    assert [(row.slug, row.state) for row in monitors(owner)] == [("nightly", "missed"), ("hourly", "ok")]
    assert monitors(teammate) == []
    browser = signed_in(owner_user)
    page = browser.get("/errors/monitors").content.decode()
    assert "nightly" in page
    assert "Missed" in page
    assert browser.get("/api/v1/errors/monitors").json()["items"][0]["schedule"] == "10 minute"
    _send(monitor_slug="nightly", timestamp=ago(minutes=1).timestamp())
    assert watch() == 1
    assert Monitor.objects.get(slug="nightly").state == "ok"
