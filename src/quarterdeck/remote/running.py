"""One command on one connection: its output as it comes, within bounds; its end; and its end by force."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

import asyncssh

from quarterdeck.remote.becoming import Beginning
from quarterdeck.remote.errors import Lost, RemoteError
from quarterdeck.remote.metering import MAX_OUTPUT_BYTES as MAX_OUTPUT_BYTES
from quarterdeck.remote.metering import Exit as Exit
from quarterdeck.remote.metering import Meter
from quarterdeck.remote.scripts import Command, killing, lines, started
from quarterdeck.remote.sessions import Chunk, Session, Stream, lost, open_session
from quarterdeck.remote.target import Become, Patience

_KILL_SECONDS = 30
# How long one who is cancelled waits for the process id of what has just begun.
_TOLD_SECONDS = 5
# A terminal that passes bytes on as they are.
_RAW = {asyncssh.PTY_ECHO: 0, asyncssh.PTY_OPOST: 0, asyncssh.PTY_ICANON: 1}


@dataclass(frozen=True, slots=True)
class Result:
    """A command's output, gathered, for commands with little of it."""

    exit: Exit
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)


@dataclass(slots=True)
class _Run:
    """What one run knows of itself."""

    connection: asyncssh.SSHClientConnection
    command: Command
    become: Become | None
    patience: Patience
    meter: Meter
    pid: int | None = None


async def run(
    connection: asyncssh.SSHClientConnection,
    command: Command,
    *,
    become: Become | None = None,
    patience: Patience | None = None,
    max_bytes: int = MAX_OUTPUT_BYTES,
) -> AsyncGenerator[Chunk | Exit, None]:
    """Run `command` and yield its output as it comes, then its `Exit`. Use with `aclosing`.

    Of the output `max_bytes` are handed on; the rest is read and counted, so that the command ends by itself. When its
    time is over, the caller leaves or its task is cancelled, the command's whole process group on the host is killed.
    Raises RemoteError, BadInput.
    """
    this = _Run(connection, command, become, patience or Patience(), Meter(max_bytes))
    is_done = False
    try:
        async with aclosing(_parts(this)) as parts:
            async for part in parts:
                is_done = isinstance(part, Exit) and not part.is_timed_out
                yield part
    except Lost:
        is_done = True
        raise
    finally:
        if not is_done and this.pid is not None:
            # The cancelled task must still see this through.
            await asyncio.shield(asyncio.create_task(kill(connection, this.pid, become)))


async def _parts(this: _Run) -> AsyncGenerator[Chunk | Exit, None]:
    beginning = Beginning(this.become)
    session = await _open(this, beginning)
    try:
        await _learn_pid(this, beginning, session)
        _send_stdin(session, this.command, beginning.needs_terminal)
        for chunk in beginning.before:
            if (allowed := this.meter.allowed(chunk)) is not None:
                yield allowed
        deadline = asyncio.get_running_loop().time() + this.patience.run if this.patience.run else None
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    chunk_or_end = await session.next()
            except TimeoutError:
                yield this.meter.exit(None, is_timed_out=True)
                return
            if chunk_or_end is None:
                break
            if (allowed := this.meter.allowed(chunk_or_end)) is not None:
                yield allowed
        yield _end(this, session)
    finally:
        if session.channel is not None:
            session.channel.close()


async def _learn_pid(this: _Run, beginning: Beginning, session: Session) -> None:
    """Learn the process id. Who is cancelled just then learns it all the same: without it nothing can be ended."""
    told = asyncio.create_task(beginning.pid(session, this.patience.become))
    try:
        this.pid = await asyncio.shield(told)
    except asyncio.CancelledError:
        with suppress(RemoteError, TimeoutError):
            this.pid = await asyncio.wait_for(told, _TOLD_SECONDS)
        raise


async def _open(this: _Run, beginning: Beginning) -> Session:
    line = started(lines(this.command, beginning.nonce), this.become, beginning.prompt)
    return await open_session(
        this.connection,
        Session,
        line,
        this.patience.become,
        term_type="dumb" if beginning.needs_terminal else None,
        term_modes=_RAW,
    )


def _send_stdin(session: Session, command: Command, has_terminal: bool) -> None:
    channel = session.channel
    if channel is None or session.is_closed:
        return
    # A command that has ended already is told here before the session hears of it.
    with suppress(BrokenPipeError):
        if command.stdin:
            channel.write(command.stdin)
        if has_terminal:
            channel.write(b"\x04")
        else:
            channel.write_eof()


def _end(this: _Run, session: Session) -> Exit:
    if session.code is None and not session.signal:
        raise lost(session.error)
    return this.meter.exit(session.code, session.signal)


async def kill(connection: asyncssh.SSHClientConnection, pid: int, become: Become | None) -> bool:
    """End the process group of `pid`, as the user that it has. Returns whether the host confirmed it in time.

    Where all of a connection's sessions are taken, by commands that are killed as well perhaps, it is tried again.
    """
    deadline = time.monotonic() + _KILL_SECONDS
    while time.monotonic() < deadline:
        try:
            return await _kill_once(connection, pid, become)
        except Lost:
            # The connection is gone: nobody can be told.
            return False
        except RemoteError:
            await asyncio.sleep(0.2)
    return False


async def _kill_once(connection: asyncssh.SSHClientConnection, pid: int, become: Become | None) -> bool:
    this = _Run(connection, killing(pid), become, Patience(become=_KILL_SECONDS, run=_KILL_SECONDS), Meter(4096))
    async with aclosing(_parts(this)) as parts:
        async for part in parts:
            if isinstance(part, Exit):
                return part.code == 0
    return False


async def result_of(parts: AsyncGenerator[Chunk | Exit, None]) -> Result:
    """Return everything that `run` yields. Raises as it does."""
    found: dict[Stream, list[bytes]] = {stream: [] for stream in Stream}
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Exit):
                return Result(part, b"".join(found[Stream.STDOUT]), b"".join(found[Stream.STDERR]))
            found[part.stream].append(part.data)
    raise AssertionError("BUG: a run ended without an Exit")
