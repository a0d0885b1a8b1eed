"""The event loop of this process's connections, on a thread of its own, so that they stay warm between pieces of work.

Code without a loop (a Celery task, a command) calls `run`; code in another loop awaits `wrap`. After a fork the child
makes its own.
"""

from __future__ import annotations

import asyncio
import os
import resource
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import uvloop

from quarterdeck.remote.pool import Limits, Pool

T = TypeVar("T")
_lock = threading.Lock()
_mine: dict[int, _Portal] = {}


_MAX_CONNECTIONS = 8000


def _connections() -> int:
    """Return how many connections there may be: three quarters of the files that this process may open.

    What it may open is raised to what the system allows; the usual 1,024 are for programs that use select(2).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Where one of them is none, the other is large enough, or is raised.
    is_free = resource.RLIM_INFINITY in (soft, hard)
    wanted = 2 * _MAX_CONNECTIONS if is_free else min(hard, 2 * _MAX_CONNECTIONS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return min(_MAX_CONNECTIONS, wanted * 3 // 4)


class _Portal:
    """A thread with a loop and its pool."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self.pool = Pool(Limits(connections=_connections()))
        self._thread = threading.Thread(target=self.loop.run_forever, name="remote", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.pool.close(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


def _portal() -> _Portal:
    with _lock:
        portal = _mine.get(os.getpid())
        if portal is None:
            # What a parent left is its own: its thread did not come along.
            _mine.clear()
            portal = _mine[os.getpid()] = _Portal()
        return portal


def pool() -> Pool:
    """Return the process's pool. It is used inside `run` and `wrap` only."""
    return _portal().pool


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the loop of the connections and wait for its result. An interruption here cancels it there."""
    future = asyncio.run_coroutine_threadsafe(work, _portal().loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def running() -> asyncio.AbstractEventLoop:
    """Return the loop of this process's connections."""
    return _portal().loop


def start(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Begin `work` on the loop of the connections, and go on; the future is for any thread."""
    return asyncio.run_coroutine_threadsafe(work, _portal().loop)


async def wrap(work: Coroutine[Any, Any, T]) -> T:
    """The same for code in another loop."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, _portal().loop))


def stop() -> None:
    """Close every connection of this process."""
    with _lock:
        portal = _mine.pop(os.getpid(), None)
    if portal is not None:
        portal.stop()
