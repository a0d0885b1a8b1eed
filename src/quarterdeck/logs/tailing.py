"""Lines as they come in: the engine is asked for what arrived since, again and again, and filters."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

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


class Named(Protocol):
    """What tells one line from another."""

    @property
    def ts_ns(self) -> int: ...
    @property
    def id(self) -> str: ...


L = TypeVar("L", bound=Named)


@dataclass(frozen=True, slots=True)
class Lately:
    """Lines from [`since_ns`, `until_ns`) that were received at `arrived`, Unix time in seconds, or later."""

    since_ns: int
    until_ns: int
    arrived: int


class Tail(Generic[L]):
    """What comes in from now on, of what `read` finds. `poll` returns what is new since it was called last.

    `read` asks for the scope anew each time: a right that is taken away ends what is seen.
    """

    def __init__(self, read: Callable[[Lately], list[L]]) -> None:
        self._read = read
        self._known: set[tuple[int, str]] = set()
        self._order: deque[tuple[int, str]] = deque()
        # What is in the table already is not news.
        self.poll()

    def poll(self) -> list[L]:
        """Return new lines, oldest first. Raises Denied, BadQuery, TooHeavy, TooMany, Unavailable."""
        at = now()
        since, until = at - timedelta(seconds=LATE_SECONDS), at + timedelta(seconds=60)
        found = self._read(Lately(ns_of(since), ns_of(until), int(at.timestamp()) - _OVERLAP_SECONDS))
        lines = [line for line in found if (line.ts_ns, line.id) not in self._known]
        self.remember(lines)
        return sorted(lines, key=lambda line: (line.ts_ns, line.id))

    def remember(self, lines: Iterable[L]) -> None:
        """Take these lines for told."""
        for line in lines:
            self._known.add((line.ts_ns, line.id))
            self._order.append((line.ts_ns, line.id))
        while len(self._order) > _KNOWN_MAX:
            self._known.discard(self._order.popleft())


def tail(actor: Actor, query: str, selector: str = "") -> Tail[Line]:
    """Return the tail of what a query selects, at most 1,000 lines at a time. Raises as `poll`."""

    def read(lately: Lately) -> list[Line]:
        names, at = Names(), now()
        where = within(names, lately.since_ns, lately.until_ns) & selected(
            actor, Search(query, at, at, selector), names
        )
        return [line_of(row) for row in ask(actor, _ARRIVED, where, {"arrived": lately.arrived, "rows": _ROWS_MAX})]

    return Tail(read)


async def follow(actor: Actor, query: str, selector: str = "") -> AsyncIterator[list[Line]]:
    """Yield new lines in groups, and an empty group at each poll without any. Ends when the caller stops asking.

    Raises Denied, BadQuery, TooHeavy, Unavailable.
    """
    async for lines in news_of(await in_thread(tail, actor, query, selector)):
        yield lines


async def news_of(tail: Tail[L]) -> AsyncIterator[list[L]]:
    """Yield what `tail` finds each time that the intake has stored something. Raises as `follow`."""
    async with arrivals.followed() as news:
        while True:
            try:
                yield await in_thread(tail.poll)
            except TooMany:
                # Others of the person's searches run: the next turn has the same lines.
                yield []
            await asyncio.sleep(_PAUSE_SECONDS)
            await news.wait()
