"""What a fuzzer may throw bytes at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from quarterdeck.telemetry.receivers.syslog.sessions import Connection, Datagram
from quarterdeck.telemetry.receiving import Peer

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
PEER = Peer("192.0.2.7", 0, lambda: NOW)


def _datagram(data: bytes) -> object:
    return list(Datagram(PEER).feed(data))


def _connection(data: bytes) -> object:
    session = Connection(PEER)
    half = len(data) // 2
    return [*session.feed(data[:half]), *session.feed(data[half:]), *session.end()]


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    return {"syslog datagram": _datagram, "syslog connection": _connection}
