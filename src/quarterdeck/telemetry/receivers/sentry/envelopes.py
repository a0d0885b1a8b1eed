"""Envelopes: a header, then items of a header and a payload each.

See https://develop.sentry.dev/sdk/foundations/envelopes/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from quarterdeck.telemetry.receivers.sentry.values import load_object
from quarterdeck.telemetry.receiving import Refused

_HEADER_MAX_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Item:
    """One item: `kind` is its type."""

    kind: str
    header: dict[str, Any]
    payload: bytes


def header_of(body: bytes) -> dict[str, Any]:
    """Return the header of an envelope. Raises Refused."""
    line, _newline, _rest = body[: _HEADER_MAX_BYTES + 1].partition(b"\n")
    if len(line) > _HEADER_MAX_BYTES:
        raise Refused("the envelope's header does not end", reason="header")
    return _object(line, "envelope")


def items(body: bytes) -> Iterator[Item]:
    """Yield the items of an envelope. Raises Refused where the framing breaks."""
    at = body.find(b"\n") + 1 or len(body)
    while at < len(body):
        # Empty lines may follow a payload.
        if body[at] in b"\r\n":
            at += 1
            continue
        end = _end_of_line(body, at)
        header = _object(body[at:end], "item")
        payload, at = _payload(body, end + 1, header.get("length"))
        kind = header.get("type")
        if not isinstance(kind, str):
            raise Refused("an item has no type", reason="header")
        yield Item(kind, header, payload)


def _payload(body: bytes, start: int, length: Any) -> tuple[bytes, int]:
    """Return a payload and where the next item begins: after `length` bytes, without one at the next newline."""
    if length is None:
        end = _end_of_line(body, start)
        return body[start:end], end + 1
    if isinstance(length, bool) or not isinstance(length, int) or length < 0:
        raise Refused("an item's length is no number", reason="header")
    end = start + length
    if end > len(body):
        raise Refused("the envelope ends before an item does", reason="truncated")
    if end < len(body) and body[end] not in b"\r\n":
        raise Refused("an item is longer than its header says", reason="header")
    return body[start:end], end + 1


def _end_of_line(body: bytes, start: int) -> int:
    end = body.find(b"\n", start)
    return len(body) if end < 0 else end


def _object(line: bytes, what: str) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = load_object(line) if line.lstrip().startswith(b"{") else None
    if not isinstance(found, dict):
        raise Refused(f"the {what} header is no JSON object", reason="header")
    return found
