"""The doors of this receiver through which a stranger's bytes come."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from quarterdeck.telemetry.receivers.zabbix.memory import Memory
from quarterdeck.telemetry.receivers.zabbix.session import Session
from quarterdeck.telemetry.receiving import Peer, Refused

_NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    """Return functions that take arbitrary bytes and raise nothing but Refused."""
    return {"zabbix.connection": _connection, "zabbix.request": _request}


def _connection(content: bytes) -> None:
    _feed(Session(Peer("192.0.2.7", 0, lambda: _NOW), Memory()), content)


def _request(content: bytes) -> None:
    """The bytes as a message, so that a fuzzer need not guess lengths."""
    from quarterdeck.telemetry.receivers.zabbix.framing import frame

    _feed(Session(Peer("192.0.2.7", 0, lambda: _NOW), Memory()), frame(content))


def _feed(session: Session, content: bytes) -> None:
    with contextlib.suppress(Refused):
        for taken in (*session.feed(content), *session.end()):
            for one in taken.frames:
                # Each line must be a row that the engine can read.
                for line in one.content.split(b"\n"):
                    assert isinstance(orjson.loads(line), list)
