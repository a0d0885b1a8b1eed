"""Many hosts asked at once, over warm connections. Nothing here touches records."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from django.utils.translation import gettext as _

from quarterdeck.core.errors import OpsError
from quarterdeck.jobs.facts.tree import Output, read
from quarterdeck.remote import loop
from quarterdeck.remote.errors import Phase, RemoteError, Unreachable
from quarterdeck.remote.host_keys import HostKeys
from quarterdeck.remote.running import result_of, run
from quarterdeck.remote.scripts import Command
from quarterdeck.remote.target import Become, Patience, Target

SECONDS = 45
_AT_ONCE = 100
_MAX_BYTES = 8 << 20
_SCRIPT = files(__package__).joinpath("script.sh").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Way:
    """How a host is reached, and whom to become there."""

    target: Target
    become: Become | None


def gather(ways: Mapping[int, Way], host_keys: HostKeys) -> dict[int, Output | OpsError]:
    """Return what each host said, or why it said nothing, by the key of its way. Takes at most SECONDS for each."""
    return loop.run(_all(ways, host_keys))


async def _all(ways: Mapping[int, Way], host_keys: HostKeys) -> dict[int, Output | OpsError]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(way: Way) -> Output | OpsError:
        async with gate:
            return await _ask(way, host_keys)

    return dict(zip(ways, await asyncio.gather(*map(one, ways.values())), strict=True))


async def _ask(way: Way, host_keys: HostKeys) -> Output | OpsError:
    try:
        async with asyncio.timeout(SECONDS):
            return read(await _answer(way, host_keys))
    except TimeoutError:
        message = _("%(place)s does not tell its facts in time") % {"place": way.target.place}
        return Unreachable(message, hint=_("is it overloaded?"), phase=Phase.RUN)
    except OpsError as error:
        return error


async def _answer(way: Way, host_keys: HostKeys) -> str:
    async with loop.pool().lease(way.target, host_keys) as connection:
        command = run(
            connection, Command(_SCRIPT), become=way.become, patience=Patience(run=SECONDS), max_bytes=_MAX_BYTES
        )
        done = await result_of(command)
    if done.exit.is_cut or done.exit.is_timed_out:
        raise RemoteError(
            _("the host's answer broke off"), hint=_("it has more to tell than is taken"), phase=Phase.RUN
        )
    return done.stdout.decode("utf-8", "replace").replace("\0", "")
