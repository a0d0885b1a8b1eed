"""Files, directories and patterns from one host into a directory of this machine, within limits.

Links and devices are not followed: they are told, with every name that is none. What does not arrive whole is removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
from django.utils.translation import gettext as _

from quarterdeck.core.errors import TooMany
from quarterdeck.remote.errors import FileFailed, Phase
from quarterdeck.remote.files.landing import Landing
from quarterdeck.remote.files.session import Progress, checked, sftp, shown
from quarterdeck.remote.files.sources import Census, CommandSource, Found, SftpSource, Source
from quarterdeck.remote.target import Become, Patience


@dataclass(frozen=True, slots=True)
class PullLimits:
    max_bytes: int = 1 << 30
    max_files: int = 10_000


@dataclass(frozen=True, slots=True)
class PulledFile:
    """`path` is the host's, `local` is below the directory that was given; `sha256` is of what arrived."""

    path: str
    local: Path
    size_bytes: int
    sha256: str


@dataclass(slots=True)
class Pulled:
    """`left_out` are `(path, reason)`: "link", "other" (a device, a socket), "name" or "depth"."""

    files: list[PulledFile] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    size_bytes: int = 0


@dataclass(slots=True)
class _Pull:
    landing: Landing
    limits: PullLimits
    progress: Progress | None
    pulled: Pulled = field(default_factory=Pulled)
    total_bytes: int = 0

    def room(self) -> int:
        return self.limits.max_bytes - self.pulled.size_bytes

    def count(self, size_bytes: int) -> None:
        self.pulled.size_bytes += size_bytes
        if self.room() < 0:
            raise TooMany(
                _("these are more than %(bytes)d bytes") % {"bytes": self.limits.max_bytes},
                hint=_("pull fewer at a time, or raise the limit"),
            )
        if self.progress is not None:
            self.progress(self.pulled.size_bytes, max(self.total_bytes, self.pulled.size_bytes))


async def pull(
    connection: asyncssh.SSHClientConnection,
    pattern: str,
    directory: Path,
    *,
    become: Become | None = None,
    patience: Patience | None = None,
    limits: PullLimits | None = None,
    progress: Progress | None = None,
) -> Pulled:
    """Bring what is at `pattern` (a file, a directory with all below it, or names with `*`, `?`, `[...]`) here.

    Raises NotFound, Denied, TooMany, FileFailed, RemoteError; files that arrived whole before stay.
    """
    this = _Pull(Landing(directory), limits or PullLimits(), progress)
    census = Census(this.limits.max_files)
    async with _source(connection, become, patience or Patience(), this) as source:
        # Gathered before the first is read: the number of files is bounded, and the size is known.
        found = [one async for one in source.find(checked(pattern), census)]
        this.total_bytes = sum(one.size_bytes for one in found)
        if this.total_bytes > this.limits.max_bytes:
            this.count(this.total_bytes)
        for one in found:
            this.pulled.files.append(await _arrive(this, source, one))
    this.pulled.left_out = census.left_out
    return this.pulled


@asynccontextmanager
async def _source(
    connection: asyncssh.SSHClientConnection, become: Become | None, patience: Patience, this: _Pull
) -> AsyncIterator[Source]:
    if become is not None:
        yield CommandSource(connection, become, patience, this.room)
        return
    async with sftp(connection, patience) as client:
        yield SftpSource(client)


async def _arrive(this: _Pull, source: Source, found: Found) -> PulledFile:
    try:
        with this.landing.arriving(found.parts) as arriving:
            async with aclosing(source.blocks(found.path)) as blocks:  # type: ignore[type-var]
                async for block in blocks:
                    this.count(len(block))
                    await asyncio.to_thread(arriving.write, block)
    except OSError as error:
        raise FileFailed(
            _("%(path)s cannot be written here: %(reason)s") % {"path": shown(found.path), "reason": error.strerror},
            hint=_("look for a full disk, and for a link or a directory in its place"),
            phase=Phase.RUN,
        ) from error
    local = this.landing.directory.joinpath(*found.parts)
    return PulledFile(found.path, local, arriving.size_bytes, arriving.digest.hexdigest())
