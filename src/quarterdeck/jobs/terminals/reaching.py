"""The connection of a terminal: one of the process's pool, so that a second one on a host opens at once."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from quarterdeck.jobs.ways import Way
from quarterdeck.remote import loop
from quarterdeck.remote.terminals import Size, Terminal, open_terminal


@dataclass(slots=True)
class Line:
    """A terminal of another loop. Its coroutines are awaited by way of `loop.wrap`."""

    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def open(self, way: Way, size: Size, command: str | None) -> Terminal:
        """Open the login shell, or `command`. Raises RemoteError."""
        connection = await self._stack.enter_async_context(loop.pool().lease(way.target, way.host_keys))
        terminal = await open_terminal(connection, size, command)
        self._stack.push_async_callback(terminal.close)
        return terminal

    async def close(self) -> None:
        await self._stack.aclose()
