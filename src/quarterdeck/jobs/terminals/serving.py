"""One terminal between a browser and a host: what each says goes to the other, and what the host prints is recorded.

    browser                        here                            host
    bytes: what is typed           ->                              its pty
    {"kind": "size", ...}          ->                              window change
    {"kind": "seen", "bytes": n}   how much the page has drawn
    {"kind": "close"}              it is enough
                                   <-  bytes: what it prints
                                   <-  {"kind": "open" | "idle" | "end", ...}

Nobody holds more than a bound: a page that does not draw holds back what is read from the host, and so does a recording
that cannot be written.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, NotFound, OpsError
from quarterdeck.core.streams import with_records
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.terminals import actions
from quarterdeck.jobs.terminals.keeping import SERVED_BY, Kept, Recording, keeper
from quarterdeck.jobs.terminals.models import End, TerminalSession
from quarterdeck.jobs.terminals.reaching import Line
from quarterdeck.jobs.ways import Way, note_host_keys, way_to
from quarterdeck.remote import loop
from quarterdeck.remote.errors import RemoteError
from quarterdeck.remote.terminals import Size, Terminal, in_container

# On its way to a page and not drawn yet.
_UNSEEN_BYTES = 512 << 10
_LOOK_SECONDS = 0.5
_WARN_SECONDS = 60.0
_COLUMNS_MAX, _ROWS_MAX = 1000, 500
# Between two sizes that the host is told; of those that a page says meanwhile, the last one counts.
_RESIZE_SECONDS = 0.1

log = logging.getLogger(__name__)
Send = Callable[[str | bytes], Awaitable[None]]


def size_of(columns: object, rows: object) -> Size:
    """Raises BadInput for what is no size of a terminal."""
    size = Size(_number(columns), _number(rows))
    if not (1 <= size.columns <= _COLUMNS_MAX and 1 <= size.rows <= _ROWS_MAX):
        raise BadInput(_("this is no size of a terminal"), hint="80, 24", field="columns")
    return size


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


class Serving:
    """One terminal of one browser. `send` waits while that takes nothing, and raises ConnectionError when it left."""

    def __init__(
        self, actor: Actor, session_id: int, size: Size, send: Send, is_stopped: Callable[[], bool]
    ) -> None:  # fmt: skip
        self._actor, self._session_id, self._size = actor, session_id, size
        self._send, self._is_stopped = send, is_stopped
        self._terminal: Terminal | None = None
        self._kept: Kept | None = None
        self._line = Line()
        self._end: End | None = None
        self._error = ""
        self._told: dict[str, Any] = {}
        self._printed_bytes = self._unseen_bytes = 0
        self._typed = time.monotonic()
        self._may_send = asyncio.Event()
        self._is_resized = asyncio.Event()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Serve it to its end, which the browser is told."""
        try:
            session = await self._take()
        except OpsError as error:
            self._refused(error)
            await self._tell(kind="end", why=self._end, **self._told)
            return
        with translation.override(session.language or None):
            await self._run(session)

    async def _take(self) -> TerminalSession:
        """Return the terminal, which is ours from then on: who leaves in that moment ends it."""
        taking = asyncio.ensure_future(
            with_records(actions.take_session, self._actor, self._session_id, self._size, SERVED_BY)
        )
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            await with_records(actions.end_session, await taking, End.LEFT)
            raise

    async def _run(self, session: TerminalSession) -> None:
        try:
            await self._serve(session)
        except asyncio.CancelledError:
            self._end = self._end or (End.STOPPED if self._is_stopped() else End.LEFT)
            raise
        except ConnectionError:
            # The browser has left, which sending to it found out first.
            self._end = self._end or End.LEFT
            raise
        except OpsError as error:
            self._refused(error)
        except Exception:
            self._error = _("a fault of Quarterdeck itself; its log tells more")
            raise
        finally:
            # Whoever cancels this does not cancel that.
            await asyncio.shield(asyncio.create_task(self._finish(session)))
        await self._tell(kind="end", why=self._end, exit_code=self._exit_code, **self._told)

    async def hear(self, message: str | bytes) -> None:
        """Take what the browser says. Raises BadInput, TooMany."""
        if isinstance(message, bytes):
            self._typed = time.monotonic()
            if self._terminal is not None:
                await loop.wrap(self._terminal.write(message))
            return
        said = _read(message)
        if said["kind"] == "seen":
            self._unseen_bytes = max(0, self._unseen_bytes - said["bytes"])
            self._may_send.set()
        elif said["kind"] == "close":
            self._stop(End.CLOSED)
        else:
            self._size = size_of(said["columns"], said["rows"])
            self._is_resized.set()
            # The host is told before it gets what is typed next.
            await asyncio.sleep(0)

    @property
    def _exit_code(self) -> int | None:
        return self._terminal.exit_code if self._terminal is not None and self._end is End.EXITED else None

    async def _serve(self, session: TerminalSession) -> None:
        if session.item is None:
            raise NotFound(_("the host is gone from the inventory"))
        way = await with_records(way_to, self._actor, session.item, f"terminal {session.pk}")
        await with_records(actions.note_account, self._actor, session, way.target.user)
        terminal, recording = await self._open(session, session.item, way), Recording(session.pk)
        self._kept = Kept(self._actor, session, self._stop, recording)
        keeper().keep(self._kept)
        await self._tell(kind="open", place=session.place)
        sizes = self._pass_sizes(terminal, recording, Size(session.columns, session.rows))
        works = [
            asyncio.ensure_future(one)
            for one in (self._pass_on(terminal, recording), sizes, self._watch(), self._over.wait())
        ]
        try:
            done, _others = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            for one in works:
                one.cancel()
            await asyncio.gather(*works, return_exceptions=True)

    async def _open(self, session: TerminalSession, item: Item, way: Way) -> Terminal:
        command = in_container(session.container) if session.container else None
        try:
            self._terminal = await loop.wrap(self._line.open(way, self._size, command))
            return self._terminal
        finally:
            await with_records(note_host_keys, self._actor, item, way)

    async def _pass_on(self, terminal: Terminal, recording: Recording) -> None:
        """Hand on what the host prints, until it has nothing more to say."""
        while (data := await loop.wrap(terminal.next())) is not None:
            self._printed_bytes += len(data)
            recording.printed(data)
            if not await self._is_recorded(recording):
                return
            await self._room()
            self._unseen_bytes += len(data)
            await self._send(data)
        self._stop(End.LOST if terminal.exit_code is None else End.EXITED)

    async def _pass_sizes(self, terminal: Terminal, recording: Recording, size: Size) -> None:
        """Tell the host and the recording which size the page has now; `size` is the one that they know."""
        while True:
            await self._is_resized.wait()
            self._is_resized.clear()
            if self._size != size:
                size = self._size
                recording.resized(size)
                if not await self._is_recorded(recording):
                    return
                await loop.wrap(terminal.resize(size))
                await asyncio.sleep(_RESIZE_SECONDS)

    async def _is_recorded(self, recording: Recording) -> bool:
        """Wait until not too much waits to be written; whether more may be recorded, else it ends."""
        if recording.size_bytes > settings.QD["terminal_recording_max_mb"] << 20:
            self._stop(End.FULL)
            return False
        await recording.room()
        return True

    async def _room(self) -> None:
        while self._unseen_bytes > _UNSEEN_BYTES:
            self._may_send.clear()
            await self._may_send.wait()

    async def _watch(self) -> None:
        """End it when nobody types for too long, with a word before, or when it is open for too long."""
        idle, longest = settings.QD["terminal_idle_seconds"], settings.QD["terminal_max_hours"] * 3600
        began, is_warned = time.monotonic(), False
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            left = self._typed + idle - time.monotonic() if idle else float("inf")
            if left <= 0 or time.monotonic() - began > longest:
                self._stop(End.IDLE if left <= 0 else End.LONGEST)
                return
            if (left <= min(_WARN_SECONDS, idle / 2)) != is_warned:
                is_warned = not is_warned
                await self._tell(kind="idle", seconds=round(left) if is_warned else None)

    def _stop(self, end: End) -> None:
        """Let it end, for this reason unless there was one before."""
        self._end = self._end or end
        self._over.set()

    def _refused(self, error: OpsError) -> None:
        is_begun = self._kept is not None
        self._end = self._end or (End.LOST if is_begun and isinstance(error, RemoteError) else End.REFUSED)
        self._error = error.message
        self._told = {"code": error.code, "detail": error.message, "hint": error.hint}

    async def _finish(self, session: TerminalSession) -> None:
        """Let go of the host, write the rest of the recording, then the end. Each is tried whatever the others do."""
        end = self._end or (End.REFUSED if self._kept is None else End.LOST)
        try:
            await loop.wrap(self._line.close())
        except Exception:
            log.exception("terminal %d: its connection was not given back", session.pk)
        if self._kept is not None and not await keeper().let_go(self._kept):
            self._error = self._error or _("the end of it could not be recorded")
        await with_records(self._write_end, session, end)

    def _write_end(self, session: TerminalSession, end: End) -> None:
        actions.end_session(
            session, end, error=self._error, exit_code=self._exit_code, printed_bytes=self._printed_bytes
        )

    async def _tell(self, **values: Any) -> None:
        await self._send(orjson.dumps(values).decode())


def _read(message: str) -> dict[str, Any]:
    """Return what a browser says, `{"kind": "seen" | "size", ...}`. Raises BadInput."""
    try:
        said = orjson.loads(message)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict):
        if said.get("kind") == "seen" and type(said.get("bytes")) is int and said["bytes"] >= 0:
            return said
        if said.get("kind") == "close":
            return said
        if said.get("kind") == "size" and {"columns", "rows"} <= set(said):
            return said
    raise BadInput(_("this is nothing that a terminal is told"), hint='{"kind": "size", "columns": 80, "rows": 24}')
