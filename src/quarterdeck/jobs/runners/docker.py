"""Docker on hosts: their Engine is spoken to through the warm SSH connection, by whoever signs in there.

    {"operation": "ps"}                                 {"operation": "logs", "container": "web", "tail": 100}
    {"operation": "run", "image": "nginx:1.27", "name": "web", "ports": ["8080:80"], "network": "bridge"}
    {"operation": "exec", "container": "web", "command": ["nginx", "-t"]}
    {"operation": "network-connect", "network": "front", "container": "web"}

`socket` is where the engine listens, where that is not the usual place (rootless Docker).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any

import asyncssh
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean
from quarterdeck.jobs.runners import Circumstances, End, Host, Parts, Runner, refuse_unknown, text_of, texts_of
from quarterdeck.jobs.runners.ssh import end_of
from quarterdeck.jobs.runners.tables import lines
from quarterdeck.jobs.runs.models import HostStatus
from quarterdeck.remote.docker import containers, images, networks, pruning
from quarterdeck.remote.docker.dialing import SOCKET_PATH
from quarterdeck.remote.docker.engine import Engine
from quarterdeck.remote.docker.hosts import engine_on, killer
from quarterdeck.remote.docker.images import Progress
from quarterdeck.remote.docker.running import Started, bounded, execute
from quarterdeck.remote.docker.running import run as run_container
from quarterdeck.remote.docker.specs import Spec, body_of
from quarterdeck.remote.metering import Exit, Meter
from quarterdeck.remote.sessions import Chunk, Stream

_SPEC = (
    "image", "command", "name", "environment", "mounts", "ports", "restart", "labels", "network", "user", "directory",
    "hostname", "cpus", "memory_mb", "is_read_only", "has_init",
)  # fmt: skip
# Which names each operation takes beside its own.
OPERATIONS: dict[str, tuple[str, ...]] = {
    "ps": ("is_all",),
    "images": (),
    "networks": (),
    "inspect": ("container",),
    "stats": ("container",),
    "run": (*_SPEC, "detach", "is_removed", "pulls"),
    "exec": ("container", "command", "user", "directory", "environment"),
    "logs": ("container", "tail"),
    "pull": ("image",),
    "prune": ("kind", "with_tagged"),
    "network-create": ("network", "driver", "subnet", "is_internal"),
    "network-inspect": ("network",),
    "network-connect": ("network", "container"),
    "network-disconnect": ("network", "container"),
    "network-remove": ("network",),
    "remove": ("container", "by_force"),
    **dict.fromkeys(("start", "stop", "restart", "kill", "pause", "unpause"), ("container",)),
}
_CHANGES: dict[str, Callable[[Engine, str], Awaitable[bool]]] = {
    "start": containers.start,
    "stop": containers.stop,
    "restart": containers.restart,
    "kill": containers.kill,
    "pause": containers.pause,
    "unpause": containers.unpause,
}
_NEEDED = ("container", "image", "network", "kind")
_MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Work:
    """`values` are checked: what the operation needs is there, and is what it should be."""

    operation: str
    values: Mapping[str, Any]

    def text(self, name: str, default: str = "") -> str:
        return str(self.values.get(name, default))

    def flag(self, name: str) -> bool:
        return bool(self.values.get(name, False))


def read(work: Mapping[str, Any]) -> Work:
    """Raises BadInput, also for what only an engine would refuse: nothing begins then."""
    operation = text_of(work, "operation")
    if operation not in OPERATIONS:
        raise BadInput(
            _('Docker has no operation "%(name)s"') % {"name": operation[:40]},
            hint=did_you_mean(operation, OPERATIONS) or ", ".join(OPERATIONS),
            field="operation",
        )
    names = OPERATIONS[operation]
    refuse_unknown(work, "operation", "socket", *names)
    if not text_of(work, "socket", SOCKET_PATH).startswith("/"):
        raise BadInput(_("a socket is an absolute path"), hint="/run/user/1000/docker.sock", field="socket")
    for name in _NEEDED:
        if name in names and not (operation == "run" and name == "network") and not text_of(work, name).strip():
            raise BadInput(_('"%(name)s" is needed') % {"name": name}, field=name)
    if operation == "exec" and not texts_of(work, "command"):
        raise BadInput(_("a command is needed"), field="command")
    if operation == "prune" and work["kind"] not in pruning.KINDS:
        raise BadInput(_("this cannot be pruned"), hint=", ".join(pruning.KINDS), field="kind")
    tail = work.get("tail")
    if tail is not None and (not isinstance(tail, int) or isinstance(tail, bool) or tail < 0):
        raise BadInput(_('"%(name)s" is a whole number') % {"name": "tail"}, field="tail")
    if operation == "run":
        body_of(_spec(work))
    return Work(operation, dict(work))


def _spec(work: Mapping[str, Any]) -> Spec:
    """Raises BadInput."""
    memory = work.get("memory_mb")
    return Spec(
        image=text_of(work, "image"),
        command=texts_of(work, "command"),
        name=text_of(work, "name"),
        environment=_pairs(work, "environment"),
        mounts=texts_of(work, "mounts"),
        ports=texts_of(work, "ports"),
        restart=text_of(work, "restart", "no"),
        labels=_pairs(work, "labels"),
        network=text_of(work, "network", "bridge"),
        user=text_of(work, "user"),
        directory=text_of(work, "directory"),
        hostname=text_of(work, "hostname"),
        cpus=_number(work, "cpus"),
        memory_bytes=int(memory) << 20 if memory and _number(work, "memory_mb") else None,
        is_read_only=work.get("is_read_only") is True,
        has_init=work.get("has_init") is True,
    )


def _pairs(work: Mapping[str, Any], name: str) -> dict[str, str]:
    found = work.get(name) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadInput(_('"%(name)s" has texts') % {"name": name}, field=name)
    return found


def _number(work: Mapping[str, Any], name: str) -> float | None:
    value = work.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1 << 30:
        raise BadInput(_('"%(name)s" is a number above 0') % {"name": name}, field=name)
    return float(value)


def shown(work: Work) -> str:
    words = [work.text(name) for name in ("network", "container", "image", "kind") if work.values.get(name)]
    command = work.values.get("command") or ()
    return " ".join(["docker", work.operation, *words, *command])


async def _run(host: Host, work: Work, around: Circumstances) -> Parts:
    """Yield what it prints, and the end. Raises RemoteError, OpsError of the engine."""
    if around.is_check and work.operation != "prune":
        raise BadInput(_("Docker cannot tell what this would do"), field="is_check")
    async with (
        around.pool.lease(host.target, around.host_keys, around.patience) as connection,
        engine_on(connection, host.name, work.text("socket", SOCKET_PATH)) as engine,
    ):
        parts = _streamed(engine, connection, host, work, around)
        if parts is None:
            try:
                async with asyncio.timeout(around.patience.run):
                    text, end = await _answered(engine, work, around)
            except TimeoutError:
                text, end = b"", end_of(Meter().exit(None, is_timed_out=True), around)
            if text:
                yield Chunk(Stream.STDOUT, text[: around.max_bytes])
            yield end
            return
        async with aclosing(parts):
            async for part in parts:
                yield part


def _streamed(
    engine: Engine, connection: asyncssh.SSHClientConnection, host: Host, work: Work, around: Circumstances
) -> Parts | None:
    """Return the parts of an operation that prints as it goes, None for one that answers at once."""
    if work.operation == "exec":
        parts = execute(
            engine, work.text("container"), list(work.values["command"]), user=work.text("user"),
            directory=work.text("directory"), environment=_pairs(work.values, "environment"),
            seconds=around.patience.run, max_bytes=around.max_bytes, kill_on_host=killer(connection, host.become),
        )  # fmt: skip
        return _ends(parts, around)
    if work.operation == "run":
        return _ends(
            run_container(
                engine, _spec(work.values), is_attached=not work.flag("detach"), is_removed=work.flag("is_removed"),
                pulls=work.text("pulls", "missing"), seconds=around.patience.run, max_bytes=around.max_bytes,
            ),
            around,
        )  # fmt: skip
    if work.operation == "pull":
        return _ends(_within(images.pull(engine, work.text("image")), around), around, is_change=True)
    if work.operation == "logs":
        found = containers.logs(engine, work.text("container"), tail=work.values.get("tail"))
        return _ends(bounded(found, Meter(around.max_bytes), around.patience.run), around)
    return None


async def _within(
    parts: AsyncGenerator[Progress, None], around: Circumstances
) -> AsyncGenerator[Progress | Exit, None]:
    """Yield the steps, and an `Exit` when the host's time is over before they are."""
    deadline = asyncio.get_running_loop().time() + around.patience.run if around.patience.run else None
    async with aclosing(parts):
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    step = await anext(parts, None)
            except TimeoutError:
                yield Meter().exit(None, is_timed_out=True)
                return
            if step is None:
                return
            yield step


