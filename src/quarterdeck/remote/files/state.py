"""What stands at a path before something is pushed there, asked over SFTP or, as another user, by a command."""

from __future__ import annotations

import hashlib
import shlex
import stat
from dataclasses import dataclass, field, replace

import asyncssh
from django.utils.translation import gettext as _

from quarterdeck.remote.errors import FileFailed, Phase
from quarterdeck.remote.files.content import MAX_DIFF_BYTES
from quarterdeck.remote.files.session import read, shown, told
from quarterdeck.remote.running import result_of, run
from quarterdeck.remote.scripts import Command
from quarterdeck.remote.target import Become, Patience

# Over SFTP a larger file is hashed by the host where it can.
SMALL_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class State:
    """`kind` is "", "file", "directory", "link" or "other". `text` is the content when it is small and was asked for;
    `sha256` is "" where it is not known. One that is not `is_readable` may still be replaced."""

    kind: str = ""
    size_bytes: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    owner: str = ""
    group: str = ""
    sha256: str = ""
    text: bytes | None = field(default=None, repr=False)
    is_readable: bool = True


async def over_sftp(client: asyncssh.SFTPClient, path: str, size_bytes: int, *, reads_text: bool) -> State:
    """Return what is there. It is hashed when it is very small, or small and of the size of what comes."""
    with told(path):
        try:
            found = await client.lstat(path)
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            return State()
    mode = found.permissions or 0
    state = State(kind_of(found), found.size or 0, stat.S_IMODE(mode), found.uid or 0, found.gid or 0)
    if state.kind != "file":
        return state
    text, is_readable = None, True
    if state.size_bytes <= MAX_DIFF_BYTES or (state.size_bytes == size_bytes <= SMALL_BYTES):
        text = await _small(client, path)
        is_readable = text is not None
    digest = "" if text is None else hashlib.sha256(text).hexdigest()
    if not reads_text or state.size_bytes > MAX_DIFF_BYTES:
        text = None
    return replace(state, sha256=digest, text=text, is_readable=is_readable)


def kind_of(found: asyncssh.SFTPAttrs) -> str:
    if found.type == asyncssh.FILEXFER_TYPE_REGULAR:
        return "file"
    if found.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
        return "directory"
    return "link" if found.type == asyncssh.FILEXFER_TYPE_SYMLINK else "other"


async def _small(client: asyncssh.SFTPClient, path: str) -> bytes | None:
    """Read a small file; None for one that cannot be read."""
    try:
        async with client.open(path, "rb") as file:
            return await read(file, 0, SMALL_BYTES)
    except asyncssh.SFTPPermissionDenied:
        return None


async def digest_over_sftp(client: asyncssh.SFTPClient, path: str) -> str:
    digest = hashlib.sha256()
    with told(path):
        async with client.open(path, "rb") as file:
            done = 0
            while block := await read(file, done):
                digest.update(block)
                done += len(block)
    return digest.hexdigest()


_DIGEST = """{ sha256sum < "$p" || shasum -a 256 < "$p" || openssl dgst -sha256 -r < "$p"; } 2>/dev/null | cut -c1-64"""


async def digest_by_command(connection: asyncssh.SSHClientConnection, path: str, patience: Patience) -> str:
    """Return the checksum that the host makes, "" where it has nothing to make it with or runs no commands."""
    command = Command(f"p={shlex.quote(path)}\n{_DIGEST}")
    result = await result_of(run(connection, command, patience=patience, max_bytes=4096))
    text = result.stdout.decode("ascii", "replace").strip()
    return text if len(text) == 64 and set(text) <= set("0123456789abcdef") else ""


async def by_command(
    connection: asyncssh.SSHClientConnection, path: str, become: Become | None, patience: Patience, *, reads_text: bool
) -> State:
    """Return what is there for the user who is become. Raises FileFailed, RemoteError."""
    script = f"""
p={shlex.quote(path)}
if [ -L "$p" ]; then echo link
elif [ -d "$p" ]; then echo directory
elif [ ! -e "$p" ]; then echo none
elif [ ! -f "$p" ]; then echo other
else
    echo file
    stat -c '%s %a %u %g %U %G' -- "$p" 2>/dev/null || stat -f '%z %Lp %u %g %Su %Sg' "$p"
    d=$({_DIGEST})
    echo "${{d:--}}"
    [ {int(reads_text)} = 0 ] || head -c {MAX_DIFF_BYTES + 1} < "$p"
fi
"""
    command = Command(script)
    result = await result_of(run(connection, command, become=become, patience=patience, max_bytes=MAX_DIFF_BYTES * 2))
    kind, _newline, rest = result.stdout.partition(b"\n")
    name = kind.decode("ascii", "replace")
    if name in ("link", "directory", "other"):
        return State(name)
    if name == "none":
        return State()
    return _file_state(path, rest, reads_text=reads_text)


def _file_state(path: str, rest: bytes, *, reads_text: bool) -> State:
    line, _newline, after = rest.partition(b"\n")
    digest, _newline, text = after.partition(b"\n")
    try:
        size, mode, uid, gid, owner, group = line.decode().split(" ")
        numbers = int(size), int(mode, 8), int(uid), int(gid)
    except ValueError as error:
        raise FileFailed(
            _("%(path)s: the host does not say what is there") % {"path": shown(path)},
            hint=_("it needs the program stat"),
            phase=Phase.RUN,
        ) from error
    is_shown = reads_text and numbers[0] <= MAX_DIFF_BYTES
    known = digest.decode("ascii", "replace").strip("-")
    return State("file", *numbers, owner, group, known, text if is_shown else None)
