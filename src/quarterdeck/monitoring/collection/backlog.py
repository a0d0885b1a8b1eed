"""Samples that wait for an engine that is away: a bounded number, the oldest dropped first, and counted."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from quarterdeck.core.errors import Unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")


class Backlog(Generic[T]):
    """Keeps up to `limit` batches in memory while `write` raises Unavailable; it lives and ends with its process."""

    def __init__(self, limit: int) -> None:
        self._waiting: deque[Sequence[T]] = deque()
        self._limit = limit
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, batch: Sequence[T]) -> None:
        self._waiting.append(batch)
        if len(self._waiting) > self._limit:
            self.dropped += len(self._waiting.popleft())
            log.warning("the telemetry engine is away: %d samples dropped since the start", self.dropped)

    def flush(self, write: Callable[[Sequence[T]], object]) -> int:
        """Write what waits, oldest first, in one go; return how many samples. When that fails all keeps waiting."""
        batches = list(self._waiting)
        if not batches:
            return 0
        samples = [sample for batch in batches for sample in batch]
        try:
            write(samples)
        except Unavailable as error:
            log.warning("the telemetry engine is away, %d samples wait: %s", len(samples), error.message)
            return 0
        for _batch in batches:
            self._waiting.popleft()
        return len(samples)
