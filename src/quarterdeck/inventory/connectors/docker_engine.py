"""Docker Engine over its socket: the host, containers, images, networks and volumes.

See https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import requests
from django.conf import settings
from django.utils.translation import gettext as _

from quarterdeck.core.errors import Unavailable
from quarterdeck.inventory.connectors import this_machine
from quarterdeck.inventory.connectors.connector import Connector, Page, PartOfPass, Session
from quarterdeck.inventory.found import STRENGTHS, Found

TIMEOUT_SECONDS = 20
_STATES = {
    "running": "running",
    "created": "pending",
    "restarting": "starting",
    "removing": "stopping",
    "paused": "suspended",
    "exited": "stopped",
    "dead": "error",
}
# The engine's own networks. The bridge gets a new id whenever the engine starts, so the name is their key.
_BUILT_IN_NETWORKS = ("bridge", "host", "none")
_NO_TIME = "0001-01-01"
_SECRET_ARGUMENT = re.compile(r"(?i)([\w-]*(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key))=\S+")
_FAILURES = (docker.errors.DockerException, requests.RequestException, OSError)
# "destroy" is a container's, a network's or a volume's end, "delete" an image's.
_ENDS = {"container": "destroy", "network": "destroy", "volume": "destroy", "image": "delete"}


def scopes() -> Sequence[str]:
    """Return the engine's socket if there is one that we may use."""
    path = Path(settings.QD["docker_socket"])
    try:
        readable = stat.S_ISSOCK(path.stat().st_mode) and os.access(path, os.R_OK | os.W_OK)
    except OSError:
        return []
    return [f"unix://{path}"] if readable else []


def client(scope: str) -> docker.DockerClient:
    """Return a client for an engine. Raises Unavailable when it does not answer. The caller closes it."""
    try:
        # The library does not close a socket that it could not connect.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(TIMEOUT_SECONDS)
            probe.connect(scope.removeprefix("unix://"))
        return docker.DockerClient(base_url=scope, version="auto", timeout=TIMEOUT_SECONDS)
    except _FAILURES as error:
        raise _unavailable(scope, error) from error


def _unavailable(scope: str, error: Exception) -> Unavailable:
    return Unavailable(
        _("the Docker Engine at %(scope)s does not answer: %(error)s") % {"scope": scope, "error": error},
        hint=_("check that dockerd runs and that its socket is readable"),
    )


def pages(session: Session) -> Iterator[Page]:
    """Yield a page per kind. A kind that fails does not hide the others; the pass is a part of one then."""
    failed: list[str] = []
    with closing(client(session.scope)) as engine:
        try:
            base = _engine_page(engine)
        except _FAILURES as error:
            raise _unavailable(session.scope, error) from error
        yield base
        for kind, listing in _LISTINGS.items():
            try:
                yield {"kind": kind, "host": base["host"], "rows": listing(engine, session)}
            except _FAILURES as error:
                failed.append(f"{kind}: {error}")
    if failed:
        raise PartOfPass(_("not everything could be listed: %(what)s") % {"what": "; ".join(failed)})


def _engine_page(engine: docker.DockerClient) -> Page:
    info = engine.info()
    wanted = (
        "Name",
        "ServerVersion",
        "Driver",
        "CgroupVersion",
        "OperatingSystem",
        "DefaultRuntime",
        "LiveRestoreEnabled",
    )
    machine = this_machine.identity_facts()
    return {
        "kind": "engine",
        # Without a key of its own the machine is found by its name, as the machine's own source called it.
        "host": info["ID"] if is_identified(machine) else machine["hostname"],
        "info": {name: info.get(name) for name in wanted},
        "swarm": (info.get("Swarm") or {}).get("LocalNodeState", "inactive"),
        "machine": machine,
    }


def is_identified(machine: Page) -> bool:
    """Whether a machine has a key that two sources may be merged by; a host name only proposes."""
    return any(STRENGTHS[kind] < STRENGTHS["hostname"] for kind, _value in this_machine.identities(machine))


def _containers(engine: docker.DockerClient, session: Session) -> list[dict[str, Any]]:
    found = []
    for row in engine.api.containers(all=True):
        try:
            found.append(_without_secrets(engine.api.inspect_container(row["Id"])))
        except docker.errors.NotFound:
            continue  # removed between the list and the look
    return found


