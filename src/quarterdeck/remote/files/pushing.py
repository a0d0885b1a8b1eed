"""One file to one host: only when it differs, atomically, with a backup and a dry run when asked.

What is sent is written beside the file under a name of its own, with no rights for others, made durable where the host
can, and renamed over it: who reads the file sees the old one or the new one. Where it fails the old one stands.
A link in the file's place is replaced, and not what it leads to: it may be somebody's trap.
"""

from __future__ import annotations

import asyncio
import posixpath
import time
from contextlib import suppress
from dataclasses import dataclass

import asyncssh
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.remote.files import placing
from quarterdeck.remote.files.content import Content, diff_of
from quarterdeck.remote.files.session import Progress, checked, nonce, sftp, shown, told
from quarterdeck.remote.files.state import (
    State,
    by_command,
    digest_by_command,
    digest_over_sftp,
    over_sftp,
)
from quarterdeck.remote.files.uploading import upload
from quarterdeck.remote.scripts import is_account
from quarterdeck.remote.target import Become, Patience

_NEW_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Push:
    """`path` is absolute, or starts where the account signs in; with a "/" at its end the local file's name is added.

    What is None or "" stays as it is on the host, or is what the host makes of it. `shows_diff` is for texts without
    secrets.
    """

    path: str
    content: Content
    mode: int | None = None
    owner: str = ""
    group: str = ""
    makes_directories: bool = False
    keeps_backup: bool = False
    is_dry_run: bool = False
    shows_diff: bool = True


@dataclass(frozen=True, slots=True)
class Pushed:
    """`changes` are of "content", "mode", "owner", "group"; empty when all was as asked. In a dry run: would be.

    `sha256_before` is "" where there was no file, or its size alone told it apart.
    """

    path: str
    size_bytes: int
    sha256: str
    changes: tuple[str, ...] = ()
    backup: str = ""
    diff: str = ""
    sha256_before: str = ""

    @property
    def is_changed(self) -> bool:
        return bool(self.changes)


