"""What pushing and pulling have in common: one connection, a host's time, and what is said on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import asyncssh

from quarterdeck.jobs.runners import Circumstances, End, Host, Parts
from quarterdeck.jobs.runners.ssh import end_of
from quarterdeck.remote.files.session import Progress
from quarterdeck.remote.metering import Meter
from quarterdeck.remote.sessions import Chunk, Stream

# Of smaller ones nobody waits for the next quarter.
_LARGE_BYTES = 16 << 20


class Say(Protocol):
    def __call__(self, text: str, stream: Stream = Stream.STDOUT) -> None: ...


Transfer = Callable[[asyncssh.SSHClientConnection, Say], Awaitable[End]]


async def transferring(host: Host, around: Circumstances, transfer: Transfer) -> Parts:
    """Yield what `transfer` says, and its end: a failure when the host's time is over before."""
    said: asyncio.Queue[Chunk | None] = asyncio.Queue()
    left, is_cut = around.max_bytes, False

    def say(text: str, stream: Stream = Stream.STDOUT) -> None:
        nonlocal left, is_cut
        data = text.encode(errors="replace")
        is_cut = is_cut or len(data) > left
        if data := data[:left]:
            left -= len(data)
            said.put_nowait(Chunk(stream, data))

    async def work() -> End:
        try:
            async with around.pool.lease(host.target, around.host_keys, around.patience) as connection:
                return await _in_time(transfer(connection, say), around)
        finally:
            said.put_nowait(None)

    task = asyncio.create_task(work())
    try:
        while (chunk := await said.get()) is not None:
            yield chunk
        yield replace(await task, is_cut=is_cut)
    finally:
        task.cancel()
        # What it left on the host is cleared before the next one comes.
        with suppress(asyncio.CancelledError, Exception):
            await task


async def _in_time(work: Awaitable[End], around: Circumstances) -> End:
    patience = asyncio.timeout(around.patience.run)
    try:
        async with patience:
            return await work
    except TimeoutError:
        if not patience.expired():
            raise
        return end_of(Meter().exit(None, is_timed_out=True), around)


def quarters(say: Say, path: str) -> Progress:
    """Return what says each quarter of a large transfer: the same lines for every host, so that they fold."""
    told = 0

    def progress(done_bytes: int, all_bytes: int) -> None:
        nonlocal told
        quarter = done_bytes * 4 // all_bytes if all_bytes >= _LARGE_BYTES else 0
        # At once at its end: nothing had to be sent.
        if quarter > told and not (told == 0 and quarter == 4):
            told = quarter
            say(f"{path}: {quarter * 25} % of {all_bytes >> 20} MB\n", Stream.STDERR)

    return progress
