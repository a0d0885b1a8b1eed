"""An engine at the other end of a warm connection, and a process of that host ended by its id."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from quarterdeck.remote.docker.dialing import SOCKET_PATH, by_ssh
from quarterdeck.remote.docker.engine import Engine, engine
from quarterdeck.remote.docker.running import KillOnHost
from quarterdeck.remote.running import result_of, run
from quarterdeck.remote.scripts import Command
from quarterdeck.remote.target import Become


@asynccontextmanager
async def engine_on(
    connection: asyncssh.SSHClientConnection, place: str, path: str = SOCKET_PATH
) -> AsyncIterator[Engine]:
    """Yield the engine of the host that `connection` leads to. Raises RemoteError at the first call."""
    async with engine(by_ssh(connection, path), place) as found:
        yield found


def killer(connection: asyncssh.SSHClientConnection, become: Become | None) -> KillOnHost:
    """Return what ends a process of the host, and what carries the same mark: for containers without a shell."""

    async def kill(pid: int, mark: str) -> None:
        if pid <= 0:
            return
        script = f"""
carries() {{ tr '\\0' '\\n' < "$1/environ" 2>/dev/null | grep -qxF {shlex.quote(mark)}; }}
carries /proc/{pid} || exit 0
for d in /proc/[0-9]*; do
    if carries "$d"; then kill -s KILL "${{d#/proc/}}"; fi
done"""
        await result_of(run(connection, Command(script), become=become))

    return kill
