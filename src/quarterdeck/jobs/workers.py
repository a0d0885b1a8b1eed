"""The work queue as an operator sees it: who works on what, and what waits.

Workers are asked through the broker, and those that answer within a second are told; see
https://docs.celeryq.dev/en/stable/userguide/workers.html#inspecting-workers
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from celery import current_app
from django.utils.translation import gettext as _

from quarterdeck.access.checks import require
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import Unavailable

_ANSWER_SECONDS = 1.0
_VERB = "settings.view"


@dataclass(frozen=True, slots=True)
class Busy:
    """A task that runs: `name` is "jobs.work_shard", `args` the ids that its message carries."""

    id: str
    name: str
    args: str
    began_at: datetime | None


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that answers. `slots` is how many tasks it runs at once, `done` how many it took since its start."""

    name: str
    queues: tuple[str, ...]
    slots: int
    running: tuple[Busy, ...]
    reserved: int
    done: int
    pid: int
    uptime_seconds: int


@dataclass(frozen=True, slots=True)
class QueueState:
    """`waiting` messages are with the broker; `consumers` workers take them."""

    name: str
    waiting: int
    consumers: int


def workers(actor: Actor) -> list[Worker]:
    """Return the workers that answer, by name. Raises Denied, Unavailable."""
    require(actor, _VERB)
    try:
        stats = current_app.control.inspect(timeout=_ANSWER_SECONDS).stats() or {}
        if not stats:
            return []
        # Asked by name, they need not be waited for longer than until the last one has answered.
        inspect = current_app.control.inspect(destination=list(stats), timeout=_ANSWER_SECONDS)
        told = [inspect.active_queues() or {}, inspect.active() or {}, inspect.reserved() or {}]
    except _trouble() as error:
        raise _no_broker(error) from error
    return [_worker(name, stats[name], *told) for name in sorted(stats)]


def _worker(
    name: str,
    stats: Mapping[str, Any],
    queues: Mapping[str, Any],
    active: Mapping[str, Any],
    reserved: Mapping[str, Any],
) -> Worker:
    return Worker(
        name=name,
        queues=tuple(sorted(str(queue["name"]) for queue in queues.get(name) or ())),
        slots=int(stats["pool"].get("max-concurrency") or 0),
        running=tuple(_busy(task) for task in active.get(name) or ()),
        reserved=len(reserved.get(name) or ()),
        done=sum(stats.get("total", {}).values()),
        pid=int(stats["pid"]),
        uptime_seconds=int(stats.get("uptime", 0)),
    )


def _busy(task: Mapping[str, Any]) -> Busy:
    # A worker tells it by its own monotonic clock where its version is old, by Unix time since Celery 4.
    began = task.get("time_start")
    at = datetime.fromtimestamp(began, UTC) if began and began > time.time() - 366 * 86400 else None
    return Busy(str(task["id"]), str(task["name"]), ", ".join(map(str, task.get("args") or ())), at)


def queues(actor: Actor, found: Iterable[Worker]) -> list[QueueState]:
    """Return the queues that workers take from, and how much waits in each. Raises Denied, Unavailable."""
    require(actor, _VERB)
    consumers: dict[str, int] = {}
    for worker in found:
        for name in worker.queues:
            consumers[name] = consumers.get(name, 0) + 1
    try:
        with current_app.connection_for_read() as connection, connection.channel() as channel:
            return [QueueState(name, _waiting(channel, name), consumers[name]) for name in sorted(consumers)]
    except _trouble() as error:
        raise _no_broker(error) from error


def _waiting(channel: Any, name: str) -> int:
    declared = channel.queue_declare(queue=name, passive=True)
    return int(declared.message_count)


def _trouble() -> tuple[type[Exception], ...]:
    connection = current_app.connection_for_read()
    return (*connection.recoverable_connection_errors, *connection.recoverable_channel_errors)


def _no_broker(error: Exception) -> Unavailable:
    return Unavailable(
        _("the broker does not answer: %(kind)s") % {"kind": type(error).__name__},
        hint=_("`quarterdeck doctor` tells more"),
    )
