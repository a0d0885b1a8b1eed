"""Messages, queues and bindings in `DATA/queue.sqlite3`.

A message's life is one row: put (no owner), taken (owned by a consumer), acknowledged (deleted). What a dead consumer
owned is given back, marked as redelivered. Every change is one transaction, so a SIGKILL loses and doubles nothing.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from quarterdeck.core.broker import mailbox
from quarterdeck.core.broker.mailbox import Mailbox

# `owner` of a queue: the consumer it ends with (reply queues, a worker's control queue); NULL: it stays.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS message(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    body TEXT NOT NULL,
    owner TEXT,
    redelivered INTEGER NOT NULL DEFAULT 0,
    expires_at REAL
);
CREATE INDEX IF NOT EXISTS message_ready ON message(queue, priority DESC, id) WHERE owner IS NULL;
CREATE INDEX IF NOT EXISTS message_taken ON message(owner) WHERE owner IS NOT NULL;
CREATE INDEX IF NOT EXISTS message_expiry ON message(expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS queue(name TEXT PRIMARY KEY, owner TEXT, ttl_seconds REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS binding(
    exchange TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    pattern TEXT NOT NULL,
    queue TEXT NOT NULL,
    PRIMARY KEY (exchange, routing_key, pattern, queue)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS binding_queue ON binding(queue);
"""
_FIRST_READY = "SELECT id FROM message WHERE queue = ? AND owner IS NULL ORDER BY priority DESC, id LIMIT 1"
_BUSY_SECONDS = 30.0
_open_stores: weakref.WeakSet[Store] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Taken:
    """A message in the hands of a consumer; `id` is what it acknowledges."""

    id: int
    body: str
    redelivered: bool


