"""Doors for fuzzers: each takes any bytes; raising anything but Refused is a failure, and so is a row that is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from tests.receivers.sentry.requests import payload, rows, take

from quarterdeck.telemetry.receivers.sentry.batches import EVENTS
from quarterdeck.telemetry.receivers.sentry.statements import STREAMS
from quarterdeck.telemetry.receiving import Refused

_IN_64 = range(-(2**63), 2**63)


def _door(name: str) -> Callable[[bytes], object]:
    def door(body: bytes) -> None:
        try:
            taken = take(body, name)
        except Refused:
            return
        for stream in {frame.stream for frame in taken.frames}:
            for row in rows(taken, stream):
                _check(stream, row)

    return door


def _check(stream: str, row: dict[str, Any]) -> None:
    """Raise AssertionError for a row that the engine would not read as it is meant."""
    if stream == EVENTS:
        assert isinstance(payload(row), dict)
        assert len(row["event_id"]) == 32
    structure = STREAMS[stream].structure
    for name, value in row.items():
        if f"{name} String" in structure:
            assert isinstance(value, str), (stream, name, value)
        elif f"{name} Int64" in structure:
            assert value in _IN_64
            assert value > 0
        elif f"{name} UInt" in structure:
            assert 0 <= value < 2**64
        elif f"{name} Map(String, String)" in structure:
            assert all(isinstance(inner, str) for inner in value.values()), (stream, name, value)
    # What is no finite number has no JSON, and what the engine is given has to be JSON.
    assert orjson.loads(orjson.dumps(row)) == row


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    return {f"sentry-{name}": _door(name) for name in ("envelope", "store", "security")}
