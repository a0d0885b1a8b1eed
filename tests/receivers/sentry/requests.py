"""Requests as SDKs make them, and what a receiver made of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from quarterdeck.telemetry.receivers.sentry import PLUGIN
from quarterdeck.telemetry.receivers.sentry.statements import STREAMS
from quarterdeck.telemetry.receiving import Request, Taken

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
NOW_S = NOW.timestamp()
EVENT_ID = "9ec79c33ec9942ab8353589fcb2e04dc"
TRACE_ID, SPAN_ID = "771a43a4192642f0b136d5159a501700", "b0e6f15b45c36b12"


def request(
    body: bytes,
    name: str = "envelope",
    *,
    project: str = "42",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    key: int = 0,
) -> Request:
    return Request("POST", {"project": project}, query or {}, headers or {}, body, "127.0.0.1", NOW, key)


def take(body: bytes, name: str = "envelope", **more: Any) -> Taken:
    """Return what the route of this name takes from `body`."""
    [route] = [
        route for route in PLUGIN.routes if route.pattern == f"/api/{{project}}/{name}/" and "POST" in route.methods
    ]
    return route.take(request(body, name, **more))


def envelope(*items: tuple[str, Any], **header: Any) -> bytes:
    """Return an envelope; payloads that are no bytes are written as JSON, without a length (as Node does)."""
    lines = [orjson.dumps(header)]
    for kind, payload in items:
        is_bytes = isinstance(payload, bytes)
        content = payload if is_bytes else orjson.dumps(payload)
        lines += [orjson.dumps({"type": kind, **({"length": len(content)} if is_bytes else {})}), content]
    return b"\n".join(lines)


def _names(structure: str) -> list[str]:
    """Return the columns' names; commas inside of types are none between columns."""
    names, depth = [structure.split()[0]], 0
    for place, letter in enumerate(structure):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            names.append(structure[place + 1 :].split()[0])
    return names


def rows(taken: Taken, stream: str) -> list[dict[str, Any]]:
    """Return the rows that `taken` holds for a stream, by the names of its structure."""
    names = _names(STREAMS[stream].structure)
    return [
        dict(zip(names, orjson.loads(line), strict=True))
        for frame in taken.frames
        if frame.stream == stream
        for line in frame.content.split(b"\n")
    ]


def payload(row: Mapping[str, Any]) -> Any:
    """Return the event of a row of `sentry.events`, put together as the engine does."""
    parts = zip(row["pieces"], row["raws"], strict=True)
    return orjson.loads("".join(piece + raw for piece, raw in parts) + row["tail"])
