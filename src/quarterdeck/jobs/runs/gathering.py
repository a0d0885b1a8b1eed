"""Output of hosts on its way to the engine: cut at the ends of lines where it can be, without known secrets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from quarterdeck.remote.sessions import Stream

MASK = b"********"
# A shorter secret is part of many an innocent word.
_MIN_SECRET_BYTES = 6
# A line without an end is passed on in pieces of this size, or when nothing more of it comes for a while.
_LONGEST_LINE_BYTES = 64 << 10


def masks(secrets: Iterable[str]) -> tuple[bytes, ...]:
    """Return what is never written, the longest first: a secret, and each line of one that has several."""
    found = {line.strip().encode() for secret in secrets for line in (secret, *secret.splitlines())}
    return tuple(sorted((one for one in found if len(one) >= _MIN_SECRET_BYTES), key=len, reverse=True))


@dataclass(slots=True)
class _Lines:
    """What one host printed on one stream and is not passed on yet."""

    waiting: bytearray = field(default_factory=bytearray)
    has_waited: bool = False
    count: int = 0
    digest: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=8))

    def add(self, data: bytes) -> None:
        self.waiting += data
        self.count += len(data)
        self.has_waited = False

    def take(self, hidden: Sequence[bytes], *, is_last: bool) -> bytes:
        """Return whole lines, or all of it when it is the last or has waited long enough."""
        whole = self.waiting.rfind(b"\n") + 1
        rest = len(self.waiting) - whole
        if is_last or self.has_waited or rest > _LONGEST_LINE_BYTES:
            whole = len(self.waiting) - (0 if is_last else _begun(self.waiting, hidden))
        self.has_waited = bool(rest) and whole != len(self.waiting)
        data = bytes(self.waiting[:whole])
        del self.waiting[:whole]
        for secret in hidden:
            data = data.replace(secret, MASK)
        self.digest.update(data)
        return data


def _begun(data: bytearray, hidden: Sequence[bytes]) -> int:
    """Return how many bytes at the end may be the beginning of a secret, whose rest is still to come."""
    found = 0
    for secret in hidden:
        longest = min(len(secret) - 1, len(data))
        found = max(found, next((n for n in range(longest, 0, -1) if data.endswith(secret[:n])), 0))
    return found


@dataclass(frozen=True, slots=True)
class Printed:
    """What is known of a host's output at its end: bytes of each stream; equal hashes for equal output."""

    stdout_bytes: int
    stderr_bytes: int
    hash: str


class Gathering:
    """The output of a shard's hosts; `hidden` is what `masks` returned."""

    def __init__(self, hidden: Sequence[bytes]) -> None:
        self._hidden = hidden
        self._hosts: dict[int, dict[Stream, _Lines]] = {}

    def add(self, host: int, stream: Stream, data: bytes) -> None:
        self._lines(host)[stream].add(data)

    def take(self, ended: Iterable[int]) -> Iterator[tuple[int, Stream, bytes]]:
        """Yield what is to be passed on now: of the hosts that have `ended` everything."""
        over = set(ended)
        for host, streams in self._hosts.items():
            for stream, lines in streams.items():
                if lines.waiting and (data := lines.take(self._hidden, is_last=host in over)):
                    yield host, stream, data

    def close(self, host: int) -> Printed:
        """Forget a host whose output was taken to the end."""
        streams = self._lines(host)
        del self._hosts[host]
        out, err = streams[Stream.STDOUT], streams[Stream.STDERR]
        both = hashlib.blake2b(out.digest.digest() + err.digest.digest(), digest_size=8)
        return Printed(out.count, err.count, both.hexdigest())

    def _lines(self, host: int) -> dict[Stream, _Lines]:
        return self._hosts.setdefault(host, {stream: _Lines() for stream in Stream})
