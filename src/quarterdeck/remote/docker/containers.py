"""Containers: listed, looked into, started, stopped, removed; their logs and their use of the machine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from quarterdeck.remote.docker import rows
from quarterdeck.remote.docker.engine import SECONDS, Engine, lines, segment
from quarterdeck.remote.docker.frames import chunks
from quarterdeck.remote.sessions import Chunk

Filters = Mapping[str, Sequence[str]]


async def ps(engine: Engine, *, with_stopped: bool = True, filters: Filters | None = None) -> list[rows.Container]:
    """Return containers; filters as the engine has them: `{"label": ["app=web"], "status": ["running"]}`."""
    query = {"all": with_stopped, "filters": {name: list(values) for name, values in (filters or {}).items()}}
    return [rows.container(row) for row in await engine.call("GET", "/containers/json", query=query)]


async def inspect(engine: Engine, name: str) -> dict[str, Any]:
    """Return everything about a container. Raises NotFound."""
    found: dict[str, Any] = await engine.call("GET", f"/containers/{segment(name)}/json")
    return found


async def start(engine: Engine, name: str) -> bool:
    """Start it; return False when it ran already."""
    return await _change(engine, name, "start")


async def stop(engine: Engine, name: str, *, grace_seconds: int = 10) -> bool:
    """Stop it, by force after the grace; return False when it was stopped already."""
    return await _change(engine, name, "stop", {"t": grace_seconds}, SECONDS + grace_seconds)


async def restart(engine: Engine, name: str, *, grace_seconds: int = 10) -> bool:
    return await _change(engine, name, "restart", {"t": grace_seconds}, SECONDS + grace_seconds)


async def kill(engine: Engine, name: str, *, signal: str = "KILL") -> bool:
    """Send a signal. Raises Conflict when it does not run."""
    return await _change(engine, name, "kill", {"signal": signal})


async def pause(engine: Engine, name: str) -> bool:
    return await _change(engine, name, "pause")


async def unpause(engine: Engine, name: str) -> bool:
    return await _change(engine, name, "unpause")


async def rename(engine: Engine, name: str, new: str) -> bool:
    return await _change(engine, name, "rename", {"name": new})


async def _change(
    engine: Engine, name: str, verb: str, query: Mapping[str, Any] | None = None, seconds: float = SECONDS
) -> bool:
    path = f"/containers/{segment(name)}/{verb}"
    return await engine.call("POST", path, query=query, seconds=seconds) is not False


async def remove(engine: Engine, name: str, *, by_force: bool = False, with_volumes: bool = False) -> None:
    """Remove it, with its unnamed volumes when asked. Raises Conflict when it runs, unless by force."""
    query = {"force": by_force, "v": with_volumes}
    await engine.call("DELETE", f"/containers/{segment(name)}", query=query)


async def logs(
    engine: Engine,
    name: str,
    *,
    tail: int | None = None,
    is_followed: bool = False,
    since: float | None = None,
    until: float | None = None,
    with_times: bool = False,
) -> AsyncGenerator[Chunk, None]:
    """Yield what a container wrote, and with `is_followed` what it goes on to write. Use with `aclosing`.

    `since` and `until` are seconds since 1970. With `with_times` each line begins with its time.
    """
    has_terminal = bool((await inspect(engine, name))["Config"]["Tty"])
    query = {
        "stdout": True,
        "stderr": True,
        "follow": is_followed,
        "tail": "all" if tail is None else str(tail),
        "since": since and f"{since:.9f}",
        "until": until and f"{until:.9f}",
        "timestamps": with_times,
    }
    path = f"/containers/{segment(name)}/logs"
    async with (
        engine.stream("GET", path, query=query) as response,
        aclosing(chunks(engine.place, response, has_terminal=has_terminal)) as parts,
    ):
        async for part in parts:
            yield part


async def stats(engine: Engine, name: str) -> rows.Stats:
    """Return how much of the machine it uses. The engine looks twice, a second apart."""
    return rows.stats(await engine.call("GET", f"/containers/{segment(name)}/stats", query={"stream": False}))


async def events(
    engine: Engine, *, since: float | None = None, until: float | None = None, filters: Filters | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what happens in the engine, as it says it; without `until` it does not end. Use with `aclosing`."""
    query = {
        "since": since and f"{since:.9f}",
        "until": until and f"{until:.9f}",
        "filters": {name: list(values) for name, values in (filters or {}).items()},
    }
    async with (
        engine.stream("GET", "/events", query=query) as response,
        aclosing(lines(engine.place, response)) as found,
    ):
        async for one in found:
            yield one
