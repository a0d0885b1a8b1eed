"""Knowing at once that the intake has stored something, for those who follow what comes in.

One thread of a process asks the intake while somebody follows, and wakes all of them; the intake in turn gathers only
for a moment while it is asked.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress

from quarterdeck.core.errors import OpsError
from quarterdeck.telemetry import intake_door

log = logging.getLogger(__name__)

# The intake answers within two; without news it may answer at once, when others wait there.
_ANSWER_SECONDS = 10
_PAUSE_SECONDS = 0.2
_AWAY_SECONDS = 1.0

# How often a follower looks by himself: other intakes may store as well, and one that is away tells nothing.
_LOOK_SECONDS = 2.0
_LOOK_UNTOLD_SECONDS = 0.4

Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Event]


class Arrivals:
    """`async with arrivals.followed() as news:` and then `await news.wait()`, which returns when there is some.

    `is_told`: the intake answers.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: set[Waiter] = set()
        self._thread: threading.Thread | None = None
        self.is_told = False

    def followed(self) -> News:
        return News(self)

    def join(self, waiter: Waiter) -> None:
        with self._lock:
            self._waiters.add(waiter)
            if self._thread is None:
                self._thread = threading.Thread(target=self._ask, name="arrivals", daemon=True)
                self._thread.start()

    def leave(self, waiter: Waiter) -> None:
        with self._lock:
            self._waiters.discard(waiter)

    def _is_over(self) -> bool:
        """True, and the thread forgotten, when nobody follows any more."""
        with self._lock:
            if not self._waiters:
                self._thread = None
            return not self._waiters

    def _ask(self) -> None:
        known = ""
        while not self._is_over():
            try:
                answer = intake_door.ask("GET", "/intake/stored", params={"known": known}, seconds=_ANSWER_SECONDS)
            except OpsError as error:
                log.info("nobody tells what comes in: %s", error.message)
                self.is_told = False
                time.sleep(_AWAY_SECONDS)
                continue
            self.is_told = True
            if str(answer["stored"]) == known:
                time.sleep(_PAUSE_SECONDS)
            else:
                known = str(answer["stored"])
                self._wake()
        self.is_told = False

    def _wake(self) -> None:
        with self._lock:
            for loop, event in self._waiters:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(event.set)


class News:
    """One follower's place, of the event loop that entered it."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals

    async def __aenter__(self) -> News:
        self._event = asyncio.Event()
        self._waiter = (asyncio.get_running_loop(), self._event)
        self._arrivals.join(self._waiter)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._arrivals.leave(self._waiter)

    async def wait(self) -> None:
        """Return when something was stored since the last call, and now and then without that."""
        seconds = _LOOK_SECONDS if self._arrivals.is_told else _LOOK_UNTOLD_SECONDS
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        self._event.clear()


arrivals = Arrivals()
