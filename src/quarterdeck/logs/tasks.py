"""Doors for the schedule."""

from __future__ import annotations

from celery import shared_task

from quarterdeck.logs import measuring

SCHEDULES = {"metrics of log lines": ("logs.measure", 60)}


@shared_task(name="logs.measure", ignore_result=True)  # type: ignore[untyped-decorator]
def measure() -> None:
    """Count the minutes that are over. See `measuring.measure`."""
    measuring.measure()
