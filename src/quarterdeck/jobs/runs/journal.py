"""Between the loop on which hosts are worked on and the thread that writes records: neither waits for the other's I/O.

The loop tells what begins, what is printed and what ends; the thread takes it in turns, writes it and lets the loop go
on. Of output only so much waits: over it, hosts are held back through the windows of their channels.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from quarterdeck.jobs.runners import End
from quarterdeck.remote.sessions import Chunk

_MAX_WAITING_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Ended:
    """A host, how it ended, and how long it took from when it was its turn."""

    host: int
    end: End
    seconds: float


@dataclass(slots=True)
class Turn:
    """What the thread takes at once. `begins` holds the hosts that want to begin and what they wait for."""

    begins: list[tuple[Sequence[int], asyncio.Future[bool]]] = field(default_factory=list)
    output: list[tuple[int, Chunk]] = field(default_factory=list)
    ends: list[Ended] = field(default_factory=list)
    is_over: bool = False

    def __bool__(self) -> bool:
        return bool(self.begins or self.output or self.ends or self.is_over)


class Journal:
    """One for each shard that is worked on. `loop` is where the hosts are worked on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._turn = Turn()
        self._waiting_bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        # The first line of a host is written at once, more of them in the pace of the turns.
        self._is_urgent = threading.Event()

    async def begin(self, hosts: Sequence[int]) -> bool:
        """Return once it is on record that the hosts begin; False when nothing is to begin any more."""
        waits = self.loop.create_future()
        with self._lock:
            self._turn.begins.append((hosts, waits))
        self._is_urgent.set()
        self._news.set()
        return bool(await waits)

    async def output(self, host: int, chunk: Chunk) -> None:
        """Note what a host printed; wait while too much of it is not written yet."""
        with self._lock:
            self._turn.output.append((host, chunk))
            self._waiting_bytes += len(chunk.data)
            if self._waiting_bytes > _MAX_WAITING_BYTES:
                self._room.clear()
        self._news.set()
        await self._room.wait()

    def end(self, host: int, end: End, seconds: float) -> None:
        with self._lock:
            self._turn.ends.append(Ended(host, end, seconds))
        self._news.set()

    def close(self) -> None:
        """Tell the thread that nothing comes any more."""
        with self._lock:
            self._turn.is_over = True
        self._is_urgent.set()
        self._news.set()

    def take(self, pace_seconds: float, patience_seconds: float) -> Turn:
        """Return what has come, for the thread: at once when a host wants to begin, else in the pace given.

        Returns an empty turn when nothing comes within `patience_seconds`.
        """
        if self._news.wait(patience_seconds):
            self._is_urgent.wait(pace_seconds)
        with self._lock:
            taken, self._turn = self._turn, Turn()
            self._news.clear()
            self._is_urgent.clear()
        return taken

    def written(self, turn: Turn) -> None:
        """Say that a turn's output is stored: there is room for as much again."""
        freed = sum(len(chunk.data) for _host, chunk in turn.output)
        with self._lock:
            self._waiting_bytes -= freed
            has_room = self._waiting_bytes <= _MAX_WAITING_BYTES
        if freed and has_room:
            self.loop.call_soon_threadsafe(self._room.set)

    def answer(self, waits: asyncio.Future[bool], may: bool) -> None:
        self.loop.call_soon_threadsafe(_answer, waits, may)


def _answer(waits: asyncio.Future[bool], may: bool) -> None:
    if not waits.done():
        waits.set_result(may)
