"""One command on this machine, in the shape of a command on a host: its output as it comes, then its `Exit`.

It runs below `helpers/supervise.py`, which ends all that it started when its time is over, when the caller leaves, when
the command itself has ended, and when this process dies. It gets a clean environment: PATH, HOME, LANG and what the
command asks for. Order and environment go over a socket: of them the argument list of no other process tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import resource
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, OpsError, Unavailable
from quarterdeck.remote.metering import MAX_OUTPUT_BYTES, Exit, Meter
from quarterdeck.remote.scripts import Command, check
from quarterdeck.remote.sessions import Chunk, Stream

GRACE_SECONDS = 3.0
_HELPER = Path(__file__).with_name("helpers") / "supervise.py"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_READ_BYTES = 64 << 10
# The helper needs some 20 ms; a machine that swaps needs longer.
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LocalLimits:
    """What each process of the command may have; None is what this process has. See getrlimit(2).

    `processes` counts all of the user's, and does not bind root.
    """

    address_space_bytes: int | None = None
    cpu_seconds: int | None = None
    open_files: int | None = 1024
    processes: int | None = None
    file_size_bytes: int | None = None
    core_bytes: int | None = 0

    def numbers(self) -> list[tuple[int, int, int]]:
        """Return `(RLIMIT_..., soft, hard)`, none above what this process may have itself."""
        asked = (
            (resource.RLIMIT_AS, self.address_space_bytes, 0),
            # At the soft limit SIGXCPU says why, at the hard one it is SIGKILL.
            (resource.RLIMIT_CPU, self.cpu_seconds, 2),
            (resource.RLIMIT_NOFILE, self.open_files, 0),
            (resource.RLIMIT_NPROC, self.processes, 0),
            (resource.RLIMIT_FSIZE, self.file_size_bytes, 0),
            (resource.RLIMIT_CORE, self.core_bytes, 0),
        )
        return [
            (number, _at_most(number, value), _at_most(number, value + more))
            for number, value, more in asked
            if value is not None
        ]


def _at_most(number: int, value: int) -> int:
    hard = resource.getrlimit(number)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


class LocalFailed(Unavailable):
    """The command could not be started here."""

    code = "local_failed"


async def run(
    command: Command,
    *,
    user: str = "",
    limits: LocalLimits | None = None,
    seconds: float | None = None,
    max_bytes: int = MAX_OUTPUT_BYTES,
) -> AsyncGenerator[Chunk | Exit, None]:
    """Run `command` in /bin/sh as `user` ("" is who we are) and yield its output, then its `Exit`. Use with `aclosing`.

    Raises BadInput for an unknown user or a directory that is none, LocalFailed when nothing can be started.
    """
    check(command)
    order = _order(["/bin/sh", "-c", command.text], command, user, limits or LocalLimits())
    async with aclosing(_run_order(order, command.stdin, seconds, Meter(max_bytes))) as parts:
        async for part in parts:
            yield part


async def run_program(
    arguments: list[str],
    *,
    stdin: bytes = b"",
    limits: LocalLimits | None = None,
    seconds: float | None = None,
    max_bytes: int = MAX_OUTPUT_BYTES,
) -> AsyncGenerator[Chunk | Exit, None]:
    """The same for a program of ours by its path, without a shell."""
    command = Command("", stdin=stdin)
    order = _order(arguments, command, "", limits or LocalLimits())
    async with aclosing(_run_order(order, stdin, seconds, Meter(max_bytes))) as parts:
        async for part in parts:
            yield part


def _order(argv: list[str], command: Command, user: str, limits: LocalLimits) -> dict[str, Any]:
    account = _account(user)
    home = account.pw_dir if account else os.environ.get("HOME", "/")
    name = account.pw_name if account else os.environ.get("USER", "")
    environment = {"PATH": _PATH, "HOME": home, "LANG": "C.UTF-8", "USER": name, "LOGNAME": name}
    return {
        "argv": argv,
        "environment": environment | dict(command.environment),
        "directory": command.directory,
        "limits": limits.numbers(),
        "groups": os.getgrouplist(account.pw_name, account.pw_gid) if account else [],
        "gid": account.pw_gid if account else None,
        "uid": account.pw_uid if account else None,
        "grace_seconds": GRACE_SECONDS,
    }


def _account(user: str) -> pwd.struct_passwd | None:
    """Return the account to run as, None for our own. Raises BadInput."""
    if not user:
        return None
    try:
        found = pwd.getpwnam(user)
    except (KeyError, ValueError) as error:
        raise BadInput(_('this machine has no account "%(name)s"') % {"name": user[:60]}, field="user") from error
    if found.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        message = _("only root may run commands as another user; this worker runs as %(name)s")
        raise BadInput(message % {"name": pwd.getpwuid(os.geteuid()).pw_name}, field="user")
    return found


async def _run_order(
    order: dict[str, Any], stdin: bytes, seconds: float | None, meter: Meter
) -> AsyncGenerator[Chunk | Exit, None]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        process = await _started(theirs)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    chunks: asyncio.Queue[Chunk | None] = asyncio.Queue(4)
    tasks = [
        asyncio.create_task(_feed(process, ours, order, stdin)),
        asyncio.create_task(_gather(process, chunks)),
    ]
    try:
        async with aclosing(_parts(meter, order["directory"], ours, chunks, seconds)) as parts:
            async for part in parts:
                yield part
    finally:
        for task in tasks:
            task.cancel()
        # Its end is the sign to end everything; who was cancelled must still see it through.
        ours.close()
        await asyncio.shield(asyncio.create_task(_ended(process, chunks, tasks)))


async def _started(theirs: socket.socket) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(_HELPER), str(theirs.fileno())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_READ_BYTES,
            env={"LANG": "C.UTF-8"},
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    except OSError as error:
        raise LocalFailed(
            _("no process can be started here: %(reason)s") % {"reason": error.strerror},
            hint=_("look at the worker's memory and its number of processes"),
        ) from error


async def _feed(process: asyncio.subprocess.Process, ours: socket.socket, order: dict[str, Any], stdin: bytes) -> None:
    """Send the order, then the command's input; who does not read it is not waited for by anybody."""
    with contextlib.suppress(OSError):
        await asyncio.get_running_loop().sock_sendall(ours, json.dumps(order).encode() + b"\n")
        if process.stdin is not None:
            process.stdin.write(stdin)
            await process.stdin.drain()
            process.stdin.close()


