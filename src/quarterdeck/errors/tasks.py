"""Doors for the schedule."""

from __future__ import annotations

from celery import shared_task

from quarterdeck.errors import digesting, watching

SCHEDULES = {"errors.digest": ("errors.digest", 5), "errors.watch": ("errors.watch", 30)}


@shared_task(name="errors.digest", ignore_result=True)  # type: ignore[untyped-decorator]
def digest() -> None:
    """Bring issues up to date with their events. See `digesting.digest`."""
    digesting.digest()


@shared_task(name="errors.watch", ignore_result=True)  # type: ignore[untyped-decorator]
def watch() -> None:
    """See which scheduled jobs are late. See `watching.watch`."""
    watching.watch()