def _without_secrets(row: dict[str, Any]) -> dict[str, Any]:
    """What `found` reads, and nothing else: commands, health checks and variables are where passwords are.

    Environment variables keep their names only; arguments that name a secret lose its value.
    """
    config = row["Config"]
    return {
        **{name: row.get(name) for name in ("Id", "Name", "Created", "Image", "Path", "RestartCount")},
        "Args": [_SECRET_ARGUMENT.sub(r"\1=***", argument) for argument in row.get("Args") or []],
        "State": _part(row["State"], "Status", "StartedAt", "FinishedAt", "ExitCode")
        | {"Health": _part(row["State"].get("Health") or {}, "Status")},
        "Config": _part(config, "Image", "Labels", "User")
        | {"Env": [entry.partition("=")[0] for entry in config.get("Env") or []]},
        "HostConfig": _part(row["HostConfig"], "NetworkMode", "RestartPolicy", "Privileged", "NanoCpus", "Memory"),
        "NetworkSettings": _part(row["NetworkSettings"], "Networks", "Ports"),
        "Mounts": [_part(one, "Type", "Name", "Source", "Destination", "RW") for one in row.get("Mounts") or []],
    }


def _part(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def _ended(engine: docker.DockerClient, session: Session) -> list[dict[str, str]]:
    """What the engine says was removed since the last pass. It remembers its last 256 events only; what it forgot is
    found missing instead."""
    if session.since is None:
        return []
    until = datetime.now(UTC)
    events = engine.api.events(
        since=int(session.since.timestamp()),
        until=int(until.timestamp()) + 1,
        filters={"event": ["destroy", "delete"]},
        decode=True,
    )
    with closing(events):
        return [
            {
                "kind": event["Type"],
                "id": event["Actor"]["ID"],
                "name": event["Actor"].get("Attributes", {}).get("name", ""),
            }
            for event in events
            if _ENDS.get(event.get("Type", "")) == event.get("Action")
        ]


_LISTINGS = {
    "image": lambda engine, _session: engine.api.images(),
    "network": lambda engine, _session: engine.api.networks(),
    "volume": lambda engine, _session: engine.api.volumes().get("Volumes") or [],
    "ended": _ended,
    # After what it refers to, and after "ended": a name that is used again is alive.
    "container": _containers,
}


def found(page: Page) -> Iterable[Found]:
    if page["kind"] == "engine":
        if is_identified(page["machine"]):
            yield _host(page)
    else:
        make = _MAKERS[page["kind"]]
        for row in page["rows"]:
            yield make(row, page["host"])


def _host(page: Page) -> Found:
    """The host as its engine knows it; by the machine's own keys it is one item with what the machine says."""
    info = page["info"]
    attributes = {
        "docker_version": info["ServerVersion"],
        "docker_storage_driver": info["Driver"],
        "docker_cgroup_version": info["CgroupVersion"],
        "docker_runtime": info["DefaultRuntime"],
        "docker_swarm": page["swarm"],
    }
    return Found(
        type="host",
        external_id=page["host"],
        name=page["machine"]["hostname"],
        attributes=_present(attributes),
        identities=this_machine.identities(page["machine"]),
    )


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {code: value for code, value in values.items() if value not in (None, "", [], {})}


def _time(value: Any) -> str | None:
    """A time of the engine's, to the second; its zero is "never"."""
    if isinstance(value, int):
        return datetime.fromtimestamp(value, UTC).isoformat()
    if not value or value.startswith(_NO_TIME):
        return None
    return datetime.fromisoformat(value).astimezone(UTC).replace(microsecond=0).isoformat()


def _labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in sorted((labels or {}).items()) if name and len(name) < 127}


def _container(row: Mapping[str, Any], host: str) -> Found:
    state, config, host_config = row["State"], row["Config"], row["HostConfig"]
    networks = row["NetworkSettings"].get("Networks") or {}
    addresses = [one["IPAddress"] for one in networks.values() if one.get("IPAddress")]
    attributes = {
        "image": config.get("Image"),
        "image_id": row["Image"],
        "command": " ".join([row.get("Path", ""), *(row.get("Args") or [])]).strip(),
        "created_at": _time(row["Created"]),
        "started_at": _time(state.get("StartedAt")),
        "finished_at": None if state["Status"] == "running" else _time(state.get("FinishedAt")),
        "exit_code": state.get("ExitCode") if state["Status"] in ("exited", "dead") else None,
        "health": (state.get("Health") or {}).get("Status"),
        "restart_count": row.get("RestartCount"),
        "restart_policy": (host_config.get("RestartPolicy") or {}).get("Name"),
        "privileged": host_config.get("Privileged"),
        "network_mode": host_config.get("NetworkMode"),
        "networks": sorted(networks),
        "ip_addresses": addresses,
        "ports": _ports(row),
        "mounts": [_mount(mount) for mount in row.get("Mounts") or []],
        "env_names": sorted(config.get("Env") or []),
        "cpu_limit": (host_config.get("NanoCpus") or 0) / 1e9 or None,
        "memory_limit_bytes": host_config.get("Memory") or None,
        "compose_project": (config.get("Labels") or {}).get("com.docker.compose.project"),
    }
    return Found(
        type="container",
        external_id=row["Id"],
        name=row["Name"].lstrip("/"),
        attributes=_present(attributes),
        identities=[("docker_id", row["Id"])],
        relations=_container_relations(row, host, networks),
        state=_STATES.get(state["Status"], "unknown"),
        raw_state=state["Status"],
        labels=_labels(config.get("Labels")),
        primary_ip=next(iter(addresses), ""),
    )


