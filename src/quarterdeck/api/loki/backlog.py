"""Lines on their way to one reader, who may be slower than they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from quarterdeck.logs.logql.tailing import Entry

ENTRIES_MAX = 2000
LINES_BYTES = 8 << 20
DROPPED_MAX = 1000
# Of one message, but for a line that is longer by itself: many clients take a megabyte at most.
MESSAGE_ENTRIES = 100
MESSAGE_BYTES = 512 << 10


class Backlog:
    """At most ENTRIES_MAX lines of LINES_BYTES wait; of what comes while it is full, time and labels are kept.

    Of one event loop.
    """

    def __init__(self) -> None:
        self._waiting: deque[Entry] = deque()
        self._bytes = 0
        self._dropped: deque[Entry] = deque(maxlen=DROPPED_MAX)
        self._news = asyncio.Event()

    def put(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.is_dropped or len(self._waiting) >= ENTRIES_MAX or self._bytes + len(entry.line) > LINES_BYTES:
                self._dropped.append(Entry(entry.ts_ns, entry.id, "", entry.labels, is_dropped=True))
            else:
                self._waiting.append(entry)
                self._bytes += len(entry.line)
            self._news.set()

    async def wait(self) -> None:
        """Return when there is something to take."""
        await self._news.wait()

    def take(self) -> tuple[list[Entry], list[Entry]]:
        """Return what goes into one message: the oldest lines, and what was dropped since the message before."""
        self._waiting = deque(sorted(self._waiting, key=lambda entry: entry.ts_ns))
        taken: list[Entry] = []
        size = 0
        while self._waiting and len(taken) < MESSAGE_ENTRIES:
            size += len(self._waiting[0].line)
            if taken and size > MESSAGE_BYTES:
                break
            taken.append(self._waiting.popleft())
        self._bytes -= sum(len(entry.line) for entry in taken)
        dropped = list(self._dropped)
        self._dropped.clear()
        if not self._waiting:
            self._news.clear()
        return taken, dropped


def message(entries: Sequence[Entry], dropped: Sequence[Entry]) -> dict[str, Any]:
    """Return what Loki sends of a tail; `dropped_entries` only where there are some.

    See https://grafana.com/docs/loki/latest/reference/loki-http-api/#stream-logs
    """
    streams: dict[str, dict[str, Any]] = {}
    for entry in entries:
        stream = streams.setdefault(repr(entry.labels), {"stream": entry.labels, "values": []})
        stream["values"].append([str(entry.ts_ns), entry.line])
    told: dict[str, Any] = {"streams": list(streams.values())}
    if dropped:
        told["dropped_entries"] = [{"labels": one.labels, "timestamp": str(one.ts_ns)} for one in dropped]
    return told
