"""Files from each host into the store: one, a directory with all below it, or what a pattern matches.

    {"path": "/var/log/nginx/*.log", "max_mb": 100, "max_files": 1000}

The bounds are for each host; over one of them, nothing of that host is kept. Links and devices are left out and told.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.runners import Circumstances, End, Host, Parts, Runner, refuse_unknown, text_of
from quarterdeck.jobs.runners.transfers import Say, quarters, transferring
from quarterdeck.jobs.runs.models import HostStatus
from quarterdeck.remote.files.pulling import PulledFile, PullLimits, pull
from quarterdeck.remote.files.session import checked
from quarterdeck.remote.files.session import shown as shown_path
from quarterdeck.remote.files.sources import split
from quarterdeck.remote.sessions import Stream

MAX_FILES, MAX_MB = 1000, 102_400
USUAL_MB = 100
# What is left out is listed up to here; in most places it is one thing many times.
_LEFT_OUT_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Work:
    path: str
    limits: PullLimits


def read(work: Mapping[str, Any]) -> Work:
    """Raises BadInput."""
    refuse_unknown(work, "path", "max_mb", "max_files")
    path = checked(text_of(work, "path"))
    split(path)
    megabytes, files = _number(work, "max_mb", USUAL_MB, MAX_MB), _number(work, "max_files", MAX_FILES, MAX_FILES)
    return Work(path, PullLimits(megabytes << 20, files))


def _number(work: Mapping[str, Any], name: str, usual: int, most: int) -> int:
    value = work.get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise BadInput(_('"%(name)s" is a whole number from 1 to %(most)d') % {"name": name, "most": most}, field=name)
    return value


def shown(work: Work) -> str:
    return f"pull {shown_path(work.path)}"


async def _run(host: Host, work: Work, around: Circumstances) -> Parts:
    """Yield a line for each file. Raises RemoteError, OpsError."""

    async def transfer(connection: asyncssh.SSHClientConnection, say: Say) -> End:
        directory = await around.files.directory() / str(host.id)
        try:
            return await _pulled(connection, host, work, directory, around, say)
        finally:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)

    async for part in transferring(host, around, transfer):
        yield part


async def _pulled(
    connection: asyncssh.SSHClientConnection,
    host: Host,
    work: Work,
    directory: Path,
    around: Circumstances,
    say: Say,
) -> End:
    found = await pull(
        connection,
        work.path,
        directory,
        become=host.become,
        patience=around.patience,
        limits=work.limits,
        progress=quarters(say, shown_path(work.path)),
    )
    # Directories list names in an order of their own: sorted, hosts that have the same print the same.
    rows = [await _kept(file, directory, around) for file in sorted(found.files, key=lambda file: file.path)]
    # As sha256sum prints it.
    say("".join(f"{row['sha256']}  {shown_path(row['path'])}\n" for row in rows))
    for path, why in found.left_out[:_LEFT_OUT_SHOWN]:
        say(f"left out ({why}): {path}\n", Stream.STDERR)
    return End(HostStatus.OK, 0, values={"files": rows, "size_bytes": found.size_bytes})


async def _kept(file: PulledFile, directory: Path, around: Circumstances) -> dict[str, Any]:
    """Store a file and free its room on this disk; return what is told of it."""
    stored = await around.files.keep(file.local, file.sha256, file.size_bytes)
    await asyncio.to_thread(file.local.unlink)
    return {
        "path": file.path,
        "name": file.local.relative_to(directory).as_posix(),
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "id": stored,
    }


PLUGIN = Runner(gettext_lazy("Pull files"), read, shown, _run)
