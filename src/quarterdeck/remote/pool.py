"""Warm connections, shared by everything that reaches hosts from this process.

A connection is for one target as one user with one credential, and is used by several commands at once. New ones are
opened within limits for each address, each network and in all: a real sshd drops a burst (MaxStartups 10:30:100), and
what it dropped is tried again after a moment. One pool belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from quarterdeck.remote.connecting import check_again, connect
from quarterdeck.remote.errors import Phase, Unreachable
from quarterdeck.remote.host_keys import HostKeys
from quarterdeck.remote.target import Patience, Target


@dataclass(frozen=True, slots=True)
class Limits:
    """How many at once. `sessions` is below OpenSSH's MaxSessions of 10; `idle_seconds` keeps a connection warm."""

    opening_per_address: int = 4
    opening_per_network: int = 64
    opening: int = 100
    sessions: int = 8
    connections: int = 4000
    idle_seconds: float = 300
    attempts: int = 4


@dataclass(slots=True, eq=False)
class _Warm:
    """An open connection. `uses` counts commands and, on a jump host, the connections that lead through it."""

    connection: asyncssh.SSHClientConnection
    sessions: int = 0
    tunnels: int = 0
    idle_since: float = field(default_factory=time.monotonic)
    through: _Warm | None = None

    @property
    def is_idle(self) -> bool:
        return not self.sessions and not self.tunnels


