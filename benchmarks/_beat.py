"""Celery's own beat with many entries, for `benchmarks.schedules`: `celery -A benchmarks._beat beat`.

BENCH_WAITING entries are due at other times of the day, BENCH_DUE at each minute; the task notes when it began.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from celery.schedules import crontab
from tests.lab.queue_app import app

WAITING, DUE = int(os.environ.get("BENCH_WAITING", "0")), int(os.environ.get("BENCH_DUE", "0"))


@app.task(name="bench.note")  # type: ignore[untyped-decorator]
def note(directory: str, name: str) -> None:
    """Add the time to the file `name`."""
    with (Path(directory) / name).open("a") as file:
        file.write(f"{time.time()!r}\n")


def far(number: int, hour: int) -> tuple[int, int]:
    """Return minute and hour of a time that is at least an hour away."""
    return number % 60, (hour + 2 + number % 21) % 24


if os.environ.get("BENCH_PLAIN"):
    now = time.gmtime()
    out = os.environ["BENCH_OUT"]
    entries = {}
    for number in range(WAITING):
        minute, hour = far(number, now.tm_hour)
        when = crontab(minute=str(minute), hour=str(hour))
        entries[f"wait{number}"] = {"task": "bench.note", "schedule": when, "args": (out, f"wait{number}")}
    for number in range(DUE):
        entries[f"due{number}"] = {"task": "bench.note", "schedule": crontab(), "args": (out, f"due{number}")}
    app.conf.beat_schedule = entries
    app.conf.beat_scheduler = "celery.beat:PersistentScheduler"
