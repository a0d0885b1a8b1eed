"""What the script found, in the form of `this_machine`'s page, so that both write the same attributes. Pure."""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from quarterdeck.inventory.connectors import machine_files, this_machine
from quarterdeck.inventory.connectors.machine_state import PASSING, program_of
from quarterdeck.jobs.facts.tree import Output

_NO_FILES = frozenset({"squashfs", "iso9660", "overlay", "tmpfs", "devtmpfs", "ramfs"})
_NO_SHELLS = re.compile(r"/(?:nologin|false|sync|halt|shutdown|git-shell)$")
_FIRST_PERSON = 1000


def page_of(output: Output) -> dict[str, Any]:
    """Return the facts as `this_machine.pages` does."""
    root = output.root
    name, system, kernel, architecture = (*output.said.get("uname", []), "", "", "", "")[:4]
    firmware, processor = machine_files.dmi(root), machine_files.cpu(root)
    return {
        "hostname": name,
        "machine_id": machine_files.machine_id(root),
        "dmi": firmware,
        "interfaces": _interfaces(output),
        "os_release": machine_files.os_release(root),
        "cpu": processor | {"count": _number(_first(output, "processors")), "cores": _cores(output, processor)},
        "memory_bytes": _memory(output, "MemTotal"),
        "swap_bytes": _memory(output, "SwapTotal"),
        "kernel": kernel,
        "system": system,
        "architecture": architecture,
        "virtualization": machine_files.virtualization(root, firmware, processor["hypervisor"]),
        "container": machine_files.container(root),
        "boot_time": _boot_time(output),
        "boot_id": machine_files.read(root / "proc/sys/kernel/random/boot_id"),
        "time_zone": machine_files.time_zone(root),
        "default_interfaces": machine_files.default_interfaces(root),
        "disks": machine_files.disks(root),
        "filesystems": _filesystems(output),
        "listening": _listening(output),
        "processes": [],
        "users": [],
        "packages": {},
    }


def attributes_of(output: Output) -> dict[str, Any]:
    """Return the attributes of type host, and those that only somebody on the host can tell."""
    found = this_machine.attributes(page_of(output))
    # Without its engine the client still answers, and has no version to tell.
    version, containers, driver = (*_first(output, "docker").split(","), "", "", "")[:3]
    more = {
        "gateway": _gateway(output),
        "services": sorted(
            {line.split()[0].removesuffix(".service") for line in output.said.get("services", []) if line}
        ),
        "login_users": _login_users(output),
        "docker_version": version,
        "docker_containers": _number(containers) if version else None,
        "docker_storage_driver": driver if version else "",
    }
    # Where it is reached is not for the host to say: its own full name may be nobody's, or lead elsewhere.
    found.pop("fqdn", None)
    return found | {code: value for code, value in more.items() if value not in (None, "", [])}


