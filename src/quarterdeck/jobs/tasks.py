"""Doors for the queue and the schedule."""

from __future__ import annotations

from celery import shared_task

from quarterdeck.jobs.host_keys import alarming

SCHEDULES = {"jobs.watch_host_keys": ("jobs.watch_host_keys", 60)}


@shared_task(name="jobs.watch_host_keys", ignore_result=True)  # type: ignore[untyped-decorator]
def watch_host_keys() -> None:
    """Write the samples of changed host keys. See `alarming.watch`."""
    alarming.watch()
