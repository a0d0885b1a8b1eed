"""CAT's text format PT1: a line for each message, its fields between tabs.

The times are those of the client's clock, without a zone: China's for Java's client, the machine's for the C client. A
tree comes seconds after it was made, so the zone follows from when it comes. Java's client escapes tabs and line ends,
the C client does not: a line that does not begin as one does belongs to the data before it. See encoder_text.c of https://github.com/dianping/cat
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from quarterdeck.telemetry.receivers.cat.trees import Header, Message, Transaction, Tree, known
from quarterdeck.telemetry.receiving import Refused

# Zones differ by quarters of an hour, from 12 hours behind to 14 before.
_QUARTER_MS = 900_000
_ZONES = range(-12 * 4, 14 * 4 + 1)
_CHINA = 8 * 4
_HEADER_FIELDS = 11
_LINE = re.compile(r"^([tTAEMHL])(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\t", re.MULTILINE | re.ASCII)
_DURATION = re.compile(r"(\d{1,18})us", re.ASCII)
_ESCAPE = re.compile(r"\\([tnr\\])")
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


def tree_of(content: bytes, now_ms: int) -> Tree:
    """Return the tree in a PT1 frame that came at `now_ms`. Raises Refused."""
    head, _, body = content.decode(errors="replace").partition("\n")
    fields = head.split("\t")
    if len(fields) != _HEADER_FIELDS:
        raise Refused(f"a header has {_HEADER_FIELDS} fields, found {len(fields)}")
    tree = Tree(Header(*fields[1:]))
    # Around each match of the pattern with its two groups: what is before, kind, time, rest.
    parts = _LINE.split(body)
    if parts[0].strip():
        raise Refused("a message does not begin with its kind and time")
    times = [_milliseconds(time) for time in parts[2::3]]
    shift = _zone_ms(times[0], now_ms) if times else 0
    for kind, time, rest in zip(parts[1::3], times, parts[3::3], strict=True):
        _read_message(tree, kind, time - shift, rest)
    if not tree.is_complete:
        raise Refused("a transaction does not end")
    return tree


def _zone_ms(time: int, now_ms: int) -> int:
    """Return how far the client's clock is before UTC's; China's zone for a tree that is no news."""
    quarters = round((time - now_ms) / _QUARTER_MS)
    return (quarters if quarters in _ZONES else _CHINA) * _QUARTER_MS


def _read_message(tree: Tree, kind: str, at_ms: int, rest: str) -> None:
    rest = rest.removesuffix("\n").removesuffix("\t")
    if kind == "t":
        type_, name = _fields(rest, 2)
        tree.begin(Transaction(at_ms, type_, name))
    elif kind in "AT":
        type_, name, status, duration, data = _fields(rest, 5)
        if kind == "A":
            tree.begin(Transaction(at_ms, type_, name))
        try:
            tree.end(status, data, _microseconds(duration))
        except IndexError:
            raise Refused("a transaction ends that did not begin") from None
    else:
        tree.log(Message(kind, at_ms, *_fields(rest, 4)))


def _fields(rest: str, count: int) -> list[str]:
    """Return that many fields; tabs in the last one are its own."""
    found = rest.split("\t", count - 1)
    if len(found) != count:
        raise Refused(f"a message has {count} fields behind its time, found {len(found)}")
    return [known(_ESCAPE.sub(lambda match: _ESCAPED[match[1]], field)) for field in found]


def _milliseconds(time: str) -> int:
    try:
        return round(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise Refused(f'"{time}" is no time') from error


def _microseconds(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Refused(f'"{text[:40]}" is no duration')
    return int(match[1])
