"""What is done with the files of a host: listed, downloaded, uploaded; each with a line in the audit log.

Nothing here is a run: one host, one file, and somebody who waits. Many hosts are for runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncssh
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, Conflict, NotFound
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.browsing.waiting import Wait, cancelled, ended
from quarterdeck.jobs.ways import Way, note_host_keys, way_to
from quarterdeck.remote import loop
from quarterdeck.remote.files import browsing
from quarterdeck.remote.files.content import Content
from quarterdeck.remote.files.landing import is_safe
from quarterdeck.remote.files.pushing import Push, Pushed, push
from quarterdeck.remote.files.session import checked, sftp, shown, told
from quarterdeck.remote.files.state import kind_of

VERB = "jobs.files"
# A page of more is of no use to anybody.
ENTRIES_MAX = 2000
_ANSWER_SECONDS = 30.0
# For a megabyte to come or to go.
_PROGRESS_SECONDS = 120.0

T = TypeVar("T")


@dataclass(slots=True)
class Session:
    """An SFTP session of another loop. Its coroutines are for `loop.run` and `loop.wrap`."""

    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _path: str = ""
    _blocks: AsyncGenerator[bytes, None] | None = None
    _first: bytes = b""
    _reading: asyncio.Task[bytes] | None = None

    async def open(self, way: Way) -> asyncssh.SFTPClient:
        connection = await self._stack.enter_async_context(loop.pool().lease(way.target, way.host_keys))
        return await self._stack.enter_async_context(sftp(connection))

    async def begin(self, way: Way, path: str) -> int:
        """Read a file as far as its first block; return its size. Raises NotFound, Denied, BadInput, RemoteError."""
        try:
            client = await self.open(way)
            return await Wait(path, _ANSWER_SECONDS).on(asyncio.create_task(self._begin(client, path)))
        except BaseException:
            await self.close()
            raise

    async def _begin(self, client: asyncssh.SFTPClient, path: str) -> int:
        with told(path):
            attrs = await client.stat(checked(path))
        # A pipe or a device has no end, or waits for ever.
        if kind_of(attrs) != "file":
            raise BadInput(_("%(path)s is no file") % {"path": shown(path)}, field="path")
        self._path, self._blocks = path, browsing.content(client, path)
        self._stack.push_async_callback(self._blocks.aclose)
        self._first = await anext(self._blocks, b"")
        return attrs.size or 0

    async def next(self) -> bytes:
        """Return the next block, b"" at the end. Raises NotFound, Denied, RemoteError."""
        first, self._first = self._first, b""
        if first or self._blocks is None:
            return first
        self._reading = asyncio.create_task(self._read(self._blocks))
        return await Wait(self._path, _PROGRESS_SECONDS).on(self._reading)

    async def _read(self, blocks: AsyncGenerator[bytes, None]) -> bytes:
        return await anext(blocks, b"")

    async def close(self) -> None:
        """Let go of the host, whether it answers or not; a read that is under way ends first."""
        if self._reading is not None:
            await cancelled(self._reading)
        closing = asyncio.create_task(self._stack.aclose())
        await ended(closing)
        if not closing.cancelled():
            closing.result()


@dataclass(slots=True)
class Download:
    """A file that is about to be sent: read by iterating over it. Whoever has it closes it, also when nobody reads."""

    size_bytes: int
    _session: Session

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        try:
            while block := await loop.wrap(self._session.next()):
                yield block
        finally:
            await loop.wrap(self._session.close())

    def close(self) -> None:
        """Let go of the host. Closed again it stays so."""
        loop.run(self._session.close())


@action(VERB, atomic=False)
def list_directory(actor: Actor, item: Item, path: str) -> browsing.Listing:
    """Return what is in a directory of a host, the one of the account that signs in for ".". Raises OpsError."""
    require(actor, VERB, item)

    async def work(way: Way) -> browsing.Listing:
        session = Session()
        try:
            client = await session.open(way)
            return await Wait(path, _ANSWER_SECONDS).on(
                asyncio.create_task(browsing.listing(client, path, ENTRIES_MAX))
            )
        finally:
            await session.close()

    found = _on(actor, item, work)
    _note(actor, "jobs.files.list", item, found.path)
    return found


@action(VERB, atomic=False)
def download_file(actor: Actor, item: Item, path: str) -> Download:
    """Return a file of a host to be sent at once. Raises OpsError."""
    require(actor, VERB, item)
    session = Session()
    size_bytes = _on(actor, item, lambda way: session.begin(way, path))
    _note(actor, "jobs.files.download", item, path, {"size_bytes": size_bytes})
    return Download(size_bytes, session)


@action(VERB, atomic=False)
def upload_file(
    actor: Actor, item: Item, directory: str, name: str, source: bytes | Path, *, replaces: bool = False
) -> Pushed:
    """Put a file into a directory of a host, whole or not at all; in place of another one when that is meant.

    Raises BadInput, Conflict, NotFound, Denied, RemoteError.
    """
    require(actor, VERB, item)
    if not is_safe(name):
        raise BadInput(_("this is no name of a file"), hint=_("one name, without a slash"), field="file")
    path = f"{directory.rstrip('/')}/{name}"

    wait = Wait(path, _PROGRESS_SECONDS)

    async def put(way: Way) -> Pushed:
        async with loop.pool().lease(way.target, way.host_keys) as connection:
            if not replaces:
                await _require_free(connection, path)
            content = await Content.of(source)
            return await push(connection, Push(path, content, shows_diff=False), progress=wait.moved)

    async def work(way: Way) -> Pushed:
        return await wait.on(asyncio.create_task(put(way)))

    done = _on(actor, item, work)
    after = {"size_bytes": done.size_bytes, "sha256": done.sha256, "replaces": replaces}
    _note(actor, "jobs.files.upload", item, path, after)
    return done


async def _require_free(connection: asyncssh.SSHClientConnection, path: str) -> None:
    async with sftp(connection) as client:
        try:
            await browsing.look(client, path)
        except NotFound:
            return
    raise Conflict(_("%(path)s is there already") % {"path": shown(path)}, hint=_("say that it is to be replaced"))


def _on(actor: Actor, item: Item, work: Callable[[Way], Coroutine[Any, Any, T]]) -> T:
    """Do `work(way)` on the loop of the connections; which keys the host showed is noted, whatever comes of it."""
    way = way_to(actor, item, "files")
    try:
        return loop.run(work(way))
    finally:
        note_host_keys(actor, item, way)


@action(VERB)
def _note(actor: Actor, verb: str, item: Item, path: str, after: Mapping[str, Any] | None = None) -> None:
    record(actor, verb, item, shown(path), after=after)