async def _ends(
    parts: AsyncGenerator[Progress | Started | Chunk | Exit, None] | AsyncGenerator[Any, None],
    around: Circumstances,
    *,
    is_change: bool = False,
) -> Parts:
    """Yield what an operation prints, its steps as lines, and one end."""
    started: Started | None = None
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Chunk):
                yield part
            elif isinstance(part, Exit):
                yield end_of(part, around)
                return
            elif isinstance(part, Started):
                started = part
            elif not part.total_bytes:
                # Those with numbers come many times a second.
                yield Chunk(Stream.STDERR, f"{part.layer} {part.status}".strip().encode() + b"\n")
    if started is not None:
        yield Chunk(Stream.STDOUT, f"{started.id}\n".encode())
    status = HostStatus.CHANGED if is_change or started else HostStatus.OK
    yield End(status, 0, values={"container": started.id, "name": started.name} if started else {})


async def _answered(engine: Engine, work: Work, around: Circumstances) -> tuple[bytes, End]:
    """Return what is printed, and the end."""
    operation, container = work.operation, work.text("container")
    if operation in _CHANGES:
        is_changed = await _CHANGES[operation](engine, container)
        return f"{container}\n".encode(), End(HostStatus.CHANGED if is_changed else HostStatus.OK, 0)
    if operation == "remove":
        await containers.remove(engine, container, by_force=work.flag("by_force"))
        return f"{container}\n".encode(), End(HostStatus.CHANGED, 0)
    if operation == "prune":
        return await _pruned(engine, work, around)
    if operation.startswith("network-"):
        return await _network(engine, work)
    return await _listed(engine, work)