def _container_relations(row: Mapping[str, Any], host: str, networks: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    mounted = {mount["Name"] for mount in row.get("Mounts") or [] if mount.get("Type") == "volume"}
    return [
        ("runs_on", "host", host),
        ("uses_image", "image", row["Image"]),
        *(
            ("attached_to", "network", _network_key(name, one.get("NetworkID", "")))
            for name, one in sorted(networks.items())
        ),
        *(("mounts", "volume", name) for name in sorted(mounted)),
    ]


def _network_key(name: str, network_id: str) -> str:
    return name if name in _BUILT_IN_NETWORKS else network_id


def _ports(row: Mapping[str, Any]) -> list[str]:
    """Return published and exposed ports as people write them: `["0.0.0.0:8080->80/tcp", "443/tcp"]`."""
    found = []
    for port, bindings in (row["NetworkSettings"].get("Ports") or {}).items():
        found += [f"{one['HostIp']}:{one['HostPort']}->{port}" for one in bindings or []] or [port]
    return sorted(found)


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        "type": mount.get("Type"),
        "source": mount.get("Name") or mount.get("Source"),
        "target": mount.get("Destination"),
        "read_only": not mount.get("RW", True),
    }
    return _present(values)


def _image(row: Mapping[str, Any], host: str) -> Found:
    tags = sorted(tag for tag in row.get("RepoTags") or [] if tag != "<none>:<none>")
    digests = sorted(digest for digest in row.get("RepoDigests") or [] if digest != "<none>@<none>")
    attributes = {
        "tags": tags,
        "digests": digests,
        "size_bytes": row.get("Size"),
        "created_at": _time(row.get("Created")),
    }
    return Found(
        type="image",
        external_id=row["Id"],
        name=next(iter(tags), row["Id"].removeprefix("sha256:")[:12]),
        attributes=_present(attributes),
        labels=_labels(row.get("Labels")),
        relations=[("stored_on", "host", host)],
    )


def _network(row: Mapping[str, Any], host: str) -> Found:
    configs = (row.get("IPAM") or {}).get("Config") or []
    attributes = {
        "driver": row.get("Driver"),
        "mode": row.get("Driver") if row.get("Driver") != "null" else "none",
        "scope": row.get("Scope"),
        "subnets": [_subnet(one["Subnet"]) for one in configs if one.get("Subnet")],
        "gateway": next((one["Gateway"] for one in configs if one.get("Gateway")), None),
        "internal": row.get("Internal"),
        "attachable": row.get("Attachable"),
        "ipv6": row.get("EnableIPv6"),
        # The engine makes its own networks anew at each start.
        "created_at": None if row["Name"] in _BUILT_IN_NETWORKS else _time(row.get("Created")),
    }
    return Found(
        type="network",
        external_id=_network_key(row["Name"], row["Id"]),
        name=row["Name"],
        attributes=_present(attributes),
        labels=_labels(row.get("Labels")),
        relations=[("runs_on", "host", host)],
    )


def _subnet(text: str) -> str:
    return str(ipaddress.ip_network(text, strict=False))


def _volume(row: Mapping[str, Any], host: str) -> Found:
    attributes = {
        "driver": row.get("Driver"),
        "mountpoint": row.get("Mountpoint"),
        "created_at": _time(row.get("CreatedAt")),
    }
    return Found(
        type="volume",
        external_id=row["Name"],
        name=row["Name"],
        attributes=_present(attributes),
        labels=_labels(row.get("Labels")),
        relations=[("stored_on", "host", host)],
    )


def _gone(row: Mapping[str, Any], host: str) -> Found:
    key = _network_key(row["name"], row["id"]) if row["kind"] == "network" else row["id"]
    return Found(type=row["kind"], external_id=key, name=row["name"], gone=True)


_MAKERS = {"container": _container, "image": _image, "network": _network, "volume": _volume, "ended": _gone}

PLUGIN = Connector("Docker Engine", scopes, pages, found, settings=("docker_socket",))
