"""Requests and peers made by hand, for tests of a receiver without an intake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from quarterdeck.telemetry.receiving import Frame, Peer, Receiver, Refused, Request, Session, Taken

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


def request(
    body: bytes = b"",
    method: str = "POST",
    path: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    state: Any = None,
) -> Request:
    return Request(method, path or {}, query or {}, headers or {}, body, "10.1.2.3", NOW, state=state)


def peer(state: Any = None) -> Peer:
    return Peer("10.1.2.3", 0, lambda: NOW, state=state)


def take(receiver: Receiver, pattern: str, sent: Request) -> Taken:
    """Give a request to the route of a pattern."""
    [route] = [route for route in receiver.routes if route.pattern == pattern and sent.method in route.methods]
    return route.take(sent)


def lines(frames: Iterable[Frame]) -> list[list[Any]]:
    """Return the rows in frames of canonical metrics, each checked to be what the engine expects."""
    found = [orjson.loads(line) for frame in frames for line in frame.content.split(b"\n")]
    for _kind, _name, identities, metric, labels, times, values, bits in found:
        assert metric
        assert all(labels.values())
        assert all(identities.values())
        assert len(times) == len(values) > 0
        assert len(bits) in (0, len(values))
        assert all(0 <= at <= 2**53 for at in times)
        assert bits or all(value is not None for value in values)
    return found


def samples(frames: Iterable[Frame]) -> dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[int, float]]]:
    """Return `{(metric, labels): [(ms, value)]}`."""
    return {(row[3], tuple(sorted(row[4].items()))): list(zip(row[5], row[6], strict=True)) for row in lines(frames)}


def fed(session: Session, *parts: bytes) -> list[Taken]:
    """Feed parts one after another, then the end."""
    found = [taken for part in parts for taken in session.feed(part)]
    return [*found, *session.end()]


def only_refused(work: Callable[[bytes], Iterable[Taken]]) -> Callable[[bytes], object]:
    """Return a fuzz target: whatever the bytes are, Refused is the only error, and every frame is well-formed."""

    def target(data: bytes) -> object:
        try:
            found = list(work(data))
        except Refused as error:
            return error.reason
        return [lines(frame for frame in taken.frames if frame.stream == "rows.metrics") for taken in found]

    return target
