"""Facts of this machine that stand in files of Linux. `root` is "/", or a recorded tree in the tests.

See os-release(5), machine-id(5), proc(5), and the kernel's Documentation/ABI/testing/sysfs-*.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Protocol
from uuid import UUID

_DMI = ("sys_vendor", "product_name", "product_version", "product_serial", "product_uuid", "chassis_serial",
        "chassis_asset_tag", "board_vendor", "board_name", "bios_vendor", "bios_version", "bios_date")  # fmt: skip
# What vendors write where no serial number was burnt in.
_NO_SERIAL = re.compile(
    r"^(?:|0+|f+|x+|\.+|-+|none|null|n/?a|not (?:specified|available|applicable|set|present)|unknown|invalid|empty|tbd|"
    r"test|sn|default(?: string)?|to be filled by o\.?e\.?m\.?|o\.?e\.?m\.?|(?:system |chassis )?serial number|"
    r"123456789\d*|0123456789\w*|asset.?tag|no asset.*)$",
    re.IGNORECASE,
)
_NO_UUID = re.compile(r"^(?:0{8}-0{4}-0{4}-0{4}-0{12}|f{8}-f{4}-f{4}-f{4}-f{12}|03000200-0400-0500-0006-000700080009)$")
_HYPERVISORS = (
    ("qemu", "kvm"), ("kvm", "kvm"), ("vmware", "vmware"), ("virtualbox", "virtualbox"), ("innotek", "virtualbox"),
    ("xen", "xen"), ("hyper-v", "hyperv"), ("virtual machine", "hyperv"), ("parallels", "parallels"),
    ("bhyve", "bhyve"), ("amazon ec2", "kvm"), ("google compute engine", "kvm"), ("alibaba cloud ecs", "kvm"),
    ("openstack", "kvm"), ("firecracker", "kvm"),
)  # fmt: skip
_SKIPPED_DISKS = re.compile(r"^(?:loop|ram|zram|sr|fd|dm-|md|nbd)\d*")
_SECTOR_BYTES = 512  # sysfs counts in these, whatever the disk's own sector is


class Place(Protocol):
    """What is asked of a path: `pathlib.Path`, or one in a recorded tree."""

    @property
    def name(self) -> str: ...
    def __truediv__(self, part: str, /) -> Place: ...
    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str: ...
    def exists(self) -> bool: ...
    def is_symlink(self) -> bool: ...
    def readlink(self) -> object: ...
    def glob(self, pattern: str, /) -> Iterable[Place]: ...


def read(path: Place) -> str:
    """Return the stripped text of a small file, "" when it is absent or not ours to read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip().strip("\0")
    except OSError:
        return ""


def os_release(root: Place) -> dict[str, str]:
    """Return `{"ID": "debian", "VERSION_ID": "12", ...}`."""
    text = read(root / "etc/os-release") or read(root / "usr/lib/os-release")
    found = {}
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator and not name.startswith("#"):
            found[name.strip()] = value.strip().strip("\"'")
    return found


def machine_id(root: Place) -> str:
    text = read(root / "etc/machine-id") or read(root / "var/lib/dbus/machine-id")
    return text.lower() if re.fullmatch(r"[0-9a-fA-F]{32}", text) else ""


def dmi(root: Place) -> dict[str, str]:
    """Return what the firmware says of the hardware, without the fillers that vendors leave in it."""
    values = {name: read(root / "sys/class/dmi/id" / name) for name in _DMI}
    found = {name: value for name, value in values.items() if not _NO_SERIAL.match(value)}
    uuid = found.pop("product_uuid", "").lower()
    if re.fullmatch(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", uuid) and not _NO_UUID.match(uuid):
        found["product_uuid"] = uuid
    return found


def swapped_uuid(uuid: str) -> str:
    """Return an SMBIOS UUID with its first three groups in the other byte order: firmware and tools differ in it.

    See SMBIOS reference specification 3.7, 7.2.1.
    """
    return str(UUID(bytes=struct.pack("<IHH", *struct.unpack(">IHH", UUID(uuid).bytes[:8])) + UUID(uuid).bytes[8:]))


def cpu(root: Place) -> dict[str, Any]:
    """Return `{"model": "...", "hypervisor": bool, "sockets": n or None}` of the processors."""
    text = read(root / "proc/cpuinfo")
    model = re.search(r"^(?:model name|Model|Hardware|cpu model|uarch)\s*:\s*(.+)$", text, re.MULTILINE)
    sockets = set(re.findall(r"^physical id\s*:\s*(\d+)$", text, re.MULTILINE))
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.MULTILINE)
    return {
        "model": " ".join(model[1].split()) if model else "",
        "hypervisor": bool(flags and "hypervisor" in flags[1].split()),
        "sockets": len(sockets) or None,
    }


