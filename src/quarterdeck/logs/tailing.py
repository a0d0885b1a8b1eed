"""Lines as they come in: the engine is asked for what arrived since, again and again, and filters."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import timedelta

from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import TooMany
from quarterdeck.core.streams import in_thread
from quarterdeck.logs.limits import ask
from quarterdeck.logs.parsing import NO_FIELDS
from quarterdeck.logs.searching import COLUMNS, Line, Search, line_of, ns_of, selected, within
from quarterdeck.telemetry.arrivals import arrivals
from quarterdeck.telemetry.conditions import Names

# What is late by more than this does not show up in a live tail; a search finds it.
LATE_SECONDS = 3600
# A line is in the table some seconds after it was received at the latest, also when the engine was busy.
_OVERLAP_SECONDS = 30
# The engine is asked no more often than that when lines never stop to come.
_PAUSE_SECONDS = 0.25
_ROWS_MAX = 1000
_KNOWN_MAX = 100_000
_ARRIVED = f"""
    SELECT {COLUMNS.replace("{parsed}", NO_FIELDS)} FROM logs
    WHERE {{where}} AND received >= toDateTime({{arrived:Int64}}, 'UTC')
    ORDER BY received DESC, ts DESC LIMIT {{rows:UInt32}}"""


class Tail:
    """What comes in from now on and `query` selects. `poll` returns what is new since it was called last.

    The scope is asked anew at each poll: a right that is taken away ends what is seen.
    """

    def __init__(self, actor: Actor, query: str, selector: str = "") -> None:
        self._actor, self._query, self._selector = actor, query, selector
        self._began = now()
        self._known: set[tuple[int, str]] = set()
        self._order: deque[tuple[int, str]] = deque()
        # What is in the table already is not news.
        self._fresh()

    def poll(self) -> list[Line]:
        """Return new lines, oldest first, at most 1,000. Raises Denied, BadQuery, TooHeavy, Unavailable."""
        return self._fresh()

    def _fresh(self) -> list[Line]:
        at, names = now(), Names()
        search = Search(self._query, at - timedelta(seconds=LATE_SECONDS), at + timedelta(seconds=60), self._selector)
        where = within(names, search.since_ns, ns_of(search.until)) & selected(self._actor, search, names)
        arrived = int(at.timestamp()) - _OVERLAP_SECONDS
        rows = ask(self._actor, _ARRIVED, where, {"arrived": arrived, "rows": _ROWS_MAX})
        lines = [line for line in map(line_of, rows) if (line.ts_ns, line.id) not in self._known]
        self._remember(lines)
        return sorted(lines, key=lambda line: (line.ts_ns, line.id))

    def _remember(self, lines: list[Line]) -> None:
        for line in lines:
            self._known.add((line.ts_ns, line.id))
            self._order.append((line.ts_ns, line.id))
        while len(self._order) > _KNOWN_MAX:
            self._known.discard(self._order.popleft())


async def follow(actor: Actor, query: str, selector: str = "") -> AsyncIterator[list[Line]]:
    """Yield new lines in groups, and an empty group at each poll without any. Ends when the caller stops asking.

    Raises Denied, BadQuery, TooHeavy, Unavailable.
    """
    tail = await in_thread(Tail, actor, query, selector)
    async with arrivals.followed() as news:
        while True:
            try:
                yield await in_thread(tail.poll)
            except TooMany:
                # Others of the person's searches run: the next turn has the same lines.
                yield []
            await asyncio.sleep(_PAUSE_SECONDS)
            await news.wait()
