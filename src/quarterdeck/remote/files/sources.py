"""Where pulled files come from: SFTP, or commands as another user. A name of a host's is never trusted."""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

import asyncssh
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, NotFound, OpsError, TooMany
from quarterdeck.remote.errors import FileFailed, Phase
from quarterdeck.remote.files.landing import is_safe
from quarterdeck.remote.files.session import read, shown, told
from quarterdeck.remote.files.state import kind_of
from quarterdeck.remote.running import Exit, result_of, run
from quarterdeck.remote.scripts import Command
from quarterdeck.remote.target import Become, Patience

MAX_DEPTH = 64
_WILD = re.compile(r"[*?\[]")
_MAX_LEFT_OUT = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the host: its path there, and the names under which it arrives. `size_bytes` may not be known."""

    path: str
    parts: tuple[str, ...]
    size_bytes: int = 0


@dataclass(slots=True)
class Census:
    """Counts what is looked at, and keeps what is left out: `(path, "link")`."""

    max_files: int
    seen: int = 0
    matches: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def count(self) -> None:
        self.seen += 1
        if self.seen > self.max_files:
            raise TooMany(
                _("there are more than %(count)d files and directories") % {"count": self.max_files},
                hint=_("pull fewer at a time, or raise the limit"),
            )

    def leave_out(self, path: str, why: str) -> None:
        if len(self.left_out) < _MAX_LEFT_OUT:
            self.left_out.append((shown(path), why))


class Source(Protocol):
    def find(self, pattern: str, census: Census) -> AsyncIterator[Found]:
        """Yield the files at a path, below a directory, or that a pattern matches. Links below are left out."""

    def blocks(self, path: str) -> AsyncIterator[bytes]:
        """Yield a file's content."""


def split(pattern: str) -> tuple[str, list[str]]:
    """Return the directory that a path or pattern surely is in, and the names from there on.

    `/var/log/*/x` is `("/var/log", ["*", "x"])`; `/etc/nginx` is `("/etc", ["nginx"])`.
    """
    names = [name for name in pattern.split("/") if name not in ("", ".")]
    if not names or ".." in names:
        raise BadInput(_('a path to pull has a name at its end, and no ".."'), field="path")
    wild = next((place for place, name in enumerate(names) if _WILD.search(name)), len(names) - 1)
    before = "/".join(names[:wild])
    return f"/{before}" if pattern.startswith("/") else before or ".", names[wild:]


@dataclass(frozen=True, slots=True)
class SftpSource:
    client: asyncssh.SFTPClient

    async def find(self, pattern: str, census: Census) -> AsyncIterator[Found]:
        directory, names = split(pattern)
        if not _WILD.search(names[0]):
            path = f"{directory.rstrip('/')}/{names[0]}" if directory != "." else names[0]
            with told(path):
                # A link that is named is followed, as by every other command.
                attrs = await self.client.stat(path)
            async for found in self._below(path, (names[0],), attrs, census):
                yield found
            return
        async for path, parts, attrs in self._matches(directory, names, (), census):
            census.matches += 1
            async for found in self._below(path, parts, attrs, census):
                yield found
        if not census.matches:
            raise _nothing(pattern)

    async def _matches(
        self, directory: str, names: list[str], parts: tuple[str, ...], census: Census
    ) -> AsyncIterator[tuple[str, tuple[str, ...], asyncssh.SFTPAttrs]]:
        is_shown = names[0].startswith(".")
        async for name, attrs in self._names(directory, census):
            if not fnmatch.fnmatchcase(name, names[0]) or (name.startswith(".") and not is_shown):
                continue
            path, here = f"{directory.rstrip('/')}/{name}", (*parts, name)
            if len(names) == 1:
                yield path, here, attrs
            elif kind_of(attrs) == "directory":
                async for match in self._matches(path, names[1:], here, census):
                    yield match

    async def _below(
        self, path: str, parts: tuple[str, ...], attrs: asyncssh.SFTPAttrs, census: Census
    ) -> AsyncIterator[Found]:
        kind = kind_of(attrs)
        if kind == "file":
            yield Found(path, parts, attrs.size or 0)
        elif kind != "directory":
            census.leave_out(path, kind)
        elif len(parts) > MAX_DEPTH:
            census.leave_out(path, "depth")
        else:
            async for name, below in self._names(path, census):
                async for found in self._below(f"{path}/{name}", (*parts, name), below, census):
                    yield found

    async def _names(self, directory: str, census: Census) -> AsyncIterator[tuple[str, asyncssh.SFTPAttrs]]:
        with told(directory):
            async for entry in self.client.scandir(directory):
                name = str(entry.filename)
                if name in (".", ".."):
                    continue
                census.count()
                if is_safe(name):
                    yield name, entry.attrs
                else:
                    census.leave_out(f"{directory}/{name}", "name")

    async def blocks(self, path: str) -> AsyncIterator[bytes]:
        with told(path):
            async with self.client.open(path, "rb") as file:
                done = 0
                while block := await read(file, done):
                    done += len(block)
                    yield block


