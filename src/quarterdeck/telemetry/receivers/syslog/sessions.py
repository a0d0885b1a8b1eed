"""Messages out of datagrams and connections. See https://www.rfc-editor.org/rfc/rfc6587"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from quarterdeck.telemetry.canonical import frame_of_logs
from quarterdeck.telemetry.receivers.syslog.lines import row_of
from quarterdeck.telemetry.receiving import Peer, Refused, Taken

MESSAGE_MAX_BYTES = 1 << 20
_COUNT = re.compile(rb"([1-9]\d{0,7}) <")
_END = re.compile(rb"[\n\0]")
_COUNT_BEGINS = re.compile(rb"[1-9]\d{0,7} ?\Z")


class Datagram:
    """One datagram is one message."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def feed(self, data: bytes) -> Iterable[Taken]:
        row = row_of(data, self._peer.address, self._peer.now())
        return [Taken([frame_of_logs([row])])] if row else []

    def end(self) -> Iterable[Taken]:
        return ()


class Connection:
    """Messages follow one another, each with its length before it or a newline (or NUL) behind it."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._buffer = b""

    def feed(self, data: bytes) -> Iterable[Taken]:
        self._buffer += data
        return self._taken(list(self._messages()))

    def end(self) -> Iterable[Taken]:
        """What is left without an end is a message of its own."""
        last, self._buffer = self._buffer, b""
        return self._taken([last])

    def _taken(self, messages: list[bytes]) -> Iterator[Taken]:
        now = self._peer.now()
        rows = [row for message in messages if (row := row_of(message, self._peer.address, now))]
        if rows:
            yield Taken([frame_of_logs(rows)])
        if len(self._buffer) > MESSAGE_MAX_BYTES:
            raise Refused(f"a message is longer than {MESSAGE_MAX_BYTES >> 20} MB", reason="too_large")

    def _messages(self) -> Iterator[bytes]:
        buffer, at = self._buffer, 0
        while at < len(buffer):
            begin, end, following = _next(buffer, at)
            if end < 0:
                break
            yield buffer[begin:end]
            at = following
        self._buffer = buffer[at:]


def _next(buffer: bytes, at: int) -> tuple[int, int, int]:
    """Return where the next message begins and ends, and where the one behind it begins; the end is -1 while it lacks."""
    counted = _COUNT.match(buffer, at)
    if counted:
        begin = counted.end() - 1
        end = begin + int(counted[1])
        if end - begin > MESSAGE_MAX_BYTES:
            raise Refused(f"a message is longer than {MESSAGE_MAX_BYTES >> 20} MB", reason="too_large")
        return (begin, end, end) if end <= len(buffer) else (begin, -1, at)
    if _COUNT_BEGINS.match(buffer, at):
        return at, -1, at
    # Both at once: who looks for newlines first reads to the end of the buffer for each of a sender's NULs.
    found = _END.search(buffer, at)
    return (at, found.start(), found.end()) if found else (at, -1, at)
