"""Work to do after the commit, queued by name so that no package imports another's tasks."""

from __future__ import annotations

from celery import current_app
from django.db import transaction


def later(task: str, *args: object, queue: str | None = None, is_sent_again: bool = False) -> None:
    """Queue Celery task `task` ("package.function") once the current transaction commits, in `queue` or the usual one.

    Messages carry ids, never records: the truth is in the database, so a lost or doubled message costs time only. One
    that `is_sent_again` by somebody anyway is only logged when the broker does not take it.
    """
    transaction.on_commit(lambda: current_app.send_task(task, args=args, queue=queue), robust=is_sent_again)