@dataclass(frozen=True, slots=True)
class CommandSource:
    """The same by `find` and `cat`, as another user."""

    connection: asyncssh.SSHClientConnection
    become: Become
    patience: Patience
    max_bytes: Callable[[], int]

    async def find(self, pattern: str, census: Census) -> AsyncIterator[Found]:
        directory, names = split(pattern)
        if not directory.startswith("/"):
            raise BadInput(_("as another user a file needs an absolute path"), field="path")
        word = "/".join([shlex.quote(directory.rstrip("/")), *map(_glob_word, names)])
        # -H: a link that is named is followed, those below are not.
        # A match is told by an empty name: of an empty directory nothing else is.
        script = f'for f in {word}; do [ -e "$f" ] && printf "\\0" && find -H "$f" -type f -print0; done; exit 0'
        listing = run(
            self.connection,
            Command(script),
            become=self.become,
            patience=self.patience,
            max_bytes=census.max_files * 512,
        )
        result = await result_of(listing)
        if result.exit.is_cut:
            census.seen = census.max_files
            census.count()
        if not result.stdout:
            raise _nothing(pattern)
        for raw in filter(None, result.stdout.split(b"\0")[:-1]):
            path = raw.decode("utf-8", "surrogateescape")
            census.count()
            parts = path.removeprefix(directory.rstrip("/") + "/").split("/")
            if all(map(is_safe, parts)) and len(parts) <= MAX_DEPTH:
                yield Found(path, tuple(parts))
            else:
                census.leave_out(path, "name")

    async def blocks(self, path: str) -> AsyncIterator[bytes]:
        said = b""
        command = Command(f"exec cat < {shlex.quote(path)}")
        parts = run(
            self.connection, command, become=self.become, patience=self.patience, max_bytes=self.max_bytes() + 1
        )
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, Exit):
                    if part.code != 0 and not part.is_cut:
                        raise _unread(path, said)
                elif part.stream == "stdout":
                    yield part.data
                else:
                    said = (said + part.data)[:1000]


def _nothing(pattern: str) -> NotFound:
    return NotFound(_("%(path)s: there is no such file or directory") % {"path": shown(pattern)})


def _unread(path: str, said: bytes) -> OpsError:
    reason = shown(said.decode("utf-8", "replace").strip()) or _("it says nothing")
    return FileFailed(
        _("%(path)s: the host says %(reason)s") % {"path": shown(path), "reason": reason}, phase=Phase.RUN
    )


def _glob_word(name: str) -> str:
    """Return a name for a shell that may match by `*`, `?` and `[...]` and look into nothing else."""
    return "".join(
        part if part in "*?[]!^-" else shlex.quote(part) for part in re.split(r"([*?\[\]!^-])", name) if part
    )