def container(root: Place) -> str:
    """Return which container manager this runs in, "" for none. See https://systemd.io/CONTAINER_INTERFACE/"""
    named = read(root / "run/systemd/container")
    match = re.search(r"(?:^|\0)container=([\w-]+)", read(root / "proc/1/environ"))
    if named or match:
        return named or (match[1] if match else "")
    if (root / "run/.containerenv").exists():
        return "podman"
    return "docker" if (root / ".dockerenv").exists() else ""


def virtualization(root: Place, firmware: dict[str, str], has_hypervisor_flag: bool) -> str:
    """Return "kvm", "vmware", ..., "vm" for one that hides its name, "none" on hardware of its own."""
    hypervisor = read(root / "sys/hypervisor/type")
    if hypervisor:
        return hypervisor
    words = " ".join(firmware.get(name, "") for name in ("sys_vendor", "product_name", "bios_vendor")).lower()
    for word, name in _HYPERVISORS:
        if word in words:
            return name
    return "vm" if has_hypervisor_flag else "none"


def time_zone(root: Place) -> str:
    link = root / "etc/localtime"
    if link.is_symlink():
        _before, separator, zone = str(link.readlink()).partition("zoneinfo/")
        if separator:
            return zone
    return read(root / "etc/timezone")


def disks(root: Place) -> list[dict[str, Any]]:
    """Return the block devices that are hardware, or a hypervisor's: `[{"name": "sda", "size_bytes": n, ...}]`."""
    return [
        _disk(path) for path in sorted((root / "sys/block").glob("*"), key=str) if not _SKIPPED_DISKS.match(path.name)
    ]


def _disk(path: Place) -> dict[str, Any]:
    sectors, rotational = read(path / "size"), read(path / "queue/rotational")
    found = {
        "name": path.name,
        "size_bytes": int(sectors) * _SECTOR_BYTES if sectors.isdigit() else None,
        "model": read(path / "device/model"),
        "vendor": read(path / "device/vendor"),
        "serial": read(path / "device/serial") or read(path / "serial"),
        "rotational": rotational == "1" if rotational else None,
    }
    # A virtio disk's vendor is a PCI number.
    return {name: value for name, value in found.items() if value not in ("", None) and not str(value).startswith("0x")}


def is_hardware(root: Place, interface: str) -> bool:
    """Whether a network interface belongs to a device: bridges, tunnels, bonds and veths do not."""
    return (root / "sys/class/net" / interface / "device").exists()


def default_interfaces(root: Place) -> list[str]:
    """Return the interfaces that hold a default route, IPv4 before IPv6, each by metric."""
    routes = sorted(_ipv4_defaults(root)) + sorted(_ipv6_defaults(root))
    return list(dict.fromkeys(interface for _metric, interface in routes if interface != "lo"))


def _ipv4_defaults(root: Place) -> Iterator[tuple[int, str]]:
    for line in read(root / "proc/net/route").splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and words[1] == "00000000" and words[7] == "00000000":
            yield int(words[6]), words[0]


def _ipv6_defaults(root: Place) -> Iterator[tuple[int, str]]:
    for line in read(root / "proc/net/ipv6_route").splitlines():
        words = line.split()
        if len(words) > 9 and words[0] == "0" * 32 and words[1] == "00":
            yield int(words[5], 16), words[9]


def ephemeral_ports_from(root: Place) -> int:
    """Return the first port that the kernel hands out by itself: what listens below was asked to."""
    first = read(root / "proc/sys/net/ipv4/ip_local_port_range").split()[:1]
    return int(first[0]) if first and first[0].isdigit() else 32768


def package_counts(root: Place) -> dict[str, int]:
    """Return `{"dpkg": 512}`: how many packages each manager with a readable list has installed."""
    dpkg, apk = read(root / "var/lib/dpkg/status"), read(root / "lib/apk/db/installed")
    counts = {
        "dpkg": len(re.findall(r"^Status: install ok installed$", dpkg, re.MULTILINE)),
        "apk": len(re.findall(r"^P:", apk, re.MULTILINE)),
        "pacman": len(list((root / "var/lib/pacman/local").glob("*/desc"))),
    }
    return {name: count for name, count in counts.items() if count}
