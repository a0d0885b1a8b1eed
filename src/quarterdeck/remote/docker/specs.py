"""What a new container is to be: checked values, and the engine's own form of them. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}")
_PORT = re.compile(
    r"(?:(?:(?P<host>\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?P<outer>\d*):)?(?P<inner>\d+)(?:/(?P<kind>tcp|udp|sctp))?"
)
_RESTART = re.compile(r"(no|always|unless-stopped|on-failure)(?::(\d+))?")
_VARIABLE = re.compile(r"[^=\0]+")


@dataclass(frozen=True, slots=True)
class Spec:
    """A container as `docker run` has it.

    `ports` are "8080:80", "127.0.0.1:8080:80/udp", or "80" for any free one; `mounts` "/on/host:/inside:ro" or
    "volume:/inside"; `network` is "bridge", "host", "none", "container:NAME" or a network's name. Whoever may look at
    the container sees its environment.
    """

    image: str
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    name: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    mounts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    restart: str = "no"
    labels: Mapping[str, str] = field(default_factory=dict)
    network: str = "bridge"
    aliases: tuple[str, ...] = ()
    user: str = ""
    directory: str = ""
    hostname: str = ""
    cpus: float | None = None
    memory_bytes: int | None = None
    processes: int | None = None
    is_read_only: bool = False
    has_init: bool = False
    has_terminal: bool = False


def body_of(spec: Spec) -> dict[str, Any]:
    """Return the body of "create a container". Raises BadInput."""
    _check(spec)
    exposed, bindings = _ports(spec.ports)
    host: dict[str, Any] = {
        "Binds": [_mount(mount) for mount in spec.mounts],
        "PortBindings": bindings,
        "RestartPolicy": _restart(spec.restart),
        "NetworkMode": spec.network,
        "ReadonlyRootfs": spec.is_read_only,
        "Init": spec.has_init,
    }
    limits = {"NanoCpus": round(spec.cpus * 1e9) if spec.cpus else None, "Memory": spec.memory_bytes}
    limits["PidsLimit"] = spec.processes
    host |= {name: value for name, value in limits.items() if value}
    body: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Labels": dict(spec.labels),
        "User": spec.user,
        "WorkingDir": spec.directory,
        "Tty": spec.has_terminal,
        "ExposedPorts": exposed,
        "HostConfig": host,
    }
    if spec.command:
        body["Cmd"] = list(spec.command)
    if spec.entrypoint is not None:
        body["Entrypoint"] = list(spec.entrypoint)
    if spec.hostname:
        body["Hostname"] = spec.hostname
    if spec.aliases:
        body["NetworkingConfig"] = {"EndpointsConfig": {spec.network: {"Aliases": list(spec.aliases)}}}
    return body


def _check(spec: Spec) -> None:
    if not spec.image:
        raise BadInput(_("an image is needed"), field="image")
    if spec.name and not _NAME.fullmatch(spec.name):
        raise BadInput(_('"%(name)s" is no name of a container') % {"name": spec.name[:60]}, field="name")
    for name in spec.environment:
        if not _VARIABLE.fullmatch(name):
            raise BadInput(_('"%(name)s" is no name of a variable') % {"name": name[:60]}, field="environment")
    if spec.ports and spec.network in ("host", "none"):
        raise BadInput(
            _("a container on the network %(name)s publishes no ports") % {"name": spec.network}, field="ports"
        )


def _ports(ports: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    exposed: dict[str, Any] = {}
    bindings: dict[str, list[dict[str, str]]] = {}
    for text in ports:
        found = _PORT.fullmatch(text)
        if found is None or not all(0 < int(found[part] or 1) < 65536 for part in ("outer", "inner")):
            raise BadInput(
                _('"%(text)s" is no port') % {"text": text[:60]}, hint="8080:80, 127.0.0.1:8080:80/udp", field="ports"
            )
        inner = f"{found['inner']}/{found['kind'] or 'tcp'}"
        exposed[inner] = {}
        binding = {"HostIp": (found["host"] or "").strip("[]"), "HostPort": found["outer"] or ""}
        bindings.setdefault(inner, []).append(binding)
    return exposed, bindings


def _mount(text: str) -> str:
    parts = text.split(":")
    if len(parts) not in (2, 3) or not parts[0] or not parts[1].startswith("/"):
        raise BadInput(_('"%(text)s" is no mount') % {"text": text[:100]}, hint="/on/host:/inside:ro", field="mounts")
    return text


def _restart(text: str) -> dict[str, Any]:
    found = _RESTART.fullmatch(text)
    if found is None or (found[2] and found[1] != "on-failure"):
        raise BadInput(
            _('"%(text)s" is no restart policy') % {"text": text[:60]},
            hint="no, always, unless-stopped, on-failure:3",
            field="restart",
        )
    return {"Name": found[1], "MaximumRetryCount": int(found[2] or 0)}
