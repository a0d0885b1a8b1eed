"""A file put in its place by a command, as another user or with another owner.

It is sent to a directory of the account that signed in. root can read it there. Another user cannot, so that for one
the file is open to all who know its name: 128 random bits, in a directory that nobody may list, told on the command's
input and never on a command line.
"""

from __future__ import annotations

import asyncio
import posixpath
import shlex
from contextlib import suppress
from dataclasses import dataclass

import asyncssh
from django.utils.translation import gettext as _

from quarterdeck.core.errors import Denied, NotFound, OpsError
from quarterdeck.remote.errors import FileFailed, Phase
from quarterdeck.remote.files.content import Content
from quarterdeck.remote.files.session import Progress, nonce, sftp, shown, told
from quarterdeck.remote.files.state import State
from quarterdeck.remote.files.uploading import upload
from quarterdeck.remote.running import result_of, run
from quarterdeck.remote.scripts import Command
from quarterdeck.remote.target import Become, Patience

_NO_DIRECTORY, _NOT_WRITABLE, _NO_OWNER = 91, 92, 93


@dataclass(frozen=True, slots=True)
class Place:
    path: str
    mode: int
    owner: str = ""
    group: str = ""
    backup: str = ""
    makes_directories: bool = False


async def place(
    connection: asyncssh.SSHClientConnection,
    content: Content,
    work: Place,
    state: State,
    become: Become | None,
    patience: Patience,
    progress: Progress | None,
) -> None:
    """Send `content` and put it in its place. Raises NotFound, Denied, FileFailed, RemoteError."""
    is_readable = become is None or become.user == "root"
    waiting = f"/tmp/qd-{nonce()}"  # noqa: S108 - made anew, for us alone
    source = f"{waiting}/{nonce()}"
    try:
        async with sftp(connection, patience) as client:
            with told(waiting):
                await client.mkdir(waiting, asyncssh.SFTPAttrs(permissions=0o700))
                if not is_readable:
                    await client.chmod(waiting, 0o711)
                await upload(client, content, source, 0o600 if is_readable else 0o644, progress)
        command = Command(_script(work, state), stdin=source.encode() + b"\n")
        result = await result_of(run(connection, command, become=become, patience=patience, max_bytes=64 << 10))
    finally:
        await asyncio.shield(asyncio.create_task(_cleared(connection, waiting, source)))
    if result.exit.code != 0:
        raise _failed(work, result.exit.code, result.stderr or result.stdout)


def _script(work: Place, state: State) -> str:
    """Return what writes a new file beside the old one and renames it. Its input is the name of what was sent."""
    directory = posixpath.dirname(work.path)
    owner = work.owner or (str(state.uid) if state.kind == "file" else "")
    group = work.group or (str(state.gid) if state.kind == "file" else "")
    # Kept as it was where the user may; what was asked for has to be.
    is_asked = bool(work.owner or work.group)
    chown = f'chown -- {shlex.quote(f"{owner}:{group}" if group else owner)} "$t"' if owner or group else ":"
    keep = f'ln -- "$p" {shlex.quote(work.backup)} 2>/dev/null || cp -pP -- "$p" {shlex.quote(work.backup)} || exit 1'
    return f"""
IFS= read -r s || exit 1
p={shlex.quote(work.path)}; d={shlex.quote(directory)}
{'mkdir -p -- "$d" || exit 1' if work.makes_directories else ""}
[ -d "$d" ] || exit {_NO_DIRECTORY}
umask 077
t=$(mktemp "$d/.qd-XXXXXXXXXX") || exit {_NOT_WRITABLE}
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
cat < "$s" > "$t" || exit 1
{chown} {f"|| exit {_NO_OWNER}" if is_asked else "2>/dev/null"}
chmod {work.mode:o} "$t" || exit 1
sync "$t" 2>/dev/null
{keep if work.backup else ""}
mv -f -- "$t" "$p" || exit 1
if command -v restorecon >/dev/null 2>&1; then restorecon -- "$p" 2>/dev/null; fi
exit 0
"""


async def _cleared(connection: asyncssh.SSHClientConnection, waiting: str, source: str) -> None:
    # Where the connection is gone there is nobody to tell.
    with suppress(OpsError, asyncssh.Error, OSError):
        async with sftp(connection) as client:
            with suppress(asyncssh.SFTPError):
                await client.remove(source)
            await client.rmdir(waiting)


def _failed(work: Place, code: int | None, said: bytes) -> OpsError:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    values = {"path": shown(work.path), "reason": shown(lines[-1]) if lines else _("it says nothing")}
    if code == _NO_DIRECTORY:
        return NotFound(
            _("%(path)s: there is no such directory") % {"path": shown(posixpath.dirname(work.path))},
            hint=_("ask for its directories to be made"),
        )
    if code == _NOT_WRITABLE:
        return Denied(_("%(path)s: the host does not permit it") % values, hint=_("as another user it may"))
    if code == _NO_OWNER:
        return Denied(
            _("%(path)s: the host does not give it that owner: %(reason)s") % values,
            hint=_("only root gives files to others"),
        )
    return FileFailed(
        _("%(path)s: the host says %(reason)s") % values,
        hint=_("look for a full or read-only disk, and for a directory in its place"),
        phase=Phase.RUN,
    )
