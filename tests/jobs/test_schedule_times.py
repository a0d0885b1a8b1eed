"""When a schedule is due: cron in nights when clocks change, periods, once, and what a calendar excludes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.schedules.definitions import read
from quarterdeck.jobs.schedules.times import rhythm_of

NO_DAYS = (
    "",
    "someday",
    "2026-02-30",
    "2026-12-24/2026-12-20",
    "sat 18:00-08:00",
    "25:00-26:00",
    "sat,",
    "12",
    "2027-01-01/9999-12-31",
    "1999-12-31/2026-12-24",
)
ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)


def due(after: str, count: int = 3, zone: str = "Europe/Berlin", **plan: Any) -> list[str]:
    """Return the next times as "29 03:00+02": their day, hour and offset on the clock of the zone."""
    rhythm = rhythm_of(read({"time_zone": zone, **plan}), ANCHOR)
    start = datetime.fromisoformat(after)
    start = start if start.tzinfo else start.replace(tzinfo=ZoneInfo(zone))
    found = rhythm.upcoming(start.astimezone(UTC), count)
    assert all(at.tzinfo is UTC for at in found)
    return [at.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")[8:19].replace("T", " ") for at in found]


def test_an_hour_that_does_not_exist_begins_right_after_it() -> None:
    assert due("2026-03-28T12:00", cron="30 2 * * *") == ["29 03:00+02", "30 02:30+02", "31 02:30+02"]
    assert due("2026-03-29T01:30", cron="*/30 * * * *") == ["29 03:00+02", "29 03:30+02", "29 04:00+02"]


def test_an_hour_that_comes_twice_begins_once_for_a_job_of_that_hour() -> None:
    assert due("2026-10-24T12:00", cron="30 2 * * *") == ["25 02:30+02", "26 02:30+01", "27 02:30+01"]
    # Between the two it has been done already.
    assert due("2026-10-25T02:40+02:00", 1, cron="30 2 * * *") == ["26 02:30+01"]


def test_a_job_of_every_hour_begins_at_each() -> None:
    wanted = ["25 01:30+02", "25 02:30+02", "25 02:30+01", "25 03:30+01"]
    assert due("2026-10-25T01:00", 4, cron="30 * * * *") == wanted


def test_zones_without_changes_and_with_half_hours() -> None:
    assert due("2026-03-28T12:00", 2, "Asia/Shanghai", cron="30 2 * * *") == ["29 02:30+08", "30 02:30+08"]
    # Lord Howe moves by half an hour.
    assert due("2026-10-04T01:00", 2, "Australia/Lord_Howe", cron="15 2 * * *") == ["04 02:30+11", "05 02:15+11"]


def test_periods_do_not_follow_the_clock() -> None:
    found = due("2026-03-29T00:10", 3, every="1h")
    assert found == ["29 01:00+01", "29 03:00+02", "29 04:00+02"]
    assert due("2026-03-29T00:00+00:00", 2, zone="UTC", every="90m") == ["29 01:30+00", "29 03:00+00"]
    # The first is a period after it was made.
    assert due("2025-12-31T00:00", 1, zone="UTC", every="1d") == ["02 00:00+00"]


def test_once_is_once() -> None:
    assert due("2026-12-24T12:00", at="2026-12-24T18:00") == ["24 18:00+01"]
    assert due("2026-12-24T18:00", at="2026-12-24T18:00") == []
    assert due("2026-10-24T12:00", at="2026-10-25T02:30") == ["25 02:30+02"], "the first of two"
    assert due("2026-12-24T12:00", at="2026-12-24T18:00Z") == ["24 19:00+01"]


def test_days_are_left_out() -> None:
    assert due("2026-12-23T12:00", cron="0 3 * * *", not_on=["2026-12-24", "2026-12-26/2027-01-02"]) == [
        "25 03:00+01", "03 03:00+01", "04 03:00+01",
    ]  # fmt: skip
    # The 2nd of January 2026 is a Friday.
    assert due("2026-01-02T12:00", 2, cron="0 3 * * *", not_on=["sat,sun"]) == ["05 03:00+01", "06 03:00+01"]
    assert due("2026-01-02T12:00", 2, cron="0 3 * * *", not_on=["fri-mon"]) == ["06 03:00+01", "07 03:00+01"]
    assert due("2026-01-02T12:00", 1, at="2026-01-03T12:00", not_on=["sat"]) == []


def test_hours_are_left_out() -> None:
    hours = ["mon-fri 08:00-18:00"]
    assert due("2026-01-05T06:30", cron="0 * * * *", not_on=hours) == ["05 07:00+01", "05 18:00+01", "05 19:00+01"]
    assert due("2026-01-05T07:30", 2, every="15m", not_on=hours) == ["05 07:45+01", "05 18:00+01"]
    assert due("2026-01-05T07:30", 2, cron="0 9 * * *", not_on=["08:00-18:00", "sat"]) == []
    night = ["fri 22:00-24:00", "sat"]
    assert due("2026-01-02T21:30", 2, cron="0 * * * *", not_on=night) == ["04 00:00+01", "04 01:00+01"]


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ({}, "cron"),
        ({"cron": "0 3 * * *", "every": "1h"}, "every"),
        ({"cron": "0 3 * *"}, "cron"),
        ({"cron": "0 0 3 * * *"}, "cron"),
        ({"cron": "61 3 * * *"}, "cron"),
        ({"cron": "@daily"}, "cron"),
        ({"every": "1s"}, "every"),
        ({"every": "400d"}, "every"),
        ({"every": "soon"}, "every"),
        ({"every": "nan"}, "every"),
        ({"at": "tomorrow"}, "at"),
        ({"at": "2026-03-29T02:30"}, "at"),
        ({"at": "0001-01-01T00:00", "time_zone": "Asia/Shanghai"}, "at"),
        ({"at": "9999-12-31T23:59", "time_zone": "America/New_York"}, "at"),
        ({"cron": "0 3 * * *", "time_zone": "Berlin"}, "time_zone"),
        ({"cron": "0 3 * * *", "time_zone": "../etc/passwd"}, "time_zone"),
        *(({"cron": "0 3 * * *", "not_on": [text]}, "not_on") for text in NO_DAYS),
    ],
)
def test_it_refuses_what_is_no_time(plan: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as error:
        rhythm_of(read({"time_zone": "Europe/Berlin", **plan}), ANCHOR)
    assert error.value.field == field


def test_hours_that_are_left_out_end_where_the_clock_leaps_over_their_end() -> None:
    found = due("2027-03-27T23:30", 3, cron="*/10 * * * *", not_on=["00:00-02:30"])
    assert found == ["27 23:40+01", "27 23:50+01", "28 03:00+02"]
    # Of two 02:30 it is the first, and what comes once more is left out once more.
    found = due("2026-10-25T00:00", 5, cron="*/10 * * * *", not_on=["00:00-02:30"])
    assert found == ["25 02:30+02", "25 02:40+02", "25 02:50+02", "25 02:30+01", "25 02:40+01"]


def test_a_search_beyond_the_last_year_finds_nothing() -> None:
    assert due("2026-01-01T00:00", cron="0 0 29 2 *", not_on=["mon-sun"]) == []