async def _pruned(engine: Engine, work: Work, around: Circumstances) -> tuple[bytes, End]:
    found = await pruning.prune(
        engine, work.text("kind"), with_tagged=work.flag("with_tagged"), is_dry_run=around.is_check
    )
    text = lines([[name] for name in found.names])
    status = HostStatus.CHANGED if found.names else HostStatus.OK
    return text, End(status, 0, values={"names": found.names[:_MAX_ROWS], "size_bytes": found.size_bytes})


async def _network(engine: Engine, work: Work) -> tuple[bytes, End]:
    name, container = work.text("network"), work.text("container")
    if work.operation == "network-inspect":
        found = await networks.inspect(engine, name)
        rows = [[found.name, found.driver, ",".join(found.subnets), ",".join(found.containers)]]
        return lines(rows, ("NAME", "DRIVER", "SUBNETS", "CONTAINERS")), End(HostStatus.OK, 0, values=_plain(found))
    if work.operation == "network-create":
        made = await networks.create(
            engine, name, driver=work.text("driver", "bridge"), subnet=work.text("subnet"),
            is_internal=work.flag("is_internal"),
        )  # fmt: skip
        return f"{made}\n".encode(), End(HostStatus.CHANGED, 0, values={"id": made})
    if work.operation == "network-connect":
        await networks.connect(engine, name, container)
    elif work.operation == "network-disconnect":
        await networks.disconnect(engine, name, container)
    else:
        await networks.remove(engine, name)
    return f"{name}\n".encode(), End(HostStatus.CHANGED, 0)


async def _listed(engine: Engine, work: Work) -> tuple[bytes, End]:
    if work.operation == "ps":
        found = await containers.ps(engine, with_stopped=work.flag("is_all"))
        rows = [[one.name, one.image, one.state, one.status, ",".join(one.ports)] for one in found]
        values = {"containers": [_plain(one) for one in found[:_MAX_ROWS]]}
        return lines(rows, ("NAME", "IMAGE", "STATE", "STATUS", "PORTS")), End(HostStatus.OK, 0, values=values)
    if work.operation == "images":
        known = await images.images(engine)
        rows = [[",".join(one.tags) or "<none>", one.id[7:19], str(one.size_bytes)] for one in known]
        values = {"images": [_plain(one) for one in known[:_MAX_ROWS]]}
        return lines(rows, ("TAGS", "ID", "BYTES")), End(HostStatus.OK, 0, values=values)
    if work.operation == "networks":
        there = await networks.networks(engine)
        rows = [[one.name, one.driver, ",".join(one.subnets)] for one in there]
        values = {"networks": [_plain(one) for one in there[:_MAX_ROWS]]}
        return lines(rows, ("NAME", "DRIVER", "SUBNETS")), End(HostStatus.OK, 0, values=values)
    if work.operation == "stats":
        one = await containers.stats(engine, work.text("container"))
        values = asdict(one)
        return lines([[name, f"{value:g}"] for name, value in values.items()]), End(HostStatus.OK, 0, values=values)
    return await _inspected(engine, work.text("container"))


async def _inspected(engine: Engine, container: str) -> tuple[bytes, End]:
    """Return a container as the engine tells it, without its environment: that is where people put secrets."""
    import orjson

    found = await containers.inspect(engine, container)
    found.get("Config", {}).pop("Env", None)
    text = orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return text, End(HostStatus.OK, 0, values={"state": found.get("State", {}).get("Status", "")})


def _plain(row: Any) -> dict[str, Any]:
    """Return a row as JSON has it."""
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in asdict(row).items()}


PLUGIN = Runner(gettext_lazy("Docker"), read, shown, _run, checks=True, code=("command",))
