"""Doors for the queue and the schedule."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from celery import shared_task

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.facts.actions import refresh_facts as refresh
from quarterdeck.jobs.files import keeping
from quarterdeck.jobs.host_keys import alarming
from quarterdeck.jobs.runs import approving, claiming, working
from quarterdeck.jobs.schedules import firing
from quarterdeck.jobs.terminals import actions as terminals

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)
SCHEDULES = {
    "jobs.watch_host_keys": ("jobs.watch_host_keys", 60),
    "jobs.sweep": ("jobs.sweep", 5),
    "jobs.forget_files": ("jobs.forget_files", 3600),
    "jobs.forget_firings": ("jobs.forget_firings", 3600),
}


@shared_task(name="jobs.watch_host_keys", ignore_result=True)  # type: ignore[untyped-decorator]
def watch_host_keys() -> None:
    """Write the samples of changed host keys. See `alarming.watch`."""
    alarming.watch()


# Acknowledged early: the claim in the records, not the message, says whether the work was begun.
@shared_task(name="jobs.work_shard", ignore_result=True, acks_late=False)  # type: ignore[untyped-decorator]
def work_shard(shard_id: int) -> None:
    """Work on a shard of hosts. See `runs.working.work_shard`."""
    working.work_shard(shard_id)


@shared_task(name="jobs.sweep", ignore_result=True)  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Let go on what dead workers and lost messages left, and end the terminals of dead web processes."""
    _tried(claiming.sweep)
    _tried(approving.refuse_old)
    for shard in _tried(claiming.not_searchable) or []:
        _tried(working.make_searchable, shard)
    _tried(terminals.sweep)


def _tried(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Do it; a part that is in trouble does not keep the others from their work."""
    try:
        return work(*args, **kwargs)
    except Exception:
        log.exception("sweep: %s.%s failed, the next sweep tries again", work.__module__, work.__qualname__)
        return None


@shared_task(name="jobs.forget_files", ignore_result=True)  # type: ignore[untyped-decorator]
def forget_files() -> None:
    """Remove files that no run needs any more. See `files.keeping.forget`."""
    keeping.forget()


@shared_task(name="jobs.refresh_facts", ignore_result=True)  # type: ignore[untyped-decorator]
def refresh_facts(items: list[int]) -> None:
    """Ask hosts for their facts, by their ids. See `facts.actions.refresh_facts`."""
    found = Item.objects.filter(pk__in=items).select_related("type").order_by("pk")
    refresh(SYSTEM.named("system:facts"), list(found))


@shared_task(name="jobs.forget_firings", ignore_result=True)  # type: ignore[untyped-decorator]
def forget_firings() -> None:
    """Delete what became of schedules long ago. See `schedules.firing.forget_old`."""
    firing.forget_old()
