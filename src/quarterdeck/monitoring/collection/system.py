"""This machine by psutil: processors, memory, file systems, disks, network, processes. See https://psutil.readthedocs.io/

Counters are read as they stand (`_total`); only the share of processor time needs the reading before.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil

from quarterdeck.monitoring.collection.reading import Reading

# Loop devices, memory disks, and partitions, whose disk is counted already.
_PASSING_DISKS = re.compile(
    r"^(?:loop|ram|zram|sr|fd)\d+$|^(?:[shv]d[a-z]+|xvd[a-z]+)\d+$|^(?:nvme\d+n\d+|mmcblk\d+)p\d+$"
)
# One per container or tunnel: their containers' own metrics say more.
_PASSING_INTERFACES = re.compile(r"^(?:lo\d*$|veth|ifb|dummy|cali|cni|flannel|vnet|tap)")
_MEMORY_FILE_SYSTEMS = frozenset({"squashfs", "iso9660", "overlay", "tmpfs", "devtmpfs", "ramfs"})
_PROCESS_STATES = {
    "R": "running", "S": "sleeping", "D": "blocked", "I": "idle", "Z": "zombie", "T": "stopped", "t": "stopped",
    "W": "paging", "X": "dead", "P": "parked",
}  # fmt: skip


class System:
    """Reads this machine. One per process: it remembers the processor times of the last reading."""

    def __init__(self) -> None:
        self._times: list[dict[str, float]] | None = None

    def read(self) -> Iterator[Reading]:
        yield from self._processors()
        yield from _load()
        yield from _memory()
        yield from _file_systems()
        yield from _disks()
        yield from _network()
        yield from _processes()
        yield Reading("system_uptime_seconds", max(0.0, time.time() - psutil.boot_time()))

    def _processors(self) -> Iterator[Reading]:
        """Shares of the time since the last reading, none at the first one. A processor's states add up to 1."""
        times = [_states(one) for one in psutil.cpu_times(percpu=True)]
        before, self._times = self._times, times
        if before is None or len(before) != len(times):
            return
        for number, (old, new) in enumerate(zip(before, times, strict=True)):
            # Clocks of idle and iowait may go back a little, see proc(5).
            spent = {state: max(0.0, new[state] - old[state]) for state in new}
            total = sum(spent.values())
            if total > 0:
                for state, seconds in spent.items():
                    labels = {"cpu": str(number), "state": state}
                    yield Reading("system_cpu_utilization_ratio", seconds / total, labels)


def _states(times: Any) -> dict[str, float]:
    """The kernel counts guests' time in user's time too; interrupts of both kinds are one state."""
    found = {state: getattr(times, state, 0.0) for state in ("user", "nice", "system", "idle", "iowait", "steal")}
    return found | {"interrupt": getattr(times, "irq", 0.0) + getattr(times, "softirq", 0.0)}


def _load() -> Iterator[Reading]:
    for minutes, value in zip((1, 5, 15), psutil.getloadavg(), strict=True):
        yield Reading(f"system_cpu_load_average_{minutes}m", value)


def _memory() -> Iterator[Reading]:
    memory = psutil.virtual_memory()
    for state in ("used", "free", "cached", "buffers"):
        if (value := getattr(memory, state, None)) is not None:
            label = "buffered" if state == "buffers" else state
            yield Reading("system_memory_usage_bytes", value, {"state": label})
    yield Reading("system_memory_limit_bytes", memory.total)
    # What programs could not get: caches that the kernel would give up are no use of memory.
    yield Reading("system_memory_utilization_ratio", 1 - memory.available / memory.total)
    swap = psutil.swap_memory()
    yield Reading("system_paging_usage_bytes", swap.used, {"state": "used"})
    yield Reading("system_paging_usage_bytes", swap.free, {"state": "free"})
    yield Reading("system_paging_io_bytes_total", swap.sin, {"direction": "in"})
    yield Reading("system_paging_io_bytes_total", swap.sout, {"direction": "out"})


def _file_systems() -> Iterator[Reading]:
    seen: set[str] = set()
    for part in sorted(psutil.disk_partitions(all=False), key=lambda one: (len(one.mountpoint), one.mountpoint)):
        if part.device in seen or part.fstype in _MEMORY_FILE_SYSTEMS:
            continue
        seen.add(part.device)
        # A network mount whose server is away, or a mount that is not ours to see, has no values now.
        with suppress(OSError):
            yield from _file_system(part.mountpoint, {"mountpoint": part.mountpoint, "device": part.device})


def _file_system(mountpoint: str, labels: dict[str, str]) -> Iterator[Reading]:
    found = os.statvfs(mountpoint)
    if not found.f_blocks:
        return
    free, available = found.f_bfree * found.f_frsize, found.f_bavail * found.f_frsize
    used = found.f_blocks * found.f_frsize - free
    for state, value in (("used", used), ("free", available), ("reserved", free - available)):
        yield Reading("system_filesystem_usage_bytes", value, labels | {"state": state})
    # As df has it: of what users may fill.
    yield Reading("system_filesystem_utilization_ratio", used / max(used + available, 1), labels)
    if found.f_files:
        yield Reading("system_filesystem_inodes_utilization_ratio", 1 - found.f_ffree / found.f_files, labels)


def _disks() -> Iterator[Reading]:
    for device, counters in psutil.disk_io_counters(perdisk=True).items():
        if _PASSING_DISKS.match(device):
            continue
        for direction in ("read", "write"):
            labels = {"device": device, "direction": direction}
            yield Reading("system_disk_io_bytes_total", getattr(counters, f"{direction}_bytes"), labels)
            yield Reading("system_disk_operations_total", getattr(counters, f"{direction}_count"), labels)
        if (busy_ms := getattr(counters, "busy_time", None)) is not None:
            yield Reading("system_disk_io_time_seconds_total", busy_ms / 1000, {"device": device})


def _network() -> Iterator[Reading]:
    for device, counters in psutil.net_io_counters(pernic=True).items():
        if _PASSING_INTERFACES.match(device):
            continue
        for direction, short, suffix in (("receive", "recv", "in"), ("transmit", "sent", "out")):
            labels = {"device": device, "direction": direction}
            yield Reading("system_network_io_bytes_total", getattr(counters, f"bytes_{short}"), labels)
            yield Reading("system_network_packets_total", getattr(counters, f"packets_{short}"), labels)
            yield Reading("system_network_errors_total", getattr(counters, f"err{suffix}"), labels)
            yield Reading("system_network_dropped_total", getattr(counters, f"drop{suffix}"), labels)


def _processes() -> Iterator[Reading]:
    """States from `/proc/<pid>/stat` alone: psutil reads a larger file per process for the same letter."""
    counts: Counter[str] = Counter()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            # As plain as it gets: this loop is most of the cost of a collection.
            with suppress(OSError), open(f"{entry.path}/stat", "rb") as file:  # noqa: PTH123
                # "(name)" may hold spaces and brackets; the state follows the last one.
                letter = file.read(512).rpartition(b")")[2][1:2].decode()
                counts[_PROCESS_STATES.get(letter, "other")] += 1
    for status, count in sorted(counts.items()):
        yield Reading("system_processes_count", count, {"status": status})
