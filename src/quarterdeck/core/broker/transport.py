"""The embedded broker as kombu sees it. See https://docs.celeryq.dev/projects/kombu/en/stable/reference/"""

# kombu is typed in parts only.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import virtual
from kombu.utils.json import dumps, loads

from quarterdeck.core.broker.store import Store

# How often a consumer that nobody wakes looks whether another one died. A new consumer, and every message, look too.
LOOK_FOR_DEAD_SECONDS = 5.0
# How many messages are handed on before other events of the worker's loop get their turn.
_AT_ONCE = 32


class QoS(virtual.QoS):
    """Acknowledges in the store; the delivery tag is the message's row id."""

    def ack(self, delivery_tag: int) -> None:
        self.channel.store.acknowledge(delivery_tag)
        super().ack(delivery_tag)

    def reject(self, delivery_tag: int, requeue: bool = False) -> None:
        if requeue:
            self.channel.store.give_back([delivery_tag])
        else:
            self.channel.store.acknowledge(delivery_tag)
        super().ack(delivery_tag)

    def restore_unacked(self) -> list[Any]:
        self._flush()
        held = list(self._delivered)
        self._delivered.clear()
        if held:
            self.channel.store.give_back(held)
        return []


class Channel(virtual.Channel):
    QoS = QoS
    supports_fanout = True

    def __init__(self, connection: Transport, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.store = connection.store
        self._unacknowledged_queues: set[str] = set()

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **kwargs: Any) -> None:
        if no_ack:
            self._unacknowledged_queues.add(queue)
        super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)
        # Messages may wait since before this consumer could be woken.
        self.store.mailbox.ring()

    def basic_cancel(self, consumer_tag: str) -> None:
        self._unacknowledged_queues.discard(self._tag_to_queue.get(consumer_tag, ""))
        super().basic_cancel(consumer_tag)

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        message = super().basic_get(queue, no_ack=no_ack, **kwargs)
        if message is not None and no_ack:
            self.store.acknowledge(message.delivery_tag)
        return message

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        taken = self.store.take(queue, keep=queue not in self._unacknowledged_queues)
        if taken is None:
            raise Empty
        payload: dict[str, Any] = loads(taken.body)
        payload["properties"]["delivery_tag"] = taken.id
        payload["properties"].setdefault("delivery_info", {})["redelivered"] = taken.redelivered
        return payload

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        self._store_in([queue], message)

    def _put_fanout(self, exchange: str, message: dict[str, Any], routing_key: str, **kwargs: Any) -> None:
        self._store_in({queue for _, _, queue in self.get_table(exchange)}, message)

    def _store_in(self, queues: Any, message: dict[str, Any]) -> None:
        expiration = message["properties"].get("expiration")
        ttl_seconds = int(expiration) / 1000 if expiration else None
        self.store.put(queues, dumps(message), self._get_message_priority(message), ttl_seconds)

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        arguments = kwargs.get("arguments") or {}
        own = bool(kwargs.get("auto_delete") or kwargs.get("exclusive") or "x-expires" in arguments)
        ttl_ms = arguments.get("x-message-ttl")
        self.store.declare(queue, own=own, ttl_seconds=ttl_ms / 1000 if ttl_ms else None)

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return self.store.has_queue(queue)

    def _size(self, queue: str) -> int:
        return self.store.size(queue)

    def _purge(self, queue: str) -> int:
        return self.store.purge(queue)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        self.store.bind(exchange, routing_key or "", pattern or "", queue)

    def get_table(self, exchange: str) -> list[tuple[str, str, str]]:
        return self.store.bindings(exchange)

    def queue_unbind(
        self, queue: str, exchange: str = "", routing_key: str = "", arguments: Any = None, **kwargs: Any
    ) -> None:
        self.state.binding_delete(queue, exchange, routing_key)
        self.store.unbind(exchange, routing_key, queue)

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **kwargs: Any) -> None:
        if if_empty and self._size(queue):
            return
        self.store.delete_queue(queue)
        self.state.queue_bindings_delete(queue)


class Transport(virtual.Transport):
    """One connection. Waits on its pipe instead of polling, in a worker's event loop or in `drain_events`."""

    Channel = Channel
    driver_type = "sqlite"
    driver_name = "quarterdeck"
    connection_errors: Any = (*virtual.Transport.connection_errors, sqlite3.Error, OSError)
    implements = virtual.Transport.implements.extend(
        asynchronous=True, exchange_type=frozenset(["direct", "topic", "fanout"])
    )

    cycle: Any

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.store = Store(Path(client.transport_options["directory"]))
        self._may_wait = False

    def driver_version(self) -> str:
        return sqlite3.sqlite_version

    def close_connection(self, connection: Any) -> None:
        super().close_connection(connection)
        self.store.close()

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """Hand on one message; raises TimeoutError when none comes within `timeout` seconds (None: wait for ever)."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._hand_on_one():
            left = LOOK_FOR_DEAD_SECONDS if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if not self.store.mailbox.wait(min(left, LOOK_FOR_DEAD_SECONDS)):
                self.store.give_back_from_dead()

    def _hand_on_one(self) -> bool:
        try:
            self.cycle.get(self._deliver)
        except Empty:
            return False
        return True

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        loop.add_reader(self.store.mailbox.fd, self._on_ring)
        loop.on_tick.add(self._on_tick)
        loop.call_repeatedly(LOOK_FOR_DEAD_SECONDS, self.store.give_back_from_dead)
        self.store.mailbox.ring()

    def _on_ring(self) -> None:
        self.store.mailbox.silence()
        self._may_wait = True
        for _ in range(_AT_ONCE):
            if not self._hand_on_one():
                # A channel at its prefetch limit was not even asked.
                self._may_wait = any(not channel.qos.can_consume() for channel in self.channels)
                return

    def _on_tick(self) -> None:
        """Ring again when messages may wait and may be taken now.

        Taken here, they would sit until the loop's next event: the pool's writers are chosen before this runs.
        """
        if self._may_wait and all(channel.qos.can_consume() for channel in self.channels):
            self.store.mailbox.ring()
