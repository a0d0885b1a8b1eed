"""Housekeeping of the API."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task

from quarterdeck.api.idempotency import KEPT_HOURS
from quarterdeck.api.limits import WINDOW_SECONDS
from quarterdeck.api.models import IdempotentAnswer, RateWindow, SearchContext
from quarterdeck.core.clock import now

SCHEDULES = {"api.forget": ("api.forget", 3600)}


@shared_task(name="api.forget")  # type: ignore[untyped-decorator]
def forget() -> None:
    """Drop answers that are repeated no more, searches that ended, and windows of callers not seen for a day."""
    day_ago = now() - timedelta(hours=KEPT_HOURS)
    IdempotentAnswer.objects.filter(created_at__lt=day_ago).delete()
    RateWindow.objects.filter(window__lt=int(day_ago.timestamp()) // WINDOW_SECONDS).delete()
    SearchContext.objects.filter(expires_at__lt=now()).delete()
