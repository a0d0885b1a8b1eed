"""Doors for the schedule."""

from __future__ import annotations

from celery import shared_task

from quarterdeck.errors import digesting, performance, watching
from quarterdeck.errors.artifacts import keeping

SCHEDULES = {
    "errors.digest": ("errors.digest", 5),
    "errors.watch": ("errors.watch", 30),
    "errors.find_performance": ("errors.find_performance", 60),
    "errors.forget_uploads": ("errors.forget_uploads", 3600),
}


@shared_task(name="errors.digest", ignore_result=True)  # type: ignore[untyped-decorator]
def digest() -> None:
    """Bring issues up to date with their events. See `digesting.digest`."""
    digesting.digest()


@shared_task(name="errors.watch", ignore_result=True)  # type: ignore[untyped-decorator]
def watch() -> None:
    """See which scheduled jobs are late. See `watching.watch`."""
    watching.watch()


@shared_task(name="errors.forget_uploads", ignore_result=True)  # type: ignore[untyped-decorator]
def forget_uploads() -> None:
    """Delete source maps that nothing needed for long. See `artifacts.keeping.forget`."""
    keeping.forget()


@shared_task(name="errors.find_performance", ignore_result=True)  # type: ignore[untyped-decorator]
def find_performance() -> None:
    """Find repeated and slow database calls in new traces. See `performance.find`."""
    performance.find()
