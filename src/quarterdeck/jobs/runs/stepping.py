"""The hosts of a shard on the event loop: so many at once, each to its end, all of them ended when the run is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Any

from quarterdeck.core.errors import OpsError
from quarterdeck.jobs.runners import Circumstances, End, Host, Together, failure
from quarterdeck.jobs.runs.hosting import Prepared, fault
from quarterdeck.jobs.runs.journal import Journal
from quarterdeck.jobs.runs.models import HostStatus
from quarterdeck.remote.sessions import Chunk

log = logging.getLogger(__name__)


class Steps:
    """`work` runs on the loop; `halt` may be called from any thread."""

    def __init__(self, prepared: Prepared, around: Circumstances, journal: Journal, at_once: int) -> None:
        self._prepared = prepared
        self._around = around
        self._journal = journal
        self._at_once = at_once
        self._loop = journal.loop
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_halted = False
        self._why = ""
        self._work: Any = prepared.work
        self._refusal: OpsError | None = None

    def halt(self, why: str = "") -> None:
        """End what runs, on the hosts too, and begin nothing more."""
        self._loop.call_soon_threadsafe(self._halt, why)

    def _halt(self, why: str) -> None:
        if self._is_halted:
            return
        self._is_halted, self._why = True, why
        for task in self._tasks:
            task.cancel()

    async def work(self) -> None:
        """Work on all hosts; return when each has ended or will not begin."""
        try:
            async with AsyncExitStack() as opened:
                await self._open(opened)
                if (run := self._prepared.runner.run_together) is not None:
                    await self._in_parts(run, self._prepared.hosts)
                else:
                    await self._work_on(list(self._prepared.hosts))
        finally:
            self._journal.close()

    async def _open(self, opened: AsyncExitStack) -> None:
        """Make what the hosts share. When that fails, it is how each of them ends."""
        runner = self._prepared.runner
        if runner.opened is None:
            return
        try:
            shared = runner.opened(self._prepared.work, self._prepared.hosts, self._around)
            self._work = await opened.enter_async_context(shared)
        except OpsError as error:
            self._refusal = error

    async def _work_on(self, waiting: list[Host]) -> None:
        while waiting and not self._is_halted:
            some = waiting[: self._at_once - len(self._tasks)]
            del waiting[: len(some)]
            if not await self._begin(some):
                break
            await self._room()
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _in_parts(self, run: Together, hosts: Sequence[Host]) -> None:
        """Work on hosts that a runner does together: as many as may be at once, then the next."""
        for start in range(0, len(hosts), self._at_once):
            some = hosts[start : start + self._at_once]
            if self._is_halted or not await self._journal.begin([host.id for host in some]):
                return
            if self._is_halted:
                self._all_cancelled(some)
                return
            task = asyncio.create_task(self._together(run, some))
            self._tasks.add(task)
            task.add_done_callback(partial(self._done, some))
            await asyncio.wait([task])

    async def _together(self, run: Together, hosts: Sequence[Host]) -> None:
        began = time.monotonic()
        left = {host.id: host for host in hosts}

        def ended(host: Host, end: End) -> None:
            if left.pop(host.id, None) is not None:
                self._journal.end(host.id, end, max(time.monotonic() - began, 0.001))

        rest = await self._rest(run, hosts, ended)
        for host in list(left.values()):
            ended(host, rest)

    async def _rest(self, run: Together, hosts: Sequence[Host], ended: Callable[[Host, End], None]) -> End:
        """Return how those ended of which the runner did not tell it."""
        try:
            async with aclosing(run(hosts, self._prepared.work, self._around)) as parts:
                async for host, part in parts:
                    if isinstance(part, Chunk):
                        await self._journal.output(host.id, part)
                    else:
                        ended(host, part)
        except asyncio.CancelledError:
            return End(HostStatus.CANCELLED, error=self._why, error_code="cancelled")
        except OpsError as error:
            return failure(error)
        except Exception:
            log.exception("%d hosts of a run", len(hosts))
        return fault()

    async def _begin(self, hosts: Sequence[Host]) -> bool:
        if not await self._journal.begin([host.id for host in hosts]):
            return False
        for host in hosts:
            if self._is_halted:
                self._all_cancelled([host])
                continue
            task = asyncio.create_task(self._one(host))
            self._tasks.add(task)
            task.add_done_callback(partial(self._done, [host]))
        return True

    def _done(self, hosts: Sequence[Host], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        # Ended before its first step: it never came to say so itself.
        if task.cancelled():
            self._all_cancelled(hosts)

    def _all_cancelled(self, hosts: Sequence[Host]) -> None:
        for host in hosts:
            self._journal.end(host.id, End(HostStatus.CANCELLED, error=self._why, error_code="cancelled"), 0.001)

    async def _room(self) -> None:
        """Return when another host may begin."""
        while len(self._tasks) >= self._at_once:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _one(self, host: Host) -> None:
        began = time.monotonic()
        try:
            end = await self._end(host)
        except asyncio.CancelledError:
            end = End(HostStatus.CANCELLED, error=self._why, error_code="cancelled")
        self._journal.end(host.id, end, max(time.monotonic() - began, 0.001))

    async def _end(self, host: Host) -> End:
        """Return how the host's part ended, whatever happens."""
        if self._refusal is not None:
            return failure(self._refusal)
        if (run := self._prepared.runner.run) is None:
            raise AssertionError("BUG: a runner that does nothing")
        try:
            async with aclosing(run(host, self._work, self._around)) as parts:
                async for part in parts:
                    if isinstance(part, Chunk):
                        await self._journal.output(host.id, part)
                    else:
                        return part
        except OpsError as error:
            return failure(error)
        except Exception:
            log.exception("host %d of a run", host.id)
            return fault()
        raise AssertionError("BUG: a runner ended without an End")
