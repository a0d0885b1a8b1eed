"""What was sent lately, to know what a sender sends again because it did not see our answer."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from quarterdeck.intake.spool.frames import Entry

# How many of the newest bodies are remembered, and how long.
_REMEMBERED = 65_536
_REMEMBERED_SECONDS = 900.0

# An entry and what it is known by; None where a protocol may well send the same bytes twice.
Known = tuple[Entry, bytes | None]


class Recent:
    """Not thread-safe but for `known`."""

    def __init__(self, is_repeatable: Callable[[Entry], bool]) -> None:
        self._is_repeatable = is_repeatable
        self._seen: OrderedDict[bytes, tuple[float, Future[None]]] = OrderedDict()

    def known(self, entries: Sequence[Entry]) -> list[Known]:
        """Return the entries with their digests; slow for large ones."""
        return [(entry, _digest(entry) if self._is_repeatable(entry) else None) for entry in entries]

    def fresh(self, entries: Sequence[Known]) -> tuple[list[Known], list[Future[None]]]:
        """Leave out what was sent before; return the futures of those as well: they may be on their way still."""
        fresh: list[Known] = []
        earlier: dict[int, Future[None]] = {}
        for entry, digest in entries:
            seen = self._seen.get(digest) if digest is not None else None
            if seen is None or time.monotonic() - seen[0] > _REMEMBERED_SECONDS or _has_failed(seen[1]):
                fresh.append((entry, digest))
            else:
                earlier[id(seen[1])] = seen[1]
        return fresh, list(earlier.values())

    def remember(self, entries: Sequence[Known], done: Future[None]) -> None:
        for _entry, digest in entries:
            if digest is not None:
                self._seen[digest] = (time.monotonic(), done)
                self._seen.move_to_end(digest)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


def _digest(entry: Entry) -> bytes:
    # Processors have instructions for SHA-256: it takes half of BLAKE2's time, which is a tenth of a span's.
    digest = hashlib.sha256(f"{entry.protocol}\0{entry.frame.stream}\0{entry.key}\0".encode())
    digest.update(entry.frame.content)
    return digest.digest()[:16]


def _has_failed(future: Future[None]) -> bool:
    return future.done() and future.exception() is not None
