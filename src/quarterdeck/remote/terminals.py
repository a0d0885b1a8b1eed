"""A terminal on a host: the login shell, or a command, on a channel with a pty."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import asyncssh
from django.utils.translation import gettext as _

from quarterdeck.core.errors import TooMany
from quarterdeck.remote.sessions import Session, open_session

TERM = "xterm-256color"
# What a host has not taken yet of what was typed. Its own window is 2 MB; a paste is read sooner or later, or never.
_UNREAD_BYTES = 4 << 20
_OPEN_SECONDS = 30.0
# Where the host's sshd takes it (Debian's does): else its shell would show what is no ASCII as numbers.
_ENVIRONMENT = {"LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Size:
    """Of a terminal, in characters."""

    columns: int
    rows: int


def in_container(name: str) -> str:
    """Return the command that opens a shell in a running container, by the docker command of its host."""
    shell = "if command -v bash >/dev/null 2>&1; then exec bash -l; else exec sh -l; fi"
    return f"exec docker exec -it -e TERM={TERM} {shlex.quote(name)} sh -c {shlex.quote(shell)}"


class Terminal:
    """An open one. It belongs to the loop of its connection; closed, the host ends what runs on it (SIGHUP)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def exit_code(self) -> int | None:
        """What the shell ended with; None while it runs, or when the connection ended first."""
        return 128 if self._session.signal else self._session.code

    async def next(self) -> bytes | None:
        """Return what the host printed next, None at the end. A host of whom nobody reads has to wait."""
        chunk = await self._session.next()
        return None if chunk is None else chunk.data

    async def write(self, data: bytes) -> None:
        """Type `data`. Raises TooMany when the host does not read what was typed before."""
        channel = self._session.channel
        if channel is None or self._session.is_closed:
            return
        if channel.get_write_buffer_size() + len(data) > _UNREAD_BYTES:
            raise TooMany(_("the host does not read what is typed"), hint=_("transfer files instead of pasting them"))
        try:
            channel.write(data)
        except BrokenPipeError:
            # It ends just now, which whoever reads finds out.
            return

    async def resize(self, size: Size) -> None:
        if self._session.channel is not None and not self._session.is_closed:
            self._session.channel.change_terminal_size(size.columns, size.rows)

    async def close(self) -> None:
        if self._session.channel is not None:
            self._session.channel.close()


async def open_terminal(connection: asyncssh.SSHClientConnection, size: Size, command: str | None = None) -> Terminal:
    """Open one, with the login shell of who signed in, or with `command`. Raises RemoteError."""
    session = await open_session(
        connection,
        Session,
        command,
        _OPEN_SECONDS,
        term_type=TERM,
        term_size=(size.columns, size.rows),
        env=_ENVIRONMENT,
    )
    return Terminal(session)
