"""What a fuzzer may throw bytes at."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.requests import NOW, request

from quarterdeck.telemetry.receivers.gelf import Connection, Datagram, _take
from quarterdeck.telemetry.receiving import Peer

PEER = Peer("192.0.2.7", 0, lambda: NOW)


def _connection(data: bytes) -> object:
    session = Connection(PEER)
    half = len(data) // 2
    return [*session.feed(data[:half]), *session.feed(data[half:]), *session.end()]


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    return {
        "gelf datagram": lambda data: list(Datagram(PEER).feed(data)),
        "gelf chunk": lambda data: list(Datagram(PEER).feed(b"\x1e\x0f" + data)),
        "gelf connection": _connection,
        "gelf http": lambda data: _take(request(data)),
    }
