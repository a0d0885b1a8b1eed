"""What a fuzzer may throw bytes at."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.requests import NOW

from quarterdeck.telemetry.receivers.fluent import Connection
from quarterdeck.telemetry.receiving import Peer


def _connection(data: bytes) -> object:
    session = Connection(Peer("192.0.2.7", 0, lambda: NOW))
    half = len(data) // 2
    return [*session.feed(data[:half]), *session.feed(data[half:]), *session.end()]


def _with_key(data: bytes) -> object:
    session = Connection(Peer("192.0.2.7", 0, lambda: NOW, {"intake_fluent_shared_key": "k"}))
    return [*session.begin(), *session.feed(data)]


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    return {"fluent connection": _connection, "fluent with a shared key": _with_key}
