"""Recordings in the engine: written block by block, read from any machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from quarterdeck.core.clock import now
from quarterdeck.jobs.terminals.models import TerminalSession
from quarterdeck.jobs.terminals.recording import header
from quarterdeck.telemetry import client

_OPTIONS = {"max_execution_time": 20}
# At least one block, and then as many as make about that together.
_PART_BYTES = 1 << 20
_BLOCKS = """
    SELECT block, until, events FROM (
        SELECT block, until, events, sum(length(events)) OVER (ORDER BY block) AS so_far
        FROM (
            SELECT block, until, events FROM terminal_output
            WHERE session = {session:UInt64} AND block > {after:UInt32} ORDER BY block LIMIT 1000
        )
    )
    WHERE so_far - length(events) < {bytes:UInt64} ORDER BY block"""
_TOTALS = "SELECT count(), sum(length(events)), max(until) FROM terminal_output WHERE session = {session:UInt64}"


@dataclass(frozen=True, slots=True)
class Block:
    """Events of one session: `number` counts up from 1, `until` is the time of the last one in seconds."""

    session: int
    number: int
    until: float
    events: bytes


@dataclass(frozen=True, slots=True)
class Totals:
    """How much is recorded of a session: `seconds` is the time of its last event."""

    blocks: int
    size_bytes: int
    seconds: float


def store(blocks: Sequence[Block], token: str) -> None:
    """Append blocks, once however often this is tried. Raises Unavailable."""
    at = now()
    columns: dict[str, Sequence[Any]] = {
        "session": [block.session for block in blocks],
        "block": [block.number for block in blocks],
        "ts": [at] * len(blocks),
        "until": [block.until for block in blocks],
        "events": [block.events for block in blocks],
    }
    client.insert("terminal_output", columns, token=token)


def blocks(session: TerminalSession, after: int = 0) -> list[Block]:
    """Return the next blocks of a recording, in order, none at its end. Raises Unavailable."""
    values = {"session": session.pk, "after": after, "bytes": _PART_BYTES}
    found = client.query(_BLOCKS, values, options=_OPTIONS, binary=["events"])
    return [Block(session.pk, number, until, events) for number, until, events in found]


def totals(session: TerminalSession) -> Totals:
    """Raises Unavailable."""
    count, size_bytes, seconds = client.query(_TOTALS, {"session": session.pk}, options=_OPTIONS)[0]
    return Totals(int(count), int(size_bytes), float(seconds))


def cast(session: TerminalSession) -> Iterator[bytes]:
    """Yield a recording as a file: the header, then the events. Raises Unavailable."""
    yield header(session)
    after = 0
    while found := blocks(session, after):
        yield b"".join(block.events for block in found)
        after = found[-1].number