async def _gather(process: asyncio.subprocess.Process, chunks: asyncio.Queue[Chunk | None]) -> None:
    async def read(stream: Stream, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_READ_BYTES):
            await chunks.put(Chunk(stream, data))

    readers = {Stream.STDOUT: process.stdout, Stream.STDERR: process.stderr}
    await asyncio.gather(*(read(stream, reader) for stream, reader in readers.items() if reader))
    await chunks.put(None)


async def _parts(
    meter: Meter, directory: str, ours: socket.socket, chunks: asyncio.Queue[Chunk | None], seconds: float | None
) -> AsyncGenerator[Chunk | Exit, None]:
    deadline = asyncio.get_running_loop().time() + seconds if seconds else None
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                chunk = await chunks.get()
        except TimeoutError:
            yield meter.exit(None, is_timed_out=True)
            return
        if chunk is None:
            break
        if (allowed := meter.allowed(chunk)) is not None:
            yield allowed
    try:
        async with asyncio.timeout_at(deadline):
            result = await _result(ours)
    except TimeoutError:
        # It closed its output and goes on.
        yield meter.exit(None, is_timed_out=True)
        return
    yield _exit(meter, directory, result)


async def _result(ours: socket.socket) -> dict[str, Any]:
    text = b""
    with contextlib.suppress(ConnectionError):
        while not text.endswith(b"\n") and (part := await asyncio.get_running_loop().sock_recv(ours, 4096)):
            text += part
    found: dict[str, Any] = json.loads(text or b"{}")
    return found


def _exit(meter: Meter, directory: str, result: dict[str, Any]) -> Exit:
    if "error" in result:
        raise _refused(directory, result)
    if "signal" in result:
        return meter.exit(None, _signal_name(result["signal"]))
    if "code" not in result:
        raise LocalFailed(
            _("the process that watched over the command was killed"),
            hint=_("whether the command was done is not known"),
        )
    return meter.exit(result["code"])


def _signal_name(number: int) -> str:
    """Return "KILL" of 9; a real-time signal has only its number."""
    try:
        return Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)


def _refused(directory: str, result: dict[str, Any]) -> OpsError:
    values = {"reason": result["error"], "directory": directory}
    if result["step"] == "directory":
        return BadInput(_("cannot go into %(directory)s: %(reason)s") % values, field="directory")
    return LocalFailed(_("the command cannot be started: %(reason)s") % values)


async def _ended(
    process: asyncio.subprocess.Process, chunks: asyncio.Queue[Chunk | None], tasks: list[asyncio.Task[None]]
) -> None:
    """Wait until the helper has ended everything."""
    await asyncio.gather(*tasks, return_exceptions=True)
    if process.stdin is not None:
        process.stdin.close()
    drains = [asyncio.create_task(_drain(reader)) for reader in (process.stdout, process.stderr) if reader]
    try:
        async with asyncio.timeout(GRACE_SECONDS + _START_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    for drain in drains:
        drain.cancel()
    await asyncio.gather(*drains, return_exceptions=True)


async def _drain(reader: asyncio.StreamReader) -> None:
    """Read what is left, so that nothing waits to write it."""
    while await reader.read(_READ_BYTES):
        pass