@dataclass(slots=True)
class Pool:
    """Use as an async context manager: at its end every connection is closed."""

    limits: Limits = field(default_factory=Limits)
    _warm: dict[Any, list[_Warm]] = field(default_factory=dict)
    _gates: dict[tuple[str, str], asyncio.Semaphore] = field(default_factory=dict)
    _opening: dict[Any, asyncio.Lock] = field(default_factory=dict)
    _sweeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    @asynccontextmanager
    async def lease(
        self, target: Target, host_keys: HostKeys, patience: Patience | None = None
    ) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Yield a connection to `target`, a warm one where there is one. Raises RemoteError.

        A warm one is held against `host_keys` again: what was accepted for one piece of work is not for another.
        """
        warm = await self._take(target, host_keys, patience or Patience())
        try:
            yield warm.connection
        finally:
            warm.sessions -= 1
            warm.idle_since = time.monotonic()

    def count(self) -> int:
        """Return how many connections are open."""
        return sum(not warm.connection.is_closed() for group in self._warm.values() for warm in group)

    async def close(self) -> None:
        """Close every connection and wait for it, those through a jump host before the jump host's."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        found = [warm for group in self._warm.values() for warm in group]
        self._warm.clear()
        found.sort(key=lambda warm: warm.tunnels)
        for warm in found:
            warm.connection.close()
        await asyncio.gather(*(_closed(warm.connection) for warm in found))

    async def _take(self, target: Target, host_keys: HostKeys, patience: Patience) -> _Warm:
        """Return a connection with one more session counted."""
        if (warm := self._free(target, host_keys)) is not None:
            return warm
        # Of many that want the same target at once, one opens and the others look again.
        async with self._opening.setdefault(target.key, asyncio.Lock()):
            if (warm := self._free(target, host_keys)) is not None:
                return warm
            warm = await self._open(target, host_keys, patience)
            warm.sessions += 1
            self._warm.setdefault(target.key, []).append(warm)
            self._start_sweeping()
            return warm

    def _free(self, target: Target, host_keys: HostKeys) -> _Warm | None:
        group = self._warm.get(target.key, [])
        for warm in [one for one in group if one.connection.is_closed()]:
            group.remove(warm)
            _let_go(warm)
        for warm in group:
            if warm.sessions < self.limits.sessions:
                check_again(warm.connection, target, host_keys)
                warm.sessions += 1
                return warm
        return None

    async def _open(self, target: Target, host_keys: HostKeys, patience: Patience) -> _Warm:
        self._make_room()
        through = await self._jump(target, host_keys, patience)
        try:
            async with AsyncExitStack() as gates:
                for gate in self._gates_of(target):
                    await gates.enter_async_context(gate)
                connection = await self._attempt(target, host_keys, patience, through)
        except BaseException:
            if through is not None:
                through.tunnels -= 1
            raise
        return _Warm(connection, through=through)

    async def _jump(self, target: Target, host_keys: HostKeys, patience: Patience) -> _Warm | None:
        """Return the last jump host's connection with one more tunnel counted; each is reached by those before it."""
        if not target.jumps:
            return None
        *before, last = target.jumps
        nearer = Target(last.address, last.port, last.user, last.sign_in, tuple(before), last.config)
        warm = await self._take(nearer, host_keys, patience)
        warm.sessions -= 1
        warm.tunnels += 1
        return warm

    async def _attempt(
        self, target: Target, host_keys: HostKeys, patience: Patience, through: _Warm | None
    ) -> asyncssh.SSHClientConnection:
        """Connect, again after a moment when the host closed in the handshake: that is how a busy sshd says no."""
        for attempt in range(1, self.limits.attempts + 1):
            try:
                return await connect(target, host_keys, patience, through.connection if through else None)
            except Unreachable as error:
                is_dropped = error.phase is Phase.HANDSHAKE and not isinstance(error.__cause__, TimeoutError)
                if not is_dropped or attempt == self.limits.attempts:
                    raise
            await asyncio.sleep(random.uniform(0.5, 1) * 0.2 * 2**attempt)  # noqa: S311 - to spread, not to hide
        raise AssertionError("BUG: no attempt was made")

    def _gates_of(self, target: Target) -> list[asyncio.Semaphore]:
        """Return what limits a new connection, always in the same order."""
        limits = self.limits
        found = [("all", "", limits.opening), ("address", target.place, limits.opening_per_address)]
        if network := _network(target.address):
            found.append(("network", network, limits.opening_per_network))
        return [
            self._gates.setdefault((kind, name), asyncio.Semaphore(number)) for kind, name, number in reversed(found)
        ]

    def _make_room(self) -> None:
        """Close an idle connection when there are as many as may be.

        Any of them: a run over more hosts than that takes them in the same order again and again, and would find that
        just those which it needs next were idle for longest.
        """
        if self.count() < self.limits.connections:
            return
        idle = [(group, warm) for group in self._warm.values() for warm in group if warm.is_idle]
        if idle:
            group, warm = random.choice(idle)  # noqa: S311 - to spread, not to hide
            # At once: one that is closing does not say so yet, and would be taken for open.
            group.remove(warm)
            _let_go(warm)
            warm.connection.close()

    def _start_sweeping(self) -> None:
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        """Close what is idle for too long, until nothing is left."""
        while self._warm:
            await asyncio.sleep(min(30.0, max(0.05, self.limits.idle_seconds / 4)))
            before = time.monotonic() - self.limits.idle_seconds
            for key, group in list(self._warm.items()):
                self._close_idle(group, before)
                if not group:
                    del self._warm[key]
                    self._opening.pop(key, None)

    def _close_idle(self, group: list[_Warm], before: float) -> None:
        for warm in list(group):
            if warm.connection.is_closed() or (warm.is_idle and warm.idle_since < before):
                warm.connection.close()
                group.remove(warm)
                _let_go(warm)


def _let_go(warm: _Warm) -> None:
    """Tell the jump host's connection that one less leads through it."""
    if warm.through is not None:
        warm.through.tunnels -= 1
        warm.through.idle_since = time.monotonic()
        warm.through = None


async def _closed(connection: asyncssh.SSHClientConnection) -> None:
    try:
        async with asyncio.timeout(5):
            await connection.wait_closed()
    except TimeoutError:
        connection.abort()


def _network(address: str) -> str:
    """Return the /24 or /64 of an address, "" for a name."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network(f"{found}/{24 if found.version == 4 else 64}", strict=False))