def _first(output: Output, name: str) -> str:
    return next(iter(output.said.get(name, [])), "")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def _memory(output: Output, name: str) -> int | None:
    found = re.search(rf"^{name}:\s*(\d{{1,15}}) kB", output.files.get("/proc/meminfo", ""), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _cores(output: Output, processor: dict[str, Any]) -> int | None:
    found = re.search(r"^cpu cores\s*:\s*(\d{1,5})$", output.files.get("/proc/cpuinfo", ""), re.MULTILINE)
    return int(found[1]) * int(processor["sockets"] or 1) if found else None


def _boot_time(output: Output) -> str:
    words = _first(output, "btime").split()
    seconds = _number(words[1]) if len(words) > 1 else None
    if seconds is None or seconds > 2**33:
        return ""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _interfaces(output: Output) -> list[dict[str, Any]]:
    root = output.root
    addresses = dict(_addresses(output))
    found = []
    for path in (root / "sys/class/net").glob("*"):
        if PASSING.match(path.name):
            continue
        mac = machine_files.read(path / "address").lower()
        speed = _number(machine_files.read(path / "speed"))
        one = {
            "name": path.name,
            "addresses": addresses.get(path.name, []),
            "hardware": machine_files.is_hardware(root, path.name),
            "mac": mac if re.fullmatch(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", mac) and mac.strip("0:") else None,
            "mtu": _number(machine_files.read(path / "mtu")),
            "up": machine_files.read(path / "operstate") in ("up", "unknown"),
            "speed_mbps": speed or None,
        }
        found.append({name: value for name, value in one.items() if value is not None})
    return found


def _addresses(output: Output) -> list[tuple[str, list[str]]]:
    """Return `[("eth0", ["10.0.0.5/24"])]` of `2: eth0    inet 10.0.0.5/24 brd ...`."""
    found: dict[str, list[str]] = {}
    for line in output.said.get("addresses", []):
        words = line.split()
        if len(words) < 4 or words[2] not in ("inet", "inet6"):
            continue
        try:
            address = str(ipaddress.ip_interface(words[3].partition("%")[0]))
        except ValueError:
            continue
        found.setdefault(words[1].partition("@")[0].rstrip(":"), []).append(address)
    return list(found.items())


def _gateway(output: Output) -> str:
    """Return the next hop of the IPv4 default route of the lowest metric, "" for none."""
    routes = []
    for line in output.files.get("/proc/net/route", "").splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and words[1] == words[7] == "00000000" and words[2] != "00000000":
            routes.append((_number(words[6]) or 0, _address(words[2])))
    return min(routes)[1] if routes else ""


def _filesystems(output: Output) -> list[dict[str, Any]]:
    """Return the file systems on devices, each device once, at its shortest mount point."""
    sizes = dict(_sizes(output))
    found: dict[str, dict[str, Any]] = {}
    mounts = [line.split() for line in output.files.get("/proc/mounts", "").splitlines()]
    for words in sorted((one for one in mounts if len(one) > 2), key=lambda one: (len(one[1]), one[1])):
        device, place, kind = words[0], _unescaped(words[1]), words[2]
        if device.startswith("/dev/") and device not in found and kind not in _NO_FILES and place in sizes:
            found[device] = {"mountpoint": place, "device": device, "type": kind, "size_bytes": sizes[place]}
    return sorted(found.values(), key=lambda one: str(one["mountpoint"]))


def _sizes(output: Output) -> Iterator[tuple[str, int]]:
    """Yield `(mount point, bytes)` of df: device, KB, used, free, percent, mount point with whatever blanks."""
    for line in output.said.get("df", [])[1:]:
        words = line.split(None, 5)
        size = _number(words[1]) if len(words) == 6 else None
        if size is not None:
            yield words[5], size * 1024


def _unescaped(text: str) -> str:
    r"""Return a mount point of /proc/mounts, which has blanks as \040."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _listening(output: Output) -> list[dict[str, Any]]:
    ephemeral = machine_files.ephemeral_ports_from(output.root)
    programs = dict(_programs(output))
    found = set()
    for line in output.said.get("sockets", []):
        words = line.split()
        place, _colon, port_hex = words[1].partition(":") if len(words) == 3 else ("", "", "")
        if not re.fullmatch(r"(?:[0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4}", f"{place}:{port_hex}"):
            continue
        protocol, address, port = words[0].rstrip("6"), _address(place), int(port_hex, 16)
        is_open = protocol == "tcp" and not ipaddress.ip_address(address).is_loopback
        if port < ephemeral or is_open:
            found.add((port, protocol, address, programs.get(words[2], "")))
    return [dict(zip(("port", "protocol", "address", "process"), one, strict=True)) for one in sorted(found)]


def _programs(output: Output) -> Iterator[tuple[str, str]]:
    for line in output.said.get("programs", []):
        node, _tab, rest = line.partition("\t")
        name, _tab, command = rest.partition("\t")
        yield node, program_of(name, [word for word in command.split("\t") if word])


def _address(text: str) -> str:
    """Return an address as /proc/net has it: each four bytes in the order of a little-endian machine."""
    words = [text[start : start + 8] for start in range(0, len(text), 8)]
    data = b"".join(struct.pack("<I", int(word, 16)) for word in words)
    return str(ipaddress.ip_address(data))


def _login_users(output: Output) -> list[dict[str, Any]]:
    """Return the accounts with a shell: root, people, and what else was given one."""
    found = []
    for line in output.said.get("passwd", []):
        name, uid, home, shell = (*line.split(":"), "", "", "", "")[:4]
        number = _number(uid)
        if name and number is not None and not _NO_SHELLS.search(shell):
            found.append({"name": name, "uid": number, "home": home, "shell": shell or "/bin/sh"})
    return sorted(found, key=lambda one: (one["uid"] < _FIRST_PERSON, one["uid"]))
