"""How the telemetry store is: sizes, disk, what the guard did, what a person should know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

from quarterdeck.core.clock import now
from quarterdeck.telemetry import client, parts

# How long a drop stays a warning.
_WARNING_DAYS = 7
# From this share of the limit on, people are told before anything is dropped.
_NEAR_PERCENT = 95


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table: `bytes` on disk, compressed."""

    name: str
    rows: int
    bytes: int
    parts: int


@dataclass(frozen=True, slots=True)
class GuardAction:
    """What the disk guard dropped last."""

    at: datetime
    table: str
    partition: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """`mode` is "embedded" or "server"; `warnings` are sentences in the reader's language."""

    version: str
    mode: str
    tables: list[TableStatus]
    disk_free_bytes: int
    disk_total_bytes: int
    last_guard_action: GuardAction | None
    warnings: list[str]

    @property
    def bytes(self) -> int:
        return sum(table.bytes for table in self.tables)


def engine_status() -> EngineStatus:
    """Return the state of the telemetry store. Raises Unavailable when it does not answer."""
    version = str(client.query("SELECT version()")[0][0])
    disk = parts.disk()
    action = _last_guard_action()
    mode = "server" if settings.QD["clickhouse_url"] else "embedded"
    return EngineStatus(version, mode, _tables(), disk.free_bytes, disk.total_bytes, action, _warnings(disk, action))


def _tables() -> list[TableStatus]:
    rows = client.query(
        "SELECT name, ifNull(total_rows, 0), ifNull(total_bytes, 0), ifNull(parts, 0) FROM system.tables"
        " WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name"
    )
    return [TableStatus(name, int(count), int(size), int(number)) for name, count, size, number in rows]


def _last_guard_action() -> GuardAction | None:
    rows = client.query("SELECT at, name, partition, rows, bytes FROM dropped_partitions ORDER BY at DESC LIMIT 1")
    return GuardAction(*rows[0]) if rows else None


def _warnings(disk: parts.Disk, action: GuardAction | None) -> list[str]:
    limit = int(settings.QD["disk_guard_percent"])
    found = []
    if action and action.at > now() - timedelta(days=_WARNING_DAYS):
        found.append(
            _("The disk was nearly full: %(table)s of %(partition)s were dropped. Add space or lower the retention.")
            % {"table": action.table, "partition": action.partition}
        )
    if disk.used_percent >= limit:
        found.append(
            _("The disk is %(used)d%% full and no old telemetry is left to drop. Free space now.")
            % {"used": disk.used_percent}
        )
    elif disk.used_percent >= limit * _NEAR_PERCENT / 100:
        found.append(
            _("The disk is %(used)d%% full; from %(limit)d%% on, the oldest telemetry is dropped.")
            % {"used": disk.used_percent, "limit": limit}
        )
    return found
