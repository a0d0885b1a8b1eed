"""One channel of a connection: what comes in, in order, never more of it in memory than a fixed size."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar, cast

import asyncssh
from django.utils.translation import gettext as _

from quarterdeck.remote.errors import Lost, Phase, RemoteError

# What waits to be read; beside it stands what the window of the channel lets the host send.
_HIGH_BYTES = 256 << 10
_LOW_BYTES = 64 << 10


class Stream(StrEnum):
    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as the host sent them: no encoding is assumed, terminal escapes are not touched."""

    stream: Stream
    data: bytes


class Session(asyncssh.SSHClientSession[bytes]):
    """Gathers what a channel receives; `next` hands it on and lets the host send more."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.signal = ""
        self.error: Exception | None = None
        self.is_closed = False
        self._parts: deque[Chunk] = deque()
        self._waiting_bytes = 0
        self._is_paused = False
        self._news = asyncio.Event()
        self.channel: asyncssh.SSHClientChannel[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        stream = Stream.STDERR if datatype == asyncssh.EXTENDED_DATA_STDERR else Stream.STDOUT
        self._parts.append(Chunk(stream, data))
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _HIGH_BYTES and not self._is_paused and self.channel is not None:
            self.channel.pause_reading()
            self._is_paused = True
        self._news.set()

    def exit_status_received(self, status: int) -> None:
        self.code = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.signal = signal

    def connection_lost(self, exc: Exception | None) -> None:
        self.error, self.is_closed = exc, True
        self._news.set()

    async def next(self) -> Chunk | None:
        """Return what came next, None when the channel is closed and everything was read."""
        while not self._parts:
            if self.is_closed:
                return None
            self._news.clear()
            await self._news.wait()
        part = self._parts.popleft()
        self._waiting_bytes -= len(part.data)
        if self._is_paused and self._waiting_bytes < _LOW_BYTES and self.channel is not None:
            self.channel.resume_reading()
            self._is_paused = False
        return part


S = TypeVar("S", bound=Session)


async def open_session(
    connection: asyncssh.SSHClientConnection, kind: type[S], command: str | None, seconds: float, **terminal: Any
) -> S:
    """Return a new channel of `connection` on which `command` runs, the login shell for None. Raises RemoteError.

    `terminal` is asyncssh's `term_type`, `term_size` and so on, for a channel with a terminal.
    """
    try:
        async with asyncio.timeout(seconds):
            _channel, session = await connection.create_session(kind, command, encoding=None, **terminal)
    except TimeoutError as error:
        raise Lost(_("the host does not open another session"), hint=_("try again"), phase=Phase.RUN) from error
    except asyncssh.ChannelOpenError as error:
        raise RemoteError(
            _("the host opens no session: %(reason)s") % {"reason": error.reason},
            hint=_("its MaxSessions may be reached"),
            phase=Phase.RUN,
        ) from error
    except (asyncssh.Error, OSError) as error:
        raise lost(error) from error
    return cast(S, session)


def lost(error: Exception | None) -> Lost:
    """Return what it means that a connection ended while something ran on it."""
    reason = str(error) if error else _("it was closed")
    return Lost(
        _("the connection ended before the command did: %(reason)s") % {"reason": reason},
        hint=_("whether the command was done is not known; look on the host before it is repeated"),
        phase=Phase.RUN,
    )
