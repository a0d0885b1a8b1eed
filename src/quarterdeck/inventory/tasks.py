"""Doors for the queue and the schedule."""

from __future__ import annotations

from celery import shared_task

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory import actions
from quarterdeck.inventory.connectors import passes
from quarterdeck.inventory.exchange import uploads

SCHEDULES = {
    "inventory.sync_sources": ("inventory.sync_sources", "facts_interval_seconds"),
    "inventory.forget_uploads": ("inventory.forget_uploads", 86400),
    "inventory.retire_absent": ("inventory.retire_absent", 3600),
}


@shared_task(name="inventory.sync_sources", ignore_result=True)  # type: ignore[untyped-decorator]
def sync_sources() -> None:
    """Take every source in. See `passes.sync_all`."""
    passes.sync_all(SYSTEM.named("system:sync"))


@shared_task(name="inventory.run_import", ignore_result=True)  # type: ignore[untyped-decorator]
def run_import(import_id: int, language: str = "") -> None:
    """Import an uploaded file. See `uploads.run_import`."""
    uploads.run_import(import_id, language)


@shared_task(name="inventory.forget_uploads", ignore_result=True)  # type: ignore[untyped-decorator]
def forget_uploads() -> None:
    """Remove the files of old imports. See `uploads.forget_uploads`."""
    uploads.forget_uploads()


@shared_task(name="inventory.retire_absent", ignore_result=True)  # type: ignore[untyped-decorator]
def retire_absent() -> None:
    """Retire what has been absent for long. See `actions.retire_absent`."""
    actions.retire_absent(SYSTEM.named("system:lifecycle"))
