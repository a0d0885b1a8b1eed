"""Doors for the schedule."""

from __future__ import annotations

from celery import shared_task

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.monitoring import actions

SCHEDULES = {"monitoring.collect": ("monitoring.collect", "collect_interval_seconds")}


@shared_task(name="monitoring.collect", ignore_result=True)  # type: ignore[untyped-decorator]
def collect() -> None:
    """Measure this machine. See `actions.collect`."""
    actions.collect(SYSTEM.named("system:collect"))
