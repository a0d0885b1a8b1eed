"""Stored files to a path on each host: only where they differ, atomically, with a dry run that tells what would be.

    {"files": [{"sha256": "6b86...", "name": "app.conf"}], "path": "/etc/app.conf", "mode": "0640", "owner": "root"}
    {"files": [{"sha256": "...", "name": "conf.d/a.conf", "mode": "0755"}, ...], "path": "/etc/app/",
     "makes_directories": true, "keeps_backup": true, "is_template": true, "shows_diff": false}

With a "/" at its end, or for several files, `path` is the directory that they go into by their names.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncssh
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.files.actions import SHA256
from quarterdeck.jobs.runners import Circumstances, End, Host, Parts, Runner, flag_of, refuse_unknown, text_of
from quarterdeck.jobs.runners.transfers import Say, quarters, transferring
from quarterdeck.jobs.runs.models import HostStatus
from quarterdeck.remote.files.content import Content
from quarterdeck.remote.files.landing import is_safe
from quarterdeck.remote.files.pushing import Push, Pushed, push
from quarterdeck.remote.files.session import checked
from quarterdeck.remote.files.session import shown as shown_path
from quarterdeck.remote.scripts import is_account
from quarterdeck.remote.templating import MAX_TEMPLATE_BYTES, Rendered, rendered

MAX_FILES = 1000
_KNOWN = (
    "files", "path", "mode", "owner", "group", "is_template", "makes_directories", "keeps_backup", "shows_diff",
)  # fmt: skip
_MODE = re.compile("[0-7]{3,4}")
# Templates are rendered for so many hosts by one process.
_TOGETHER = 25


@dataclass(frozen=True, slots=True)
class File:
    """`name` may have directories. A mode that is None stays as it is on the host."""

    sha256: str
    name: str
    path: str
    mode: int | None


@dataclass(frozen=True, slots=True)
class Work:
    files: tuple[File, ...]
    path: str
    owner: str
    group: str
    is_template: bool
    makes_directories: bool
    keeps_backup: bool
    shows_diff: bool


def read(work: Mapping[str, Any]) -> Work:
    """Raises BadInput."""
    refuse_unknown(work, *_KNOWN)
    path = checked(text_of(work, "path"))
    for name in ("owner", "group"):
        account = text_of(work, name)
        if account and not is_account(account):
            raise BadInput(_('"%(name)s" is no name of an account') % {"name": account[:60]}, field=name)
    return Work(
        _files(work, path),
        path,
        text_of(work, "owner"),
        text_of(work, "group"),
        flag_of(work, "is_template"),
        flag_of(work, "makes_directories"),
        flag_of(work, "keeps_backup"),
        flag_of(work, "shows_diff", default=True),
    )


def _files(work: Mapping[str, Any], path: str) -> tuple[File, ...]:
    given = work.get("files")
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        raise BadInput(_("name the files"), hint='{"files": [{"sha256": "...", "name": "app.conf"}]}', field="files")
    if len(given) > MAX_FILES:
        raise BadInput(
            _("at most %(most)d files at once") % {"most": MAX_FILES}, hint=_("push an archive"), field="files"
        )
    is_directory = path.endswith("/") or len(given) > 1
    mode = _mode(work)
    files = tuple(_file(one, path if is_directory else "", path, mode) for one in given)
    if len({file.path for file in files}) != len(files):
        raise BadInput(_("two of the files have the same name"), field="files")
    return files


def _file(given: Mapping[str, Any], directory: str, path: str, mode: int | None) -> File:
    refuse_unknown(given, "sha256", "name", "mode")
    sha256, name = text_of(given, "sha256"), text_of(given, "name")
    if not SHA256.fullmatch(sha256):
        raise BadInput(_("a file is named by its SHA-256, in small hex digits"), field="files")
    if not all(map(is_safe, name.split("/"))):
        raise BadInput(_('"%(name)s" is no name for a file') % {"name": shown_path(name)[:100]}, field="files")
    return File(
        sha256, name, checked(f"{directory.rstrip('/')}/{name}" if directory else path), _mode(given, default=mode)
    )


def _mode(work: Mapping[str, Any], *, default: int | None = None) -> int | None:
    text = text_of(work, "mode")
    if text and not _MODE.fullmatch(text):
        raise BadInput(_("a mode has three or four octal digits"), hint="0644", field="mode")
    return int(text, 8) if text else default


def shown(work: Work) -> str:
    names = ", ".join(shown_path(file.name) for file in work.files[:3])
    more = f" (+{len(work.files) - 3})" if len(work.files) > 3 else ""
    return f"push {names}{more} {shown_path(work.path)}"


def needs(work: Work) -> set[str]:
    return {file.sha256 for file in work.files}


class _Texts:
    """A template's texts for the hosts, made for some of them at a time, each forgotten when it is taken."""

    def __init__(self, template: str, hosts: Sequence[Host]) -> None:
        self._template = template
        self._groups = [hosts[start : start + _TOGETHER] for start in range(0, len(hosts), _TOGETHER)]
        self._group = {host.id: number for number, group in enumerate(self._groups) for host in group}
        self._tasks: dict[int, asyncio.Task[dict[int, Rendered]]] = {}

    async def take(self, host: Host) -> str:
        """Raises BadInput, Unavailable."""
        number = self._group[host.id]
        if number not in self._tasks:
            self._tasks[number] = asyncio.create_task(self._made(self._groups[number]))
        # One host may be ended while others wait for the same.
        texts = await asyncio.shield(self._tasks[number])
        return texts.pop(host.id).checked()

    async def _made(self, hosts: Sequence[Host]) -> dict[int, Rendered]:
        texts = await rendered(self._template, [host.variables for host in hosts])
        return {host.id: text for host, text in zip(hosts, texts, strict=True)}

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Ready:
    """A shard's work with the contents at hand, by their checksums, and the templates by the paths on the hosts."""

    work: Work
    contents: dict[str, Content] = field(default_factory=dict)
    templates: dict[str, _Texts] = field(default_factory=dict)

    async def content(self, host: Host, file: File) -> Content:
        if not self.work.is_template:
            return self.contents[file.sha256]
        return await Content.of(await self.templates[file.path].take(host))


