"""One SFTP session, and its failures as sentences."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import cast

import asyncssh
from asyncssh.constants import OPEN_REQUEST_SESSION_FAILED
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound, OpsError
from quarterdeck.remote.errors import FileFailed, Lost, NoFileTransfer, Phase, RemoteError
from quarterdeck.remote.target import Patience

# What is read or written at a time, and the part of one request: every server takes as much.
BLOCK_BYTES = 1 << 20
_REQUEST_BYTES = 32 << 10
# Called with the bytes that are done, and those of all.
Progress = Callable[[int, int], None]
_GONE = (asyncssh.ConnectionLost, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, ConnectionError)


@asynccontextmanager
async def sftp(
    connection: asyncssh.SSHClientConnection, patience: Patience | None = None
) -> AsyncIterator[asyncssh.SFTPClient]:
    """Yield a session. Names are text; what is no UTF-8 in them is kept by surrogates. Raises RemoteError."""
    try:
        async with asyncio.timeout((patience or Patience()).become):
            client = await connection.start_sftp_client(path_errors="surrogateescape")
    except asyncssh.ChannelOpenError as error:
        raise _not_opened(error) from error
    except (asyncssh.SFTPError, TimeoutError) as error:
        raise _no_sftp(_("what answers does not speak SFTP")) from error
    except (asyncssh.Error, OSError) as error:
        raise _lost() from error
    try:
        yield client
    finally:
        client.exit()
        await client.wait_closed()


def _not_opened(error: asyncssh.ChannelOpenError) -> RemoteError:
    if error.code == OPEN_REQUEST_SESSION_FAILED:
        return _no_sftp(_("it has no SFTP subsystem"))
    return RemoteError(
        _("the host opens no session: %(reason)s") % {"reason": error.reason},
        hint=_("its MaxSessions may be reached"),
        phase=Phase.RUN,
    )


def _no_sftp(reason: str) -> NoFileTransfer:
    return NoFileTransfer(
        _("the host transfers no files: %(reason)s") % {"reason": reason},
        hint=_(
            'its sshd_config needs "Subsystem sftp internal-sftp", and the shell\'s start-up files must say nothing'
        ),
        phase=Phase.RUN,
    )


def _lost() -> Lost:
    return Lost(
        _("the connection ended in the middle of a transfer"),
        hint=_("try again: nothing is half done"),
        phase=Phase.RUN,
    )


async def read(file: asyncssh.SFTPClientFile, start: int, size_bytes: int = BLOCK_BYTES) -> bytes:
    """Return what a file that is open for bytes has from `start` on, b"" at its end; perhaps less than asked for."""
    sizes = [min(_REQUEST_BYTES, size_bytes - at) for at in range(0, size_bytes, _REQUEST_BYTES)]
    # The library's own way leaves errors that nobody looks at behind when a connection ends.
    found = await asyncio.gather(*(file.read(size, start + at * _REQUEST_BYTES) for at, size in enumerate(sizes)))
    parts: list[bytes] = []
    for size, part in zip(sizes, found, strict=True):
        parts.append(cast(bytes, part))
        if len(part) < size:
            break
    return b"".join(parts)


async def write(file: asyncssh.SFTPClientFile, start: int, data: bytes) -> None:
    """Write `data` at `start`."""
    places = range(0, len(data), _REQUEST_BYTES)
    await asyncio.gather(*(file.write(data[at : at + _REQUEST_BYTES], start + at) for at in places))


@contextmanager
def told(path: str) -> Iterator[None]:
    """Turn what SFTP says into what a person can act on: the one boundary. `path` is what it was about."""
    try:
        yield
    except OpsError:
        raise
    except asyncssh.SFTPError as error:
        raise error_of(path, error) from error
    except (asyncssh.Error, ConnectionError) as error:
        raise _lost() from error


def error_of(path: str, error: asyncssh.SFTPError) -> OpsError:
    if isinstance(error, _GONE):
        return _lost()
    values = {"path": shown(path), "reason": error.reason}
    if isinstance(error, asyncssh.SFTPNoSuchFile | asyncssh.SFTPNoSuchPath):
        return NotFound(_("%(path)s: there is no such file or directory") % values)
    if isinstance(error, asyncssh.SFTPPermissionDenied | asyncssh.SFTPWriteProtect):
        return Denied(_("%(path)s: the host does not permit it") % values, hint=_("as another user it may"))
    if isinstance(error, asyncssh.SFTPFileAlreadyExists | asyncssh.SFTPDirNotEmpty):
        return Conflict(_("%(path)s: %(reason)s") % values)
    return FileFailed(
        _("%(path)s: the host says %(reason)s") % values,
        hint=_("look for a full or read-only disk, and for a directory in its place"),
        phase=Phase.RUN,
    )


def shown(path: str) -> str:
    """Return a path for a person: printable, and short."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)[:300]


def checked(path: str) -> str:
    """Return a path that a host can be asked for. Raises BadInput."""
    if not path or "\0" in path or len(path.encode("utf-8", "surrogateescape")) > 4096:
        raise BadInput(_("a path has between one and 4096 bytes, and no NUL"), field="path")
    return path


def nonce() -> str:
    return secrets.token_hex(16)
