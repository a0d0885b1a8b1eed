"""Celery's doors to the audit log's upkeep."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.conf import settings

from quarterdeck.audit import checkpoints, retention, syslog
from quarterdeck.core.clock import now

SCHEDULES = {
    "audit.checkpoint": ("audit.checkpoint", 300),
    "audit.forward": ("audit.forward", 10),
    "audit.archive": ("audit.archive", 3600),
}


@shared_task(name="audit.checkpoint", ignore_result=True)  # type: ignore[untyped-decorator]
def checkpoint() -> None:
    checkpoints.checkpoint()


@shared_task(name="audit.forward", ignore_result=True)  # type: ignore[untyped-decorator]
def forward() -> None:
    if settings.QD["audit_syslog_url"]:
        syslog.forward(settings.QD["audit_syslog_url"])


@shared_task(name="audit.archive", ignore_result=True)  # type: ignore[untyped-decorator]
def archive() -> None:
    receiver = settings.QD["audit_syslog_url"]
    last_seq = syslog.sent_until(receiver) if receiver else None
    while retention.archive_before(now() - timedelta(days=settings.QD["audit_retention_days"]), last_seq=last_seq):
        pass
