"""Looking around on a host over SFTP: lists, names, directories, one file's content for a download."""

from __future__ import annotations

import stat
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncssh
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, Conflict, TooMany
from quarterdeck.remote.files.landing import is_safe
from quarterdeck.remote.files.session import BLOCK_BYTES, Progress, checked, read, shown, told
from quarterdeck.remote.files.state import kind_of

MAX_ENTRIES = 10_000
MAX_REMOVED = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """`kind` is "file", "directory", "link" or "other"; `leads_to` is a link's target as it is written there.

    A name may hold surrogates for what is no UTF-8, and anything but "/" and NUL: pages show it escaped.
    """

    name: str
    kind: str
    size_bytes: int
    mode: int
    uid: int
    gid: int
    modified_at: datetime | None
    leads_to: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """`path` is the directory's real one; `is_cut` tells that it has more entries."""

    path: str
    entries: list[Entry]
    is_cut: bool = False


async def listing(client: asyncssh.SFTPClient, path: str, max_entries: int = MAX_ENTRIES) -> Listing:
    """Return a directory's entries, directories first. Raises NotFound, Denied, FileFailed, RemoteError."""
    with told(path):
        real = str(await client.realpath(checked(path)))
        entries: list[Entry] = []
        is_cut = False
        names = client.scandir(real)
        async with aclosing(names):  # type: ignore[type-var]
            async for found in names:
                name = str(found.filename)
                if name in (".", "..") or not is_safe(name):
                    continue
                if len(entries) == max_entries:
                    is_cut = True
                    break
                entries.append(_entry(name, found.attrs))
    entries.sort(key=lambda entry: (entry.kind != "directory", entry.name))
    return Listing(real, entries, is_cut)


async def look(client: asyncssh.SFTPClient, path: str) -> Entry:
    """Return what is at `path`; of a link, the link."""
    with told(path):
        attrs = await client.lstat(checked(path))
        leads_to = str(await client.readlink(path)) if kind_of(attrs) == "link" else ""
    return _entry(path.rstrip("/").rpartition("/")[2] or "/", attrs, leads_to)


def _entry(name: str, attrs: asyncssh.SFTPAttrs, leads_to: str = "") -> Entry:
    modified_at = datetime.fromtimestamp(attrs.mtime, UTC) if attrs.mtime is not None else None
    mode = stat.S_IMODE(attrs.permissions or 0)
    return Entry(name, kind_of(attrs), attrs.size or 0, mode, attrs.uid or 0, attrs.gid or 0, modified_at, leads_to)


async def rename(client: asyncssh.SFTPClient, old: str, new: str) -> None:
    """Give it another name. Raises Conflict when something has that one."""
    with told(old):
        if await client.lexists(checked(new)):
            raise Conflict(_("%(path)s is there already") % {"path": shown(new)})
        await client.rename(checked(old), new)


async def make_directory(
    client: asyncssh.SFTPClient, path: str, mode: int = 0o755, *, with_parents: bool = False
) -> None:
    """Raises Conflict when it is there, NotFound when the one above is not."""
    with told(path):
        if await client.lexists(checked(path)):
            raise Conflict(_("%(path)s is there already") % {"path": shown(path)})
        attrs = asyncssh.SFTPAttrs(permissions=mode)
        await (client.makedirs(path, attrs) if with_parents else client.mkdir(path, attrs))


async def remove(
    client: asyncssh.SFTPClient, path: str, *, with_content: bool = False, max_removed: int = MAX_REMOVED
) -> int:
    """Remove a file, a link or a directory, an empty one unless `with_content`. Return how many things went.

    Links are removed and not followed. Raises Conflict for a directory that is not empty, TooMany beyond the limit.
    """
    if checked(path).rstrip("/") in ("", ".", "..") or path.rstrip("/").endswith("/.."):
        raise BadInput(_("that is not removed: %(path)s") % {"path": shown(path)}, field="path")
    with told(path):
        if kind_of(await client.lstat(path)) != "directory":
            await client.remove(path)
            return 1
        if not with_content:
            await _remove_empty(client, path)
            return 1
    removed = 0
    async for kind, below in _below(client, path):
        if removed == max_removed:
            raise TooMany(
                _("there are more than %(count)d files and directories") % {"count": max_removed},
                hint=_("they were not all removed; remove it by a command"),
            )
        with told(below):
            await (client.rmdir(below) if kind == "directory" else client.remove(below))
        removed += 1
    return removed


async def _remove_empty(client: asyncssh.SFTPClient, path: str) -> None:
    try:
        await client.rmdir(path)
    except asyncssh.SFTPFailure as error:
        # Servers of version 3 of the protocol have no word for it.
        raise Conflict(
            _("%(path)s is not empty") % {"path": shown(path)}, hint=_("ask for its content to be removed as well")
        ) from error


async def _below(client: asyncssh.SFTPClient, path: str) -> AsyncIterator[tuple[str, str]]:
    """Yield all that is below a directory and then itself, what is deeper first. Names are read anew at each level."""
    stack = [path]
    while stack:
        directory = stack[-1]
        found = await listing(client, directory)
        deeper = [f"{directory.rstrip('/')}/{entry.name}" for entry in found.entries if entry.kind == "directory"]
        for entry in found.entries:
            if entry.kind != "directory":
                yield entry.kind, f"{directory.rstrip('/')}/{entry.name}"
        if deeper:
            # Back here when they are gone.
            stack.extend(deeper)
        elif not found.is_cut:
            stack.pop()
            yield "directory", directory


async def content(
    client: asyncssh.SFTPClient,
    path: str,
    *,
    start: int = 0,
    length: int | None = None,
    progress: Progress | None = None,
) -> AsyncGenerator[bytes, None]:
    """Yield a file's bytes from `start` on, for a download that may be resumed. Use with `aclosing`."""
    with told(path):
        async with client.open(checked(path), "rb") as file:
            size = (await file.stat()).size or 0
            done, left = start, length
            while left is None or left > 0:
                block = await read(file, done, BLOCK_BYTES if left is None else min(left, BLOCK_BYTES))
                if not block:
                    return
                done += len(block)
                left = None if left is None else left - len(block)
                if progress is not None:
                    progress(done, max(size, done))
                yield block
