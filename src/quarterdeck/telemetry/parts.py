"""What the tables hold on disk, and dropping it by partition, which costs nothing whatever its size."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from quarterdeck.core.clock import now
from quarterdeck.telemetry import client
from quarterdeck.telemetry.migrating import RETENTION
from quarterdeck.telemetry.samples import Sample


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that the telemetry lies on."""

    free_bytes: int
    total_bytes: int

    @property
    def used_percent(self) -> float:
        return 100 * (1 - self.free_bytes / self.total_bytes) if self.total_bytes else 0.0

    def excess_bytes(self, limit_percent: int) -> int:
        """Return how much has to go until the disk is used by less than `limit_percent`."""
        return max(0, int((self.total_bytes - self.free_bytes) - self.total_bytes * limit_percent / 100))


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of a table by time: `newest` is the end of what it may hold."""

    table: str
    id: str
    rows: int
    bytes: int
    newest: datetime


def disk() -> Disk:
    """Return the fullest of the engine's disks."""
    rows = client.query(
        "SELECT unreserved_space, total_space FROM system.disks WHERE type = 'Local' AND total_space > 0"
    )
    return min((Disk(int(free), int(total)) for free, total in rows), key=lambda d: d.free_bytes, default=Disk(0, 0))


def partitions() -> list[Partition]:
    """Return the partitions of the tables that have a retention, oldest first."""
    rows = client.query(
        "SELECT table, partition_id, sum(rows), sum(bytes_on_disk), max(greatest(max_time, toDateTime(max_date)))"
        " FROM system.parts WHERE active AND database = currentDatabase() AND table IN {tables:Array(String)}"
        " GROUP BY table, partition_id ORDER BY 5, table",
        {"tables": list(RETENTION)},
    )
    return [
        Partition(
            table, name, int(count), int(size), newest.astimezone(UTC) if newest.tzinfo else newest.replace(tzinfo=UTC)
        )
        for table, name, count, size, newest in rows
    ]


def drop(partition: Partition) -> None:
    """Drop one partition."""
    client.command(f"ALTER TABLE {partition.table} DROP PARTITION ID {{id:String}}", {"id": partition.id})


def drop_expired() -> list[Partition]:
    """Drop the partitions whose newest row is older than the retention.

    The tables' TTL does the same for parts written since the setting was changed; older parts keep the term that they
    were written with.
    """
    expired = [
        part for part in partitions() if part.newest < now() - timedelta(days=int(settings.QD[RETENTION[part.table]]))
    ]
    for part in expired:
        drop(part)
    return expired


def guard() -> list[Partition]:
    """Drop the oldest partitions until the disk is used by less than the limit; return what was dropped.

    The partition that is written to now stays: without it there would be nothing to watch the disk with.
    """
    from quarterdeck.telemetry.actions import write_samples

    found = disk()
    excess = found.excess_bytes(int(settings.QD["disk_guard_percent"]))
    dropped = []
    for part in partitions():
        if excess <= 0 or part.newest.date() >= now().date():
            break
        drop(part)
        excess -= part.bytes
        dropped.append(part)
    _note(dropped)
    write_samples(
        [
            Sample("quarterdeck_disk_used_ratio", {}, 0, now(), found.used_percent / 100),
            Sample("quarterdeck_disk_guard_dropped_bytes", {}, 0, now(), float(sum(part.bytes for part in dropped))),
        ]
    )
    return dropped


def _note(dropped: list[Partition]) -> None:
    columns: dict[str, list[Any]] = {
        "at": [now().replace(microsecond=0) for _ in dropped],
        "name": [part.table for part in dropped],
        "partition": [part.id for part in dropped],
        "rows": [part.rows for part in dropped],
        "bytes": [part.bytes for part in dropped],
    }
    client.insert("dropped_partitions", columns, token=f"guard-{now().timestamp()}")
