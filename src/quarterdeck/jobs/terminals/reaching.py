"""The way to a terminal's host: the address, the credential in force, the host keys; and the connection itself.

The connection is one of the process's pool, so that a second terminal on a host opens at once.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from quarterdeck.access.vault.using import use
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound
from quarterdeck.jobs.host_keys.using import keep, known
from quarterdeck.jobs.reaching import target_of
from quarterdeck.jobs.terminals.models import TerminalSession
from quarterdeck.remote import loop
from quarterdeck.remote.host_keys import HostKeys
from quarterdeck.remote.target import Target
from quarterdeck.remote.terminals import Size, Terminal, in_container, open_terminal


@dataclass(frozen=True, slots=True)
class Way:
    """Where a terminal is opened, with what is known of the host; `command` is None for the login shell."""

    target: Target
    host_keys: HostKeys
    command: str | None


def way_to(actor: Actor, session: TerminalSession) -> Way:
    """Return the way with the credentials of the actor, whose use is audited. Raises OpsError."""
    if session.item is None:
        raise NotFound(_("the host is gone from the inventory"))
    keys = use(actor, [session.item], f"terminal {session.pk}")[session.item.pk]
    target = target_of(session.item, keys)
    command = in_container(session.container) if session.container else None
    return Way(target, known([target], accepts_new=False), command)


def note_host_keys(actor: Actor, session: TerminalSession, way: Way) -> None:
    """Store which keys were shown: an unknown one waits for a decision then."""
    if session.item_id is not None:
        keep(actor, way.host_keys, {(way.target.address, way.target.port): session.item_id})


@dataclass(slots=True)
class Line:
    """A terminal of another loop. Its coroutines are awaited by way of `loop.wrap`."""

    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def open(self, way: Way, size: Size) -> Terminal:
        """Raises RemoteError."""
        connection = await self._stack.enter_async_context(loop.pool().lease(way.target, way.host_keys))
        terminal = await open_terminal(connection, size, way.command)
        self._stack.push_async_callback(terminal.close)
        return terminal

    async def close(self) -> None:
        await self._stack.aclose()
