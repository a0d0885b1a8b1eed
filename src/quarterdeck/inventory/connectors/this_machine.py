"""The machine that Quarterdeck runs on, by psutil and the standard files."""

from __future__ import annotations

import ipaddress
import platform
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from quarterdeck.inventory.connectors import machine_files, machine_state
from quarterdeck.inventory.connectors.connector import Connector, Page, Session
from quarterdeck.inventory.found import Found

SCOPE = "local"
# Sockets that stand for something else: the engine's proxies belong to containers.
_PROXIES = frozenset({"docker-proxy", "rootlessport", "conmon"})


def pages(session: Session, root: Path = Path("/")) -> Iterator[Page]:
    firmware = machine_files.dmi(root)
    processor = machine_files.cpu(root)
    yield {
        **identity_facts(root),
        "os_release": machine_files.os_release(root),
        "cpu": processor | {"count": psutil.cpu_count(), "cores": psutil.cpu_count(logical=False)},
        "memory_bytes": psutil.virtual_memory().total,
        "swap_bytes": psutil.swap_memory().total,
        "kernel": platform.release(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "virtualization": machine_files.virtualization(root, firmware, processor["hypervisor"]),
        "container": machine_files.container(root),
        "boot_time": machine_state.boot_time(),
        "boot_id": machine_files.read(root / "proc/sys/kernel/random/boot_id"),
        "time_zone": machine_files.time_zone(root),
        "default_interfaces": machine_files.default_interfaces(root),
        "disks": machine_files.disks(root),
        "filesystems": machine_state.filesystems(),
        "listening": machine_state.listening(root),
        "ephemeral_ports_from": machine_files.ephemeral_ports_from(root),
        "processes": machine_state.top_processes(),
        "users": machine_state.users(),
        "packages": machine_files.package_counts(root),
    }


def identity_facts(root: Path = Path("/")) -> dict[str, Any]:
    """Return the facts by which this machine is told from others; `identities` makes keys of them."""
    return {
        "hostname": socket.gethostname(),
        "machine_id": machine_files.machine_id(root),
        "dmi": machine_files.dmi(root),
        "interfaces": machine_state.interfaces(root),
    }


def identities(page: Page) -> list[tuple[str, str]]:
    """Return the keys of a machine, strongest first, each in the spelling that other sources use."""
    firmware = page["dmi"]
    found = []
    if uuid := firmware.get("product_uuid"):
        found += [("smbios_uuid", value) for value in dict.fromkeys((uuid, machine_files.swapped_uuid(uuid)))]
    if serial := firmware.get("product_serial") or firmware.get("chassis_serial"):
        found.append(("serial", serial))
    if page["machine_id"]:
        found.append(("machine_id", page["machine_id"]))
    found += [("mac", one["mac"]) for one in page["interfaces"] if one["hardware"] and "mac" in one]
    return [*found, ("hostname", page["hostname"].lower())]


def external_id(page: Page) -> str:
    """The machine's key at this source: it stays when the name changes."""
    return str(page["machine_id"] or page["hostname"])


def found(page: Page) -> Iterable[Found]:
    yield Found(
        type="host",
        external_id=external_id(page),
        name=page["hostname"],
        attributes=attributes(page),
        identities=identities(page),
        state="running",
        raw_state="running",
        primary_ip=primary_ip(page["interfaces"], page["default_interfaces"]),
    )
    yield from _services(page)


def attributes(page: Page) -> dict[str, Any]:
    """Return the attributes of type host that a page holds; `jobs.facts` makes pages of other machines."""
    release, firmware, processor = page["os_release"], page["dmi"], page["cpu"]
    values = {
        "form": "vm" if page["virtualization"] != "none" else "physical",
        "virtualization": page["container"] or page["virtualization"],
        "vendor": firmware.get("sys_vendor"),
        "model": firmware.get("product_name"),
        "serial": firmware.get("product_serial") or firmware.get("chassis_serial"),
        "bios_version": firmware.get("bios_version"),
        "cpu_model": processor["model"],
        "cpu_count": processor["count"],
        "cpu_cores": processor["cores"],
        "memory_bytes": page["memory_bytes"],
        "swap_bytes": page["swap_bytes"],
        "os_family": page["system"].lower(),
        "os_name": release.get("ID"),
        "os_version": release.get("VERSION_ID"),
        "os_title": release.get("PRETTY_NAME"),
        "kernel": page["kernel"],
        "architecture": page["architecture"],
        "boot_time": page["boot_time"],
        "boot_id": page["boot_id"],
        "time_zone": page["time_zone"],
        "machine_id": page["machine_id"],
        "fqdn": page["hostname"] if "." in page["hostname"] else "",
        "ip_addresses": _addresses(page["interfaces"]),
        "mac_addresses": [one["mac"] for one in page["interfaces"] if one["hardware"] and "mac" in one],
        "interfaces": page["interfaces"],
        "disks": page["disks"],
        "filesystems": page["filesystems"],
        "listening_ports": page["listening"],
        "top_processes": page["processes"],
        "logged_in_users": page["users"],
        "packages": page["packages"],
    }
    return {code: value for code, value in values.items() if value not in (None, "", [], {})}


def _addresses(interfaces: Sequence[Page]) -> list[str]:
    """All addresses by which others may reach the machine; loopback and link-local ones are not."""
    plain = [address.partition("/")[0] for one in interfaces for address in one["addresses"]]
    return [a for a in plain if not (ipaddress.ip_address(a).is_loopback or ipaddress.ip_address(a).is_link_local)]


def primary_ip(interfaces: Sequence[Page], default_interfaces: Sequence[str]) -> str:
    """The first address of the interface with the default route, IPv4 before IPv6; else any that others can reach."""
    order = {name: rank for rank, name in enumerate(default_interfaces)}
    ranked = sorted(interfaces, key=lambda one: order.get(one["name"], len(order)))
    addresses = _addresses(ranked)
    ipv4 = [address for address in addresses if ":" not in address]
    return next(iter(ipv4 or addresses), "")


def _services(page: Page) -> Iterator[Found]:
    """One service per program that listens on a port that was asked for; what the kernel chose is passing."""
    sockets: dict[str, list[Page]] = {}
    for one in page["listening"]:
        if (
            one["protocol"] == "tcp"
            and one["process"] not in ("", *_PROXIES)
            and one["port"] < page["ephemeral_ports_from"]
        ):
            sockets.setdefault(one["process"], []).append(one)
    for process, ports in sorted(sockets.items()):
        yield Found(
            type="service",
            external_id=f"{external_id(page)}:{process}",
            name=f"{process}@{page['hostname']}",
            attributes={
                "process": process,
                "port": ports[0]["port"],
                "ports": sorted({one["port"] for one in ports}),
                "protocol": "tcp",
                "addresses": sorted({one["address"] for one in ports}),
            },
            state="running",
            relations=[("runs_on", "host", external_id(page))],
        )


PLUGIN = Connector("This machine", lambda: [SCOPE], pages, found)
