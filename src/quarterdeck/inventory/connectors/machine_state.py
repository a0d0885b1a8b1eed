"""Facts of this machine that the kernel knows now, by psutil: addresses, file systems, sockets, processes, people.

See https://psutil.readthedocs.io/
"""

from __future__ import annotations

import heapq
import ipaddress
import re
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from quarterdeck.inventory.connectors import machine_files

# Interfaces that come and go with containers and tunnels: they would fill the history and say nothing of the machine.
PASSING = re.compile(
    r"^(?:lo\d*$|veth|docker|br-|cni|cali|flannel|virbr|vnet|tap|ifb|dummy|gretap|erspan|sit|ip6tnl|tunl)"
)
_INTERPRETERS = re.compile(r"(?:python|ruby|perl|php|node|java|bash|sh)[\d.]*", re.IGNORECASE)
TOP_PROCESSES = 10


def interfaces(root: Path) -> list[dict[str, Any]]:
    """Return `[{"name": "eth0", "mac": "...", "addresses": ["10.0.0.5/24"], "mtu": 1500, "up": true, ...}]`."""
    stats = psutil.net_if_stats()
    found = []
    for name, addresses in sorted(psutil.net_if_addrs().items()):
        if PASSING.match(name):
            continue
        macs = [a.address.lower() for a in addresses if a.family == psutil.AF_LINK]
        one: dict[str, Any] = {
            "name": name,
            "addresses": [
                _cidr(a.address, a.netmask) for a in addresses if a.family in (socket.AF_INET, socket.AF_INET6)
            ],
            "hardware": machine_files.is_hardware(root, name),
        }
        if macs and macs[0] != "00:00:00:00:00:00":
            one["mac"] = macs[0]
        if name in stats:
            one |= {"mtu": stats[name].mtu, "up": stats[name].isup, "speed_mbps": stats[name].speed or None}
        found.append({key: value for key, value in one.items() if value is not None})
    return found


def _cidr(address: str, netmask: str | None) -> str:
    plain = address.partition("%")[0]
    if not netmask:
        return plain
    # psutil gives IPv6 masks as addresses, which `ipaddress` does not take for masks.
    bits = int(ipaddress.ip_address(netmask)).bit_count()
    return f"{plain}/{bits}"


def filesystems() -> list[dict[str, Any]]:
    """Return the file systems on devices, each device once, at its shortest mount point."""
    found: dict[str, dict[str, Any]] = {}
    for part in sorted(psutil.disk_partitions(all=False), key=lambda p: (len(p.mountpoint), p.mountpoint)):
        if part.device in found or part.fstype in ("squashfs", "iso9660", "overlay", "tmpfs"):
            continue
        try:
            size_bytes = psutil.disk_usage(part.mountpoint).total
        except OSError:
            continue  # a stale network mount or one that is not ours to look into
        found[part.device] = {
            "mountpoint": part.mountpoint,
            "device": part.device,
            "type": part.fstype,
            "size_bytes": size_bytes,
        }
    return sorted(found.values(), key=lambda one: str(one["mountpoint"]))


def listening(root: Path) -> list[dict[str, Any]]:
    """Return `[{"protocol": "tcp", "address": "0.0.0.0", "port": 22, "process": "sshd"}]`.

    Ports of the kernel's own choice are left out where nobody else can reach them: UDP sockets that wait for an
    answer, and what a program's parts use among themselves. Programs of other people are "" without root.
    """
    ephemeral = machine_files.ephemeral_ports_from(root)
    names: dict[int | None, str] = {None: ""}
    found = set()
    for connection in psutil.net_connections(kind="inet"):
        if not connection.laddr or not _is_service(connection, ephemeral):
            continue
        if connection.pid not in names:
            names[connection.pid] = _program(connection.pid)
        protocol = "tcp" if connection.type == socket.SOCK_STREAM else "udp"
        found.add((connection.laddr.port, protocol, connection.laddr.ip, names[connection.pid]))
    return [dict(zip(("port", "protocol", "address", "process"), one, strict=True)) for one in sorted(found)]


def _is_service(connection: Any, ephemeral: int) -> bool:
    is_chosen = connection.laddr.port < ephemeral
    if connection.type == socket.SOCK_STREAM:
        is_open = not ipaddress.ip_address(connection.laddr.ip.partition("%")[0]).is_loopback
        return connection.status == psutil.CONN_LISTEN and (is_chosen or is_open)
    return not connection.raddr and is_chosen


def _program(pid: int | None) -> str:
    """The name of a process; of an interpreter's, the name of what it interprets."""
    try:
        process = psutil.Process(pid)
        return program_of(process.name(), process.cmdline())
    except psutil.Error:
        return ""


def program_of(name: str, command: Sequence[str]) -> str:
    """Return "celery" for `python3 -m celery worker` and "app.jar" for `java -Xmx1g -jar /srv/app.jar`."""
    if not _INTERPRETERS.fullmatch(name):
        return name
    for option, following in zip(command[1:], [*command[2:], ""], strict=False):
        if option in ("-m", "-jar") and following:
            return following.rpartition("/")[2]
        if not option.startswith("-"):
            return option.rpartition("/")[2] or name
        if option in ("-c", "-e"):
            break
    return name


def top_processes() -> list[dict[str, Any]]:
    """Return the processes that hold most memory: `[{"pid", "name", "user", "memory_bytes", "started_at"}]`."""
    rows = []
    for process in psutil.process_iter(["name", "username", "memory_info", "create_time"]):
        info = process.info
        if info["memory_info"] is not None and info["memory_info"].rss:
            rows.append((info["memory_info"].rss, process.pid, info))
    return [
        {
            "pid": pid,
            "name": info["name"],
            "user": info["username"] or "",
            "memory_bytes": rss,
            "started_at": _moment(info["create_time"]),
        }
        for rss, pid, info in heapq.nlargest(TOP_PROCESSES, rows, key=lambda row: row[:2])
    ]


def users() -> list[dict[str, Any]]:
    """Return who is signed in: `[{"name", "terminal", "from", "since"}]`."""
    return [
        {"name": user.name, "terminal": user.terminal or "", "from": user.host or "", "since": _moment(user.started)}
        for user in psutil.users()
    ]


def boot_time() -> str:
    return _moment(psutil.boot_time())


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
