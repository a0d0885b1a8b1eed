"""What the engine lists, as rows. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Container:
    """`state` is the engine's word ("running", "exited", ...), `status` its sentence ("Up 2 hours")."""

    id: str
    name: str
    image: str
    image_id: str
    command: str
    state: str
    status: str
    created_at: datetime
    ports: list[str]
    networks: list[str]
    mounts: list[str]
    labels: Mapping[str, str] = field(default_factory=dict)


def container(row: Mapping[str, Any]) -> Container:
    names = [name.removeprefix("/") for name in row.get("Names") or []]
    return Container(
        id=row["Id"],
        # Links give a container further names, with a slash in them.
        name=min(names, key=lambda name: name.count("/"), default=""),
        image=row["Image"],
        image_id=row["ImageID"],
        command=row.get("Command", ""),
        state=row["State"],
        status=row["Status"],
        created_at=datetime.fromtimestamp(row["Created"], UTC),
        ports=sorted({_port(port) for port in row.get("Ports") or []}),
        networks=sorted((row.get("NetworkSettings") or {}).get("Networks") or {}),
        mounts=sorted(_mount(mount) for mount in row.get("Mounts") or []),
        labels=row.get("Labels") or {},
    )


def _port(port: Mapping[str, Any]) -> str:
    inner = f"{port['PrivatePort']}/{port['Type']}"
    address = port.get("IP", "")
    address = f"[{address}]" if ":" in address else address
    return f"{address}:{port['PublicPort']}->{inner}" if "PublicPort" in port else inner


def _mount(mount: Mapping[str, Any]) -> str:
    return (
        f"{mount.get('Name') or mount.get('Source', '')}:{mount['Destination']}{'' if mount.get('RW', True) else ':ro'}"
    )


@dataclass(frozen=True, slots=True)
class Image:
    id: str
    tags: list[str]
    digests: list[str]
    size_bytes: int
    created_at: datetime
    labels: Mapping[str, str]


def image(row: Mapping[str, Any]) -> Image:
    return Image(
        id=row["Id"],
        tags=sorted(tag for tag in row.get("RepoTags") or [] if tag != "<none>:<none>"),
        digests=sorted(digest for digest in row.get("RepoDigests") or [] if digest != "<none>@<none>"),
        size_bytes=row["Size"],
        created_at=datetime.fromtimestamp(row["Created"], UTC),
        labels=row.get("Labels") or {},
    )


@dataclass(frozen=True, slots=True)
class Network:
    id: str
    name: str
    driver: str
    subnets: list[str]
    is_internal: bool
    containers: list[str]
    labels: Mapping[str, str]


def network(row: Mapping[str, Any]) -> Network:
    """`containers` are known where one network was asked for, and not in a list."""
    configs = (row.get("IPAM") or {}).get("Config") or []
    return Network(
        id=row["Id"],
        name=row["Name"],
        driver=row["Driver"],
        subnets=[one["Subnet"] for one in configs if one.get("Subnet")],
        is_internal=bool(row.get("Internal")),
        containers=sorted(one["Name"] for one in (row.get("Containers") or {}).values()),
        labels=row.get("Labels") or {},
    )


@dataclass(frozen=True, slots=True)
class Stats:
    """One look. `cpu_cores` is how many cores it used in the last second; the bytes of disks and network are totals."""

    cpu_cores: float
    memory_bytes: int
    memory_limit_bytes: int
    processes: int
    received_bytes: int
    sent_bytes: int
    read_bytes: int
    written_bytes: int


def stats(row: Mapping[str, Any]) -> Stats:
    memory = row.get("memory_stats") or {}
    detail = memory.get("stats") or {}
    # What the kernel can give back at once is not the container's need; cgroup v2 and v1 name it differently.
    cache = detail.get("inactive_file", detail.get("total_inactive_file", 0))
    networks = (row.get("networks") or {}).values()
    disks = (row.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    return Stats(
        cpu_cores=_cores(row),
        memory_bytes=max(0, memory.get("usage", 0) - cache),
        memory_limit_bytes=memory.get("limit", 0),
        processes=(row.get("pids_stats") or {}).get("current", 0),
        received_bytes=sum(one["rx_bytes"] for one in networks),
        sent_bytes=sum(one["tx_bytes"] for one in networks),
        read_bytes=sum(one["value"] for one in disks if one["op"].lower() == "read"),
        written_bytes=sum(one["value"] for one in disks if one["op"].lower() == "write"),
    )


def _cores(row: Mapping[str, Any]) -> float:
    now, before = row["cpu_stats"], row.get("precpu_stats") or {}
    used = now["cpu_usage"]["total_usage"] - (before.get("cpu_usage") or {}).get("total_usage", 0)
    system = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    return used / system * now.get("online_cpus", 1) if system > 0 and used > 0 else 0.0