async def push(
    connection: asyncssh.SSHClientConnection,
    work: Push,
    *,
    become: Become | None = None,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> Pushed:
    """Bring the file to the host. Raises BadInput, NotFound, Denied, FileFailed, RemoteError.

    As another user, and where an owner or a group is asked for, it is placed by a command, else over SFTP alone.
    """
    patience = patience or Patience()
    path = _path(work)
    by_shell = become is not None or bool(work.owner or work.group)
    if by_shell and not path.startswith("/"):
        raise BadInput(_("as another user a file needs an absolute path"), field="path")
    state = await _state(connection, work, path, become, patience, by_shell=by_shell)
    changes = _changes(work, path, state)
    diff = ""
    if work.shows_diff and "content" in changes and state.kind in ("", "file"):
        diff = diff_of(state.text, await work.content.text_bytes(), shown(path)) if _is_small(state) else ""
    backup = f"{path}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}~" if work.keeps_backup and state.kind else ""
    if "content" not in changes:
        backup = ""
    if changes and not work.is_dry_run:
        mode = work.mode if work.mode is not None else (state.mode if state.kind == "file" else _NEW_MODE)
        if by_shell:
            place = placing.Place(path, mode, work.owner, work.group, backup, work.makes_directories)
            await placing.place(connection, work.content, place, state, become, patience, progress)
        else:
            await _place(connection, work, path, mode, changes, backup, patience, progress)
    elif progress is not None:
        progress(work.content.size_bytes, work.content.size_bytes)
    return Pushed(path, work.content.size_bytes, work.content.sha256, changes, backup, diff, state.sha256)


def _path(work: Push) -> str:
    path = checked(work.path)
    if path.endswith("/"):
        if work.content.path is None:
            raise BadInput(_("%(path)s is a directory; name the file") % {"path": shown(path)}, field="path")
        path += work.content.path.name
    if posixpath.basename(path) in (".", ".."):
        raise BadInput(_("%(path)s is a directory; name the file") % {"path": shown(path)}, field="path")
    for name in (work.owner, work.group):
        if name and not is_account(name):
            raise BadInput(_('"%(name)s" is no name of an account') % {"name": name[:60]}, field="owner")
    if work.mode is not None and not 0 <= work.mode <= 0o7777:
        raise BadInput(_("a mode is between 0 and 7777, in octal digits"), field="mode")
    return path


def _is_small(state: State) -> bool:
    return not state.kind or state.text is not None


async def _state(
    connection: asyncssh.SSHClientConnection,
    work: Push,
    path: str,
    become: Become | None,
    patience: Patience,
    *,
    by_shell: bool,
) -> State:
    reads_text = work.shows_diff
    if by_shell:
        return await by_command(connection, path, become, patience, reads_text=reads_text)
    size = work.content.size_bytes
    async with sftp(connection, patience) as client:
        state = await over_sftp(client, path, size, reads_text=reads_text)
    if state.kind != "file" or state.sha256 or not state.is_readable or state.size_bytes != size:
        return state
    # Never a command beside an open SFTP session: a connection has few.
    digest = await digest_by_command(connection, path, patience) if path.startswith("/") else ""
    if not digest:
        async with sftp(connection, patience) as client:
            digest = await digest_over_sftp(client, path)
    return State(state.kind, size, state.mode, state.uid, state.gid, sha256=digest)


def _changes(work: Push, path: str, state: State) -> tuple[str, ...]:
    if state.kind in ("directory", "other"):
        raise BadInput(
            _("%(path)s is there already, and is no file") % {"path": shown(path)},
            hint=_('with a "/" at the end the file goes into the directory'),
            field="path",
        )
    found = []
    if state.kind != "file" or state.sha256 != work.content.sha256:
        found.append("content")
    is_file = state.kind == "file"
    if work.mode is not None and (not is_file or state.mode != work.mode):
        found.append("mode")
    if work.owner and (not is_file or work.owner not in (state.owner, str(state.uid))):
        found.append("owner")
    if work.group and (not is_file or work.group not in (state.group, str(state.gid))):
        found.append("group")
    return tuple(found)


async def _place(
    connection: asyncssh.SSHClientConnection,
    work: Push,
    path: str,
    mode: int,
    changes: tuple[str, ...],
    backup: str,
    patience: Patience,
    progress: Progress | None,
) -> None:
    async with sftp(connection, patience) as client:
        with told(path):
            if "content" not in changes:
                await client.chmod(path, mode)
                return
            directory, name = posixpath.split(path)
            if work.makes_directories and directory:
                await client.makedirs(directory, exist_ok=True)
            temporary = posixpath.join(directory, f".{name[:200]}.{nonce()}.part")
            try:
                await upload(client, work.content, temporary, mode, progress)
                if backup:
                    await _keep(client, path, backup)
                await _rename_over(client, temporary, path)
            except BaseException as error:
                # Where the connection is gone there is nobody to tell.
                await asyncio.shield(asyncio.create_task(_removed(client, temporary)))
                if isinstance(error, asyncssh.SFTPNoSuchFile):
                    raise NotFound(
                        _("%(path)s: there is no such directory") % {"path": shown(directory)},
                        hint=_("ask for its directories to be made"),
                    ) from error
                raise


async def _removed(client: asyncssh.SFTPClient, path: str) -> None:
    with suppress(asyncssh.Error, OSError):
        await client.remove(path)


async def _keep(client: asyncssh.SFTPClient, path: str, backup: str) -> None:
    """Give the old file a second name, so that there is no moment without one; copy it where there are no links."""
    try:
        await client.link(path, backup)
    except (asyncssh.SFTPOpUnsupported, asyncssh.SFTPFailure):
        await client.copy(path, backup, preserve=True)


async def _rename_over(client: asyncssh.SFTPClient, old: str, new: str) -> None:
    try:
        await client.posix_rename(old, new)
    except asyncssh.SFTPOpUnsupported:
        # Such servers rename onto nothing only.
        with suppress(asyncssh.SFTPNoSuchFile):
            await client.remove(new)
        await client.rename(old, new)
