"""A new container with a command, or a command in a container that runs: its output as it comes, then its `Exit`.

The engine has no word for ending a command in a container. So each gets a variable with a nonce in its environment, and
what carries it is ended from inside by a second command, with all that it started; where the container has no shell, on
the host by its process id, when there is a way to the host.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from quarterdeck.core.errors import NotFound, OpsError
from quarterdeck.remote.docker import containers
from quarterdeck.remote.docker.engine import Engine, segment
from quarterdeck.remote.docker.frames import chunks
from quarterdeck.remote.docker.images import Progress, pull
from quarterdeck.remote.docker.specs import Spec, body_of
from quarterdeck.remote.metering import MAX_OUTPUT_BYTES, Exit, Meter
from quarterdeck.remote.sessions import Chunk

_log = logging.getLogger(__name__)
_GRACE_SECONDS = 3.0
_KILL_SECONDS = 15.0
_MARK = "QD_EXEC"
# What carries the mark; this command itself has none. `kill` is the shell's own, and busybox's grep ends at a NUL.
_KILLING = """for d in /proc/[0-9]*; do
    if tr '\\0' '\\n' < "$d/environ" 2>/dev/null | grep -qxF "$1"; then kill -s "$2" "${d#/proc/}" 2>/dev/null; fi
done; exit 0"""
# Ends a process of the host by its id when its environment has the mark; returns nothing.
KillOnHost = Callable[[int, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Started:
    """A container was made and started."""

    id: str
    name: str


async def run(
    engine: Engine,
    spec: Spec,
    *,
    is_attached: bool = True,
    is_removed: bool = False,
    pulls: str = "missing",
    authorization: str = "",
    seconds: float | None = None,
    max_bytes: int = MAX_OUTPUT_BYTES,
) -> AsyncGenerator[Progress | Started | Chunk | Exit, None]:
    """Make a container and start it. Yields the progress of a pull, `Started`, and when attached output and `Exit`.

    `pulls` is "missing", "always" or "never". When its time is over, or the caller leaves, an attached container is
    killed. With `is_removed` it is gone afterwards. Use with `aclosing`. Raises OpsError.
    """
    body = body_of(spec)
    body["HostConfig"]["AutoRemove"] = is_removed and not is_attached
    if pulls == "always":
        async with aclosing(pull(engine, spec.image, authorization)) as steps:
            async for step in steps:
                yield step
    try:
        made = await _create(engine, spec, body)
    except NotFound:
        if pulls != "missing":
            raise
        async with aclosing(pull(engine, spec.image, authorization)) as steps:
            async for step in steps:
                yield step
        made = await _create(engine, spec, body)
    has_started = is_done = False
    try:
        if is_attached:
            async with aclosing(_attached(engine, made, spec, seconds, Meter(max_bytes))) as parts:
                async for part in parts:
                    has_started = True
                    is_done = isinstance(part, Exit) and not part.is_timed_out
                    yield part
        else:
            await containers.start(engine, made.id)
            has_started = True
            yield made
    finally:
        if is_attached or not has_started:
            # One that never ran is in everybody's way.
            work = _ended(engine, made.id, kills=not is_done, removes=is_removed or not has_started)
            await asyncio.shield(asyncio.create_task(work))


async def _create(engine: Engine, spec: Spec, body: Mapping[str, Any]) -> Started:
    query = {"name": spec.name or None}
    made = await engine.call("POST", "/containers/create", query=query, body=body)
    return Started(made["Id"], spec.name or made["Id"][:12])


async def _attached(
    engine: Engine, made: Started, spec: Spec, seconds: float | None, meter: Meter
) -> AsyncGenerator[Started | Chunk | Exit, None]:
    path = f"/containers/{segment(made.id)}/attach"
    query = {"stream": True, "stdout": True, "stderr": True}
    async with engine.stream("POST", path, query=query) as response:
        await containers.start(engine, made.id)
        yield made
        parts = chunks(engine.place, response, has_terminal=spec.has_terminal)
        async with aclosing(bounded(parts, meter, seconds)) as found:
            async for part in found:
                yield part
                if isinstance(part, Exit):
                    return
    ended = await engine.call("POST", f"/containers/{segment(made.id)}/wait", seconds=None)
    yield meter.exit(ended["StatusCode"])


async def bounded(
    parts: AsyncGenerator[Chunk, None], meter: Meter, seconds: float | None
) -> AsyncGenerator[Chunk | Exit, None]:
    """Yield what may be handed on, and an `Exit` only when the time is over. Closes `parts`."""
    deadline = asyncio.get_running_loop().time() + seconds if seconds else None
    async with aclosing(parts):
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    part = await anext(parts, None)
            except TimeoutError:
                yield meter.exit(None, is_timed_out=True)
                return
            if part is None:
                return
            if (allowed := meter.allowed(part)) is not None:
                yield allowed


async def _ended(engine: Engine, name: str, *, kills: bool, removes: bool) -> None:
    with suppress(OpsError):
        if removes:
            await containers.remove(engine, name, by_force=True, with_volumes=True)
        elif kills:
            await containers.stop(engine, name, grace_seconds=round(_GRACE_SECONDS))


async def execute(
    engine: Engine,
    container: str,
    command: Sequence[str],
    *,
    user: str = "",
    directory: str = "",
    environment: Mapping[str, str] | None = None,
    has_terminal: bool = False,
    seconds: float | None = None,
    max_bytes: int = MAX_OUTPUT_BYTES,
    kill_on_host: KillOnHost | None = None,
) -> AsyncGenerator[Chunk | Exit, None]:
    """Run `command` in a container that runs. Yields its output, then its `Exit`. Use with `aclosing`.

    When its time is over, or the caller leaves, it is ended. Raises NotFound, Conflict when the container does not run.
    """
    mark = f"{_MARK}={secrets.token_hex(16)}"
    body = {
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": has_terminal,
        "Cmd": list(command),
        "User": user,
        "WorkingDir": directory,
        "Env": [*(f"{name}={value}" for name, value in (environment or {}).items()), mark],
    }
    made = await engine.call("POST", f"/containers/{segment(container)}/exec", body=body)
    meter, is_done = Meter(max_bytes), False
    try:
        start = {"Detach": False, "Tty": has_terminal}
        async with engine.stream("POST", f"/exec/{made['Id']}/start", body=start) as response:
            parts = chunks(engine.place, response, has_terminal=has_terminal)
            async with aclosing(bounded(parts, meter, seconds)) as found:
                async for part in found:
                    yield part
                    if isinstance(part, Exit):
                        return
        is_done = True
        yield meter.exit(await _exit_code(engine, made["Id"]))
    finally:
        if not is_done:
            work = _kill(engine, container, made["Id"], user, mark, kill_on_host)
            await asyncio.shield(asyncio.create_task(work))


async def _exit_code(engine: Engine, exec_id: str) -> int | None:
    """Return the code; the output may end a moment before the command."""
    while (found := await engine.call("GET", f"/exec/{exec_id}/json"))["Running"]:
        await asyncio.sleep(0.05)
    code: int | None = found["ExitCode"]
    return code


async def _kill(
    engine: Engine, container: str, exec_id: str, user: str, mark: str, kill_on_host: KillOnHost | None
) -> None:
    """End a command with all that carries its mark: SIGTERM, and SIGKILL when that is not enough."""
    try:
        async with asyncio.timeout(_KILL_SECONDS):
            for signal in ("TERM", "KILL"):
                found = await engine.call("GET", f"/exec/{exec_id}/json")
                if not found["Running"] and signal == "TERM" and not found["Pid"]:
                    return
                if not await _told_inside(engine, container, user, mark, signal) and kill_on_host is not None:
                    await kill_on_host(found["Pid"], mark)
                await _is_over(engine, exec_id)
        if (await engine.call("GET", f"/exec/{exec_id}/json"))["Running"]:
            _log.warning("a command in a container of %s goes on: there is no shell in it to end it", engine.place)
    except (OpsError, TimeoutError) as error:
        _log.warning("a command in a container of %s may go on: %s", engine.place, error)


async def _told_inside(engine: Engine, container: str, user: str, mark: str, signal: str) -> bool:
    """Send the signal from inside; return whether that was possible."""
    body = {"Cmd": ["/bin/sh", "-c", _KILLING, "sh", mark, signal], "User": user, "AttachStdout": True}
    made = await engine.call("POST", f"/containers/{segment(container)}/exec", body=body)
    async with engine.stream("POST", f"/exec/{made['Id']}/start", body={"Detach": False}) as response:
        async for _part in response.aiter_stream():
            pass
    return await _exit_code(engine, made["Id"]) == 0


async def _is_over(engine: Engine, exec_id: str) -> None:
    deadline = asyncio.get_running_loop().time() + _GRACE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if not (await engine.call("GET", f"/exec/{exec_id}/json"))["Running"]:
            return
        await asyncio.sleep(0.05)
