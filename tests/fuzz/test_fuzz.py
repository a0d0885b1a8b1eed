"""Arbitrary bytes at every door: refused or taken, never a fault, never a hang, and never a row that no engine takes.

This is a seeded subset; `make fuzz` looks for more, guided by coverage.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime

import pytest
from tests.fuzz.inputs import inputs, long_inputs
from tests.fuzz.targets import RECEIVERS, Target, frames_kept, run, targets
from tests.telemetry.engines import Engine

from quarterdeck.telemetry.loading import NotReadable, Origin, load, receivers
from quarterdeck.telemetry.receiving import Frame

ALL = [pytest.param(target, id=name) for found in targets().values() for name, target in found.items()]


def _try(target: Target, data: bytes) -> None:
    try:
        run(target, data)
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}\nfor {data[:2000]!r}") from error


@pytest.mark.parametrize("target", ALL)
def test_any_bytes_are_taken_or_refused(target: Target, request: pytest.FixtureRequest) -> None:
    for data in inputs(zlib.crc32(request.node.name.encode()), 150):
        _try(target, data)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("target", ALL)
def test_many_bytes_are_taken_or_refused(target: Target, request: pytest.FixtureRequest) -> None:
    for data in inputs(zlib.crc32(request.node.name.encode()) + 1, 4000):
        _try(target, data)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("target", ALL)
def test_a_long_input_is_read_in_good_time(target: Target) -> None:
    for data in long_inputs():
        _try(target, data)


def test_every_receiver_says_where_its_bytes_come_in() -> None:
    tested = {path.parent.name for path in RECEIVERS.glob("*/fuzzing.py")}
    # What is fetched and not received has no door of its own.
    listening = {name for name, one in receivers().items() if one.routes or one.listeners or one.methods}
    assert listening - tested == set()


_RECEIVED_MS = int(datetime(2026, 6, 15, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("receiver", [name for name in targets() if name != "intake"])
def test_the_engine_takes_whatever_was_accepted(engine: Engine, receiver: str) -> None:
    """A frame that a receiver makes is acknowledged: the engine must be able to read it."""
    with frames_kept() as kept:
        for target in targets()[receiver].values():
            for data in inputs(7, 1500):
                _try(target, data)
    by_stream: dict[str, dict[bytes, Frame]] = {}
    for frame in kept:
        by_stream.setdefault(frame.stream, {})[frame.content] = frame
    by_stream.pop("s", None)
    assert by_stream, "nothing was accepted: the seeds miss this receiver"
    bad = [one for found in by_stream.values() for one in _refused(list(found.values()))]
    assert not bad, f"{len(bad)} of {len(kept)}, as {bad[0]}"


def _refused(found: list[Frame], token: str = "") -> list[str]:
    token = token or f"fuzz-{found[0].stream}"
    try:
        load(found, Origin("fuzz", 0, _RECEIVED_MS, {}), f"{token}-{len(found)}")
    except NotReadable as error:
        if len(found) == 1:
            return [f"{found[0].stream}: {error.message[:300]}\n{found[0].content[:600]!r}"]
        half = len(found) // 2
        return _refused(found[:half], token + "a") + _refused(found[half:], token + "b")
    return []
