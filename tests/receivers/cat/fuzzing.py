"""The doors of this receiver through which a stranger's bytes come."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from quarterdeck.telemetry.receivers.cat.session import Session
from quarterdeck.telemetry.receiving import Peer, Refused

_NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
_SETTINGS = {"intake_cat": "127.0.0.1:2280", "intake_body_max_mb": 1}


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    """Return functions that take arbitrary bytes and raise nothing but Refused."""
    return {
        "cat.connection": _connection,
        "cat.nt1": lambda content: _frame(b"NT1" + content),
        "cat.pt1": lambda content: _frame(b"PT1" + content),
        "cat.nm1": lambda content: _frame(b"NM1" + content),
    }


def _frame(content: bytes) -> None:
    _connection(struct.pack(">I", len(content)) + content)


def _connection(content: bytes) -> None:
    session = Session(Peer("192.0.2.7", 0, lambda: _NOW, _SETTINGS))
    with contextlib.suppress(Refused):
        for taken in (*session.feed(content), *session.end()):
            for one in taken.frames:
                # Each line must be a row that the engine can read.
                for line in one.content.split(b"\n"):
                    assert isinstance(orjson.loads(line), list)