class Store:
    """One user's door to the file. Threads may share it; forked processes may too, each gets its own connection.

    It becomes a consumer, with a pipe of its own, when it first takes a message or declares a queue of its own.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "queue.sqlite3"
        self.mailboxes = directory / "run" / "queue"
        self.owner = uuid4().hex
        self.lock = threading.RLock()
        self._mailbox: Mailbox | None = None
        self._connection: sqlite3.Connection | None = None
        _open_stores.add(self)
        self.give_back_from_dead()

    @property
    def mailbox(self) -> Mailbox:
        with self.lock:
            if self._mailbox is None:
                self._mailbox = Mailbox(self.mailboxes, self.owner)
            return self._mailbox

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self.lock:
            connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            # NORMAL survives the death of any process; a power cut may undo the last milliseconds, as it may with
            # the queues of Redis, and the records then still tell what is left to do.
            connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {_SCHEMA}")
            self._connection = connection
        return self._connection

    # -- messages -----------------------------------------------------------------------------------------------

    def put(self, queues: Iterable[str], body: str, priority: int = 0, ttl_seconds: float | None = None) -> None:
        """Add one message to each queue and wake the consumers once it is stored."""
        now = time.time()
        with self._transaction() as connection:
            for queue in queues:
                ttl = ttl_seconds if ttl_seconds is not None else self._queue_ttl(connection, queue)
                connection.execute(
                    "INSERT INTO message(queue, priority, body, expires_at) VALUES (?, ?, ?, ?)",
                    (queue, priority, body, None if ttl is None else now + ttl),
                )
        self.wake()

    @staticmethod
    def _queue_ttl(connection: sqlite3.Connection, queue: str) -> float | None:
        row = connection.execute("SELECT ttl_seconds FROM queue WHERE name = ?", (queue,)).fetchone()
        return row[0] if row else None

    def take(self, queue: str, *, keep: bool = True) -> Taken | None:
        """Hand the next message to this consumer: the highest priority, then the oldest. None when none waits.

        With `keep` it stays stored until `acknowledge`; without, it is gone.
        """
        with self.lock:
            connection = self._connect()
            # Looked up first without the write lock: most wake-ups find nothing for this consumer.
            if connection.execute(_FIRST_READY, (queue,)).fetchone() is None:
                return None
            if keep:
                _ = self.mailbox
                row = connection.execute(
                    f"UPDATE message SET owner = ? WHERE id = ({_FIRST_READY}) RETURNING id, body, redelivered",  # noqa: S608
                    (self.owner, queue),
                ).fetchall()
            else:
                row = connection.execute(
                    f"DELETE FROM message WHERE id = ({_FIRST_READY}) RETURNING id, body, redelivered",  # noqa: S608
                    (queue,),
                ).fetchall()
        return Taken(row[0][0], row[0][1], bool(row[0][2])) if row else None

    def acknowledge(self, message_id: int) -> None:
        with self.lock:
            self._connect().execute("DELETE FROM message WHERE id = ? AND owner = ?", (message_id, self.owner))

    def give_back(self, message_ids: Sequence[int]) -> None:
        """Put taken messages back where they were, marked as redelivered."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE message SET owner = NULL, redelivered = 1 WHERE id = ? AND owner = ?",
                [(message_id, self.owner) for message_id in message_ids],
            )
        self.wake()

    def size(self, queue: str) -> int:
        """How many messages wait in `queue`, those that consumers hold not counted."""
        with self.lock:
            sql = "SELECT count(*) FROM message WHERE queue = ? AND owner IS NULL"
            return int(self._connect().execute(sql, (queue,)).fetchone()[0])

    def purge(self, queue: str) -> int:
        with self.lock:
            sql = "DELETE FROM message WHERE queue = ? AND owner IS NULL"
            return self._connect().execute(sql, (queue,)).rowcount

    # -- queues and bindings --------------------------------------------------------------------------------------

    def declare(self, queue: str, *, own: bool, ttl_seconds: float | None) -> None:
        """Make `queue` known. An own one ends with this consumer, and its messages with it."""
        owner = self.mailbox.path.name if own else None
        with self.lock:
            connection = self._connect()
            known = connection.execute("SELECT owner, ttl_seconds FROM queue WHERE name = ?", (queue,)).fetchone()
            if known != (owner, ttl_seconds):
                connection.execute("INSERT OR REPLACE INTO queue VALUES (?, ?, ?)", (queue, owner, ttl_seconds))

    def has_queue(self, queue: str) -> bool:
        with self.lock:
            return self._connect().execute("SELECT 1 FROM queue WHERE name = ?", (queue,)).fetchone() is not None

    def delete_queue(self, queue: str) -> None:
        with self._transaction() as connection:
            self._delete_queue(connection, queue)

    @staticmethod
    def _delete_queue(connection: sqlite3.Connection, queue: str) -> None:
        connection.execute("DELETE FROM message WHERE queue = ?", (queue,))
        connection.execute("DELETE FROM binding WHERE queue = ?", (queue,))
        connection.execute("DELETE FROM queue WHERE name = ?", (queue,))

    def bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        with self.lock:
            self._connect().execute(
                "INSERT OR IGNORE INTO binding VALUES (?, ?, ?, ?)", (exchange, routing_key, pattern, queue)
            )

    def unbind(self, exchange: str, routing_key: str, queue: str) -> None:
        with self.lock:
            self._connect().execute(
                "DELETE FROM binding WHERE exchange = ? AND routing_key = ? AND queue = ?",
                (exchange, routing_key, queue),
            )

    def bindings(self, exchange: str) -> list[tuple[str, str, str]]:
        """Return `[(routing_key, pattern, queue)]` of every process's bindings to `exchange`."""
        with self.lock:
            sql = "SELECT routing_key, pattern, queue FROM binding WHERE exchange = ?"
            return self._connect().execute(sql, (exchange,)).fetchall()

    # -- the living and the dead ----------------------------------------------------------------------------------

    def wake(self) -> None:
        """Ring at every consumer; one that turns out to be dead gives back what it held."""
        if not mailbox.ring_all(self.mailboxes):
            self.give_back_from_dead()

    def give_back_from_dead(self) -> None:
        """Free the messages, and end the queues, of consumers that no longer live; drop what has expired."""
        with self.lock:
            owners = self._connect().execute(
                "SELECT owner FROM queue WHERE owner IS NOT NULL "
                "UNION SELECT owner FROM message WHERE owner IS NOT NULL"
            )
            dead = [owner for (owner,) in owners.fetchall() if not self._lives(owner)]
            for owner in dead:
                self._bury(owner)
            self._connect().execute("DELETE FROM message WHERE expires_at < ? AND owner IS NULL", (time.time(),))
        mailbox.remove_dead(self.mailboxes)
        if dead:
            mailbox.ring_all(self.mailboxes)

    def _lives(self, owner: str) -> bool:
        return owner == self.owner or mailbox.is_alive(self.mailboxes, owner)

    def _bury(self, owner: str) -> None:
        with self._transaction() as connection:
            queues = connection.execute("SELECT name FROM queue WHERE owner = ?", (owner,)).fetchall()
            for (queue,) in queues:
                self._delete_queue(connection, queue)
            connection.execute("UPDATE message SET owner = NULL, redelivered = 1 WHERE owner = ?", (owner,))

    def close(self) -> None:
        """End as a consumer: what it still holds goes back."""
        with self.lock:
            if self._mailbox is not None:
                self._bury(self.owner)
                self._mailbox.close()
                self._mailbox = None
                mailbox.ring_all(self.mailboxes)
            self._disconnect()
            _open_stores.discard(self)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


# SQLite must not be carried across a fork, not even unused: see https://sqlite.org/howtocorrupt.html, 2.6. Connections
# hold no state here, so each is closed before a fork and opened again when it is needed.
_locked_for_fork: list[Store] = []


def _before_fork() -> None:
    for store in list(_open_stores):
        store.lock.acquire()
        store._disconnect()
        _locked_for_fork.append(store)


def _after_fork_in_parent() -> None:
    while _locked_for_fork:
        _locked_for_fork.pop().lock.release()


def _after_fork_in_child() -> None:
    """The child is another consumer: what its parent holds is not its own."""
    _locked_for_fork.clear()
    for store in list(_open_stores):
        store.lock = threading.RLock()
        store._mailbox = None
        store.owner = uuid4().hex


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