@asynccontextmanager
async def _opened(work: Work, hosts: Sequence[Host], around: Circumstances) -> AsyncIterator[Ready]:
    """Bring the files to this worker's disk. Raises NotFound, BadInput."""
    ready = Ready(work)
    try:
        for file in work.files:
            path = await around.files.fetch(file.sha256)
            content = Content(path.stat().st_size, file.sha256, path=path)
            ready.contents[file.sha256] = content
            if work.is_template:
                ready.templates[file.path] = _Texts(await _template(file, content), hosts)
        yield ready
    finally:
        await asyncio.gather(*(texts.close() for texts in ready.templates.values()))


async def _template(file: File, content: Content) -> str:
    if content.size_bytes > MAX_TEMPLATE_BYTES:
        raise BadInput(_("a template has at most %(bytes)d bytes") % {"bytes": MAX_TEMPLATE_BYTES}, field="files")
    try:
        return b"".join([block async for block in content.blocks()]).decode()
    except UnicodeDecodeError as error:
        values = {"name": shown_path(file.name)}
        raise BadInput(_('"%(name)s" is no text in UTF-8, so no template') % values, field="files") from error


async def _run(host: Host, ready: Ready, around: Circumstances) -> Parts:
    """Yield a line for each file, below what differs where it is a dry run. Raises RemoteError, OpsError."""

    async def transfer(connection: asyncssh.SSHClientConnection, say: Say) -> End:
        rows = [await _one(connection, host, ready, file, around, say) for file in ready.work.files]
        is_changed = any(row["changes"] for row in rows)
        return End(HostStatus.CHANGED if is_changed else HostStatus.OK, 0, values={"files": rows})

    async for part in transferring(host, around, transfer):
        yield part


async def _one(
    connection: asyncssh.SSHClientConnection, host: Host, ready: Ready, file: File, around: Circumstances, say: Say
) -> dict[str, Any]:
    """Push one file; return what is told of it."""
    work = ready.work
    order = Push(
        file.path,
        await ready.content(host, file),
        file.mode,
        work.owner,
        work.group,
        makes_directories=work.makes_directories,
        keeps_backup=work.keeps_backup,
        is_dry_run=around.is_check,
        # A real run's output is kept, and a file may hold secrets.
        shows_diff=around.is_check and work.shows_diff,
    )
    progress = quarters(say, shown_path(file.path))
    done = await push(connection, order, become=host.become, patience=around.patience, progress=progress)
    say(f"{done.diff}{_line(done, is_check=around.is_check)}")
    return {
        "path": shown_path(done.path),
        "size_bytes": done.size_bytes,
        "sha256": done.sha256,
        "sha256_before": done.sha256_before,
        "changes": list(done.changes),
        "backup": shown_path(done.backup),
    }


def _line(done: Pushed, *, is_check: bool) -> str:
    if not done.is_changed:
        return f"unchanged {shown_path(done.path)}\n"
    verb = "would change" if is_check else "changed"
    return f"{verb} {shown_path(done.path)}: {', '.join(done.changes)}\n"


PLUGIN = Runner(gettext_lazy("Push files"), read, shown, _run, checks=True, needs=needs, opened=_opened)
