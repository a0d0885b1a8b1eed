"""The work queue: which workers answer, what they do, and what waits."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import moment
from quarterdeck.jobs import workers as queries

router = Router()


class TaskRow(TypedDict):
    """A task that runs; `args` are the ids that its message carries."""

    id: str
    name: str
    args: str
    began_at: str | None


class WorkerRow(TypedDict):
    """A worker that answered within a second. `slots` is how many tasks it runs at once, `done` how many it took."""

    name: str
    queues: list[str]
    slots: int
    running: list[TaskRow]
    reserved: int
    done: int
    pid: int
    uptime_seconds: int


class QueueRow(TypedDict):
    """A queue: `waiting` messages are with the broker, `consumers` workers take them."""

    name: str
    waiting: int
    consumers: int


class WorkerRows(Schema):
    items: list[WorkerRow]
    queues: list[QueueRow]
    next: str | None


@router.get("/workers", response=WorkerRows)
def list_(request: HttpRequest) -> dict[str, Any]:
    """List the workers that answer, with what they do, and the queues that they take from."""
    actor = identify(request)
    found = queries.workers(actor)
    waiting = queries.queues(actor, found)
    return {
        "items": [_row(worker) for worker in found],
        "queues": [{"name": one.name, "waiting": one.waiting, "consumers": one.consumers} for one in waiting],
        "next": None,
    }


def _row(worker: queries.Worker) -> WorkerRow:
    return {
        "name": worker.name,
        "queues": list(worker.queues),
        "slots": worker.slots,
        "running": [
            {"id": one.id, "name": one.name, "args": one.args, "began_at": moment(one.began_at)}
            for one in worker.running
        ],
        "reserved": worker.reserved,
        "done": worker.done,
        "pid": worker.pid,
        "uptime_seconds": worker.uptime_seconds,
    }
