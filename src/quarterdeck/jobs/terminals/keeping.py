"""The terminals that this process serves: what they print is written down, and that they are alive.

For all of them together, once a moment: one insert costs the engine what a hundred small ones would each.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from secrets import token_hex

from quarterdeck.access.checks import may
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import OpsError
from quarterdeck.core.streams import in_thread, with_records
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries.items import HIDDEN
from quarterdeck.jobs.terminals import output
from quarterdeck.jobs.terminals.models import End, TerminalSession, TerminalState
from quarterdeck.jobs.terminals.output import Block
from quarterdeck.jobs.terminals.queries import OPEN
from quarterdeck.jobs.terminals.recording import Writer
from quarterdeck.remote.terminals import Size

WRITE_SECONDS = 0.5
_BEAT_SECONDS = 2.0
# Rights are asked for more dearly than the rest.
_RIGHTS_EVERY_BEATS = 15
# What may wait to be written for one terminal; then its host waits as well.
_WAITING_BYTES = 2 << 20
_UNWRITTEN_SECONDS = 20.0
# How long the end of one waits for its rest to be written.
_REST_SECONDS = 10.0

log = logging.getLogger(__name__)
SERVED_BY = f"{socket.gethostname()}:{os.getpid()}"


@dataclass(slots=True, eq=False)
class Recording:
    """What one terminal printed and is not written yet. `size_bytes` is all that is recorded of it, as it is stored."""

    session: int
    size_bytes: int = 0
    _writer: Writer = field(default_factory=Writer)
    _began: float = field(default_factory=time.monotonic)
    _lines: list[bytes] = field(default_factory=list)
    _last: float = 0.0
    _block: int = 0
    _waiting_bytes: int = 0
    _has_room: asyncio.Event = field(default_factory=asyncio.Event)

    def printed(self, data: bytes) -> None:
        self._add(self._writer.printed(self._seconds(), data))

    def resized(self, size: Size) -> None:
        self._add(self._writer.resized(self._seconds(), size))

    def ended(self) -> None:
        self._add(self._writer.rest(self._seconds()))

    async def room(self) -> None:
        """Return when not too much waits."""
        while self._waiting_bytes > _WAITING_BYTES:
            self._has_room.clear()
            await self._has_room.wait()

    def take(self) -> Block | None:
        """Return what waits as the next block; it counts as waiting until it is `written`."""
        if not self._lines:
            return None
        self._block += 1
        block = Block(self.session, self._block, self._last, b"".join(self._lines))
        self._lines.clear()
        return block

    def written(self, block: Block) -> None:
        self._waiting_bytes -= len(block.events)
        self._has_room.set()

    def _add(self, lines: bytes) -> None:
        if lines:
            self._lines.append(lines)
            self._waiting_bytes += len(lines)
            self.size_bytes += len(lines)

    def _seconds(self) -> float:
        self._last = time.monotonic() - self._began
        return self._last


@dataclass(slots=True, eq=False)
class Kept:
    """One terminal of this process. `stop` ends it, from outside of what serves it."""

    actor: Actor
    session: TerminalSession
    stop: Callable[[End], None]
    recording: Recording


@dataclass(slots=True)
class Keeper:
    """Belongs to one event loop, on which its tasks run while anything is kept.

    To write, to look how long that takes, and to beat have a task each: an engine that hangs keeps neither beats nor
    rights waiting, and records that hang do not keep the unwritten open.
    """

    _kept: set[Kept] = field(default_factory=set)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    # Blocks whose insert was not confirmed: the same again, under the same token.
    _tried: list[tuple[Recording, Block]] = field(default_factory=list)
    _token: str = ""
    # When the first try of these began.
    _tried_since: float | None = None
    _is_failing: bool = False
    _beats: int = 0

    def keep(self, one: Kept) -> None:
        self._kept.add(one)
        self._begin("write", self._write, WRITE_SECONDS)
        self._begin("stop unwritten", self._stop_unwritten, WRITE_SECONDS)
        self._begin("beat", self._beat, _BEAT_SECONDS)

    async def let_go(self, one: Kept) -> bool:
        """Keep it no more; whether all that it printed is written, as far as that is known in some seconds."""
        one.recording.ended()
        # Not cancelled when it takes longer: its insert goes on in a thread, and must not meet the same one again.
        writing = asyncio.create_task(self._write())
        done, _waiting = await asyncio.wait([writing], timeout=_REST_SECONDS)
        self._kept.discard(one)
        return bool(done) and writing.result()

    def _begin(self, name: str, work: Callable[[], Awaitable[object]], every_seconds: float) -> None:
        if name not in self._tasks or self._tasks[name].done():
            self._tasks[name] = asyncio.create_task(self._go_on(name, work, every_seconds))

    async def _go_on(self, name: str, work: Callable[[], Awaitable[object]], every_seconds: float) -> None:
        while self._kept or self._tried:
            await asyncio.sleep(every_seconds)
            try:
                await work()
            except Exception:
                log.exception("terminals: %s failed, it is tried again", name)

    async def _write(self) -> bool:
        """Write what waits; whether nothing waits any more."""
        async with self._lock:
            # First what was tried before: blocks of a recording stay in their order.
            return (not self._tried or await self._try()) and await self._write_new()

    async def _write_new(self) -> bool:
        self._tried = [(one.recording, block) for one in self._kept if (block := one.recording.take())]
        self._token = f"terminals-{token_hex(12)}"
        self._tried_since = time.monotonic() if self._tried else None
        return not self._tried or await self._try()

    async def _try(self) -> bool:
        try:
            await in_thread(output.store, [block for _recording, block in self._tried], self._token)
        except Exception as error:
            # ClickHouse also says DatabaseError when it has too many parts, or lost its Keeper; that passes as well.
            if not self._is_failing:
                traced = None if isinstance(error, OpsError) else error
                log.warning("what terminals print cannot be written, it is tried again: %s", error, exc_info=traced)
            self._is_failing = True
            return False
        self._is_failing, self._tried_since = False, None
        for recording, block in self._tried:
            recording.written(block)
        self._tried = []
        return True

    async def _stop_unwritten(self) -> None:
        if self._tried_since is not None and time.monotonic() - self._tried_since > _UNWRITTEN_SECONDS:
            for one in self._kept:
                one.stop(End.UNRECORDED)

    async def _beat(self) -> None:
        kept = list(self._kept)
        if not kept:
            return
        self._beats += 1
        try:
            ends = await with_records(_beaten, kept, asks_rights=self._beats % _RIGHTS_EVERY_BEATS == 0)
        except Exception:
            # The records are away for a moment; the next beat tells.
            log.warning("the records did not take a sign of life of the terminals", exc_info=True)
            return
        for one in kept:
            if one.session.pk in ends:
                one.stop(ends[one.session.pk])


def _beaten(kept: Iterable[Kept], *, asks_rights: bool) -> dict[int, End]:
    """Give a sign of life; return which terminals have to end, and why."""
    keys = [one.session.pk for one in kept]
    TerminalSession.objects.filter(pk__in=keys, state=TerminalState.OPEN).update(beat_at=now())
    rows = TerminalSession.objects.filter(pk__in=keys).values_list("pk", "state", "is_closing")
    ends = {
        pk: End.CLOSED if is_closing else End.VANISHED
        for pk, state, is_closing in rows
        if is_closing or state == TerminalState.ENDED
    }
    if asks_rights:
        ends.update({one.session.pk: End.WITHDRAWN for one in kept if not _may_go_on(one)})
    return ends


def _may_go_on(one: Kept) -> bool:
    """Whether its person may still have it, on an item that is still in the inventory."""
    item = Item.objects.filter(pk=one.session.item_id or 0).exclude(lifecycle__in=HIDDEN).first()
    return item is not None and may(one.actor, OPEN, item)


_keepers: dict[asyncio.AbstractEventLoop, Keeper] = {}


def keeper() -> Keeper:
    """Return the running loop's keeper."""
    return _keepers.setdefault(asyncio.get_running_loop(), Keeper())
