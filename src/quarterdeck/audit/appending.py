"""The chain's one appender. An event that is recorded in an action is appended when the action ends.

Appending locks the chain's end until the transaction commits, and whoever holds that lock and then waits for a row that
another appender has changed is in a deadlock. So events of an action wait (`gathered`) and are appended together as its
last statements; that also makes an action with many events three statements, not three for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from django.db import connection, transaction

from quarterdeck.audit import chain
from quarterdeck.audit.models import AuditEvent, ChainHead

_COLUMNS = (*chain.HASHED_FIELDS, "prev_hash", "hash")
_INSERT = (
    f"INSERT INTO {AuditEvent._meta.db_table} ({', '.join(_COLUMNS)}) VALUES ({', '.join(['%s'] * len(_COLUMNS))})"  # noqa: S608
)
_HEAD = ChainHead._meta.db_table


@dataclass(slots=True)
class _Gathering:
    """Events of one action. `depth` counts the savepoints that were open when it began."""

    depth: int
    events: list[AuditEvent] = field(default_factory=list)


_gathering: ContextVar[_Gathering | None] = ContextVar("gathering", default=None)


def _depth() -> int:
    return len(connection.savepoint_ids)


@contextmanager
def gathered() -> Iterator[None]:
    """Append what is recorded inside at its end; drop it when an exception leaves. Stands inside `atomic()`."""
    outer, mine = _gathering.get(), _Gathering(_depth())
    mark = _gathering.set(mine)
    try:
        yield
    finally:
        _gathering.reset(mark)
    if outer is not None and outer.depth == mine.depth - 1:
        outer.events.extend(mine.events)
    else:
        append(mine.events)


def add(event: AuditEvent) -> None:
    """Append `event` now, or with the action that is going on.

    Inside a savepoint of the action's own it is appended at once, so that it is undone with that savepoint.
    """
    gathering = _gathering.get()
    if gathering is not None and gathering.depth == _depth() and connection.in_atomic_block:
        gathering.events.append(event)
    else:
        append([event])


def append(events: Sequence[AuditEvent]) -> None:
    """Take the chain's end, hash, write; `seq`, `prev_hash` and `hash` of the events are set.

    The head's row is the lock: other appenders wait until this transaction ends, so numbers have no gaps.
    """
    if not events:
        return
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(f"SELECT seq, hash FROM {_HEAD} WHERE id = 1{_for_update()}")  # noqa: S608 - our own names
        seq, last_hash = cursor.fetchone()
        rows = []
        for event in events:
            seq, event.prev_hash = seq + 1, last_hash or chain.GENESIS
            event.seq = seq
            fields = {name: getattr(event, name) for name in chain.HASHED_FIELDS}
            event.hash = last_hash = chain.link(event.prev_hash, fields)
            rows.append((*fields.values(), event.prev_hash, event.hash))
        cursor.executemany(_INSERT, rows)
        cursor.execute(f"UPDATE {_HEAD} SET seq = %s, hash = %s WHERE id = 1", (seq, last_hash))  # noqa: S608


def _for_update() -> str:
    """SQLite has one writer at a time anyway: its transactions take the lock when they begin."""
    return " FOR UPDATE" if connection.features.has_select_for_update else ""
