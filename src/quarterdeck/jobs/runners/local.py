"""A command on the worker itself, once for each host, whose name and address are in its environment.

    {"command": "ping -c 1 -W 2 \"$QD_HOST_ADDRESS\"", "environment": {"A": "1"}, "memory_mb": 512, "cpu_seconds": 60}

It is for what reaches hosts in another way than SSH. Whoever may do this acts as the worker's account.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.runners import Circumstances, Host, Parts, Program, Runner, refuse_unknown, text_of
from quarterdeck.jobs.runners.ssh import end_of, environment_of
from quarterdeck.remote import local
from quarterdeck.remote.metering import Exit
from quarterdeck.remote.scripts import Command

_MAX_COMMAND_BYTES = 64 << 10
_MEMORY_MB, _CPU_SECONDS = 1024, 3600


@dataclass(frozen=True, slots=True)
class Work:
    command: str
    directory: str
    environment: Mapping[str, str]
    limits: local.LocalLimits


def read(work: Mapping[str, Any]) -> Work:
    """Raises BadInput."""
    refuse_unknown(work, "command", "directory", "environment", "memory_mb", "cpu_seconds")
    command = text_of(work, "command")
    if not command.strip() or "\0" in command or len(command.encode(errors="surrogatepass")) > _MAX_COMMAND_BYTES:
        raise BadInput(_("a command is a text of up to 64 KB"), field="command")
    memory, seconds = _number(work, "memory_mb", _MEMORY_MB), _number(work, "cpu_seconds", _CPU_SECONDS)
    limits = local.LocalLimits(address_space_bytes=memory << 20, cpu_seconds=seconds)
    return Work(command, text_of(work, "directory"), environment_of(work), limits)


def _number(work: Mapping[str, Any], name: str, usual: int) -> int:
    value = work.get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1 << 20:
        raise BadInput(_('"%(name)s" is a whole number from 1 on') % {"name": name}, field=name)
    return value


def shown(work: Work) -> str:
    return work.command.strip().splitlines()[0]


def programs(work: Mapping[str, Any]) -> list[Program]:
    return [Program(text_of(work, "command"), environment=environment_of(work))]


async def _run(host: Host, work: Work, around: Circumstances) -> Parts:
    """Yield what it prints. Raises BadInput, LocalFailed."""
    told = {
        "QD_HOST_NAME": host.name,
        "QD_HOST_ADDRESS": host.target.address,
        "QD_HOST_PORT": str(host.target.port),
        "QD_HOST_USER": host.target.user,
    }
    command = Command(work.command, {**work.environment, **told}, work.directory)
    async with aclosing(
        local.run(command, limits=work.limits, seconds=around.patience.run, max_bytes=around.max_bytes)
    ) as parts:
        async for part in parts:
            yield end_of(part, around) if isinstance(part, Exit) else part


PLUGIN = Runner(
    gettext_lazy("Command on the worker"), read, shown, _run, verb="jobs.run_local", signs_in=False,
    code=("command",), programs=programs,
)  # fmt: skip
