"""Running containers: processor time and memory, from the kernel's control groups where they are visible, else from the
engine, which takes longer. See https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests

from quarterdeck.core.errors import Unavailable
from quarterdeck.inventory.connectors.docker_engine import client
from quarterdeck.monitoring.collection.reading import Reading

_GROUPS = Path("/sys/fs/cgroup")
_V2 = ("system.slice/docker-{id}.scope", "docker/{id}", "user.slice/docker-{id}.scope")
_MICROSECOND, _NANOSECOND = 1e-6, 1e-9


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu_seconds` since the container's start; `memory_bytes` without the page cache that can be given up."""

    cpu_seconds: float
    memory_bytes: float

    def readings(self) -> Iterator[Reading]:
        yield Reading("container_cpu_time_seconds_total", self.cpu_seconds)
        yield Reading("container_memory_usage_bytes", self.memory_bytes)


def usages(containers: Mapping[str, str], groups: Path = _GROUPS) -> dict[str, Usage]:
    """Return `{container id: usage}` for `{container id: engine's URL}`; a container that has ended is left out."""
    found: dict[str, Usage] = {}
    unseen: dict[str, list[str]] = {}
    for container, engine in containers.items():
        usage = _of_groups(container, groups)
        if usage is None:
            unseen.setdefault(engine, []).append(container)
        else:
            found[container] = usage
    for engine, ids in unseen.items():
        found |= _of_engine(engine, ids)
    return found


def _of_groups(container: str, groups: Path) -> Usage | None:
    try:
        for pattern in _V2:
            directory = groups / pattern.format(id=container)
            if (directory / "cpu.stat").exists():
                return Usage(
                    _table(directory / "cpu.stat")["usage_usec"] * _MICROSECOND,
                    _number(directory / "memory.current") - _table(directory / "memory.stat").get("inactive_file", 0),
                )
        cpu, memory = groups / "cpuacct/docker" / container, groups / "memory/docker" / container
        if cpu.exists() and memory.exists():
            return Usage(
                _number(cpu / "cpuacct.usage") * _NANOSECOND,
                _number(memory / "memory.usage_in_bytes")
                - _table(memory / "memory.stat").get("total_inactive_file", 0),
            )
    except (OSError, KeyError, ValueError):
        return None  # it ended while we looked, or a controller is off: the engine knows
    return None


def _number(path: Path) -> int:
    return int(path.read_text())


def _table(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in path.read_text().splitlines())}


def _of_engine(url: str, ids: list[str]) -> dict[str, Usage]:
    found: dict[str, Usage] = {}
    try:
        with closing(client(url)) as engine:
            for container in ids:
                stats = _stats(engine, container)
                if stats:
                    found[container] = stats
    except (Unavailable, docker.errors.DockerException, requests.RequestException):
        # An engine that is away is the inventory's news, told by its own pass; here there is nothing to measure.
        return found
    return found


def _stats(engine: docker.DockerClient, container: str) -> Usage | None:
    try:
        stats: dict[str, Any] = engine.api.stats(container, stream=False, one_shot=True)
    except docker.errors.NotFound:
        return None
    cpu, memory = stats["cpu_stats"]["cpu_usage"].get("total_usage"), stats.get("memory_stats", {})
    if cpu is None or "usage" not in memory:
        return None
    cache = memory.get("stats", {})
    given_up = cache.get("inactive_file", cache.get("total_inactive_file", 0))
    return Usage(cpu * _NANOSECOND, memory["usage"] - given_up)
