"""Bringing the tables up to date: numbered files in `schema/`, applied in order, each once.

    schema/0001_metrics.sql     statements separated by a semicolon at a line's end; each may run twice (IF NOT EXISTS)

Many processes may start at once, on many machines with a ClickHouse server. The lock is a table: creating one that is
there already fails, on every engine.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from django.conf import settings

from quarterdeck.core.errors import Conflict, Unavailable

_FILE = re.compile(r"(\d{4})_(\w+)\.sql\Z")
_LOCK_SECONDS = 60
_TABLE_EXISTS = 57
_NOW = "SELECT toUnixTimestamp(now())"
_TTL_DAYS = re.compile(r"TTL .*?toIntervalDay\((\d+)\)")
# Which setting says how long each table keeps its rows: those that are dropped by partition ...
RETENTION = {
    "samples": "metrics_retention_days",
    "samples_5m": "metrics_5m_retention_days",
    "samples_1h": "metrics_1h_retention_days",
    "logs": "logs_retention_days",
    "spans": "traces_retention_days",
    "traces": "traces_retention_days",
    "red_1m": "red_retention_days",
    "edges_1m": "red_retention_days",
    "error_events": "errors_retention_days",
    "error_attachments": "errors_retention_days",
    "release_sessions": "errors_retention_days",
    "check_ins": "errors_retention_days",
    "client_reports": "errors_retention_days",
    "user_feedback": "errors_retention_days",
    "run_output": "runs_retention_days",
    "terminal_output": "terminals_retention_days",
}
# ... and those that name what the former hold, which stay as long as the longest of them.
_NAMES = dict.fromkeys(("series", "labels"), "metrics_1h_retention_days")
_TTL_BASE = {
    "samples": "toDateTime(timestamp)",
    "series": "toDateTime(max_time)",
    "labels": "seen",
    "logs": "toDateTime(ts)",
    "spans": "toDateTime(ts)",
    "traces": "toDateTime(start)",
    "red_1m": "ts",
    "edges_1m": "ts",
    "error_events": "toDateTime(ts)",
    "error_attachments": "received",
    "release_sessions": "toDateTime(started)",
    "check_ins": "toDateTime(ts)",
    "client_reports": "toDateTime(ts)",
    "user_feedback": "toDateTime(ts)",
    "run_output": "toDateTime(ts)",
    "terminal_output": "toDateTime(ts)",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One file: its number, name and statements."""

    version: int
    name: str
    statements: tuple[str, ...]


def steps() -> list[Step]:
    """Return the files in order."""
    folder = files("quarterdeck.telemetry").joinpath("schema")
    found = [
        Step(int(match[1]), match[2], _statements(file.read_text(encoding="utf-8")))
        for file in folder.iterdir()
        if (match := _FILE.match(file.name))
    ]
    return sorted(found, key=lambda step: step.version)


def _statements(text: str) -> tuple[str, ...]:
    bare = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return tuple(part.strip() for part in re.split(r";\s*(?:\n|\Z)", bare) if part.strip())


def apply(client: Client, wanted: list[Step] | None = None) -> int:
    """Bring the tables to the newest version known here and to the retention set; return that version.

    Raises Conflict when they are newer than this version of the product knows.
    """
    wanted = steps() if wanted is None else wanted
    newest = wanted[-1].version
    if _version(client, newest) < newest:
        with _lock(client):
            current = _version(client, newest)
            for step in wanted:
                if step.version > current:
                    _apply(client, step)
    apply_retention(client)
    return newest


def _number(client: Client, sql: str) -> int:
    return int(str(client.command(sql)))


def _version(client: Client, newest: int) -> int:
    """Return the version that the tables have, 0 for none. Raises Conflict for one that is unknown here."""
    if not _number(client, "EXISTS TABLE schema_version"):
        return 0
    found = _number(client, "SELECT max(version) FROM schema_version")
    if found > newest:
        raise Conflict(
            f"the telemetry tables have version {found}, this Quarterdeck knows up to {newest}",
            hint="start the newer version that wrote them, or restore a backup made with this one",
        )
    return found


def _apply(client: Client, step: Step) -> None:
    for statement in step.statements:
        client.command(statement)
    client.command(
        "CREATE TABLE IF NOT EXISTS schema_version (version UInt32, name String, applied_at DateTime DEFAULT now())"
        " ENGINE = ReplacingMergeTree ORDER BY version SETTINGS fsync_after_insert = 1"
    )
    client.command(
        "INSERT INTO schema_version (version, name) VALUES ({version:UInt32}, {name:String})",
        parameters={"version": step.version, "name": step.name},
    )


@contextmanager
def _lock(client: Client) -> Iterator[None]:
    """Let one process at a time through; a lock that a killed one left is broken after a minute."""
    deadline = time.monotonic() + 2 * _LOCK_SECONDS
    while not _take_lock(client):
        if time.monotonic() > deadline:
            raise Unavailable("another process prepares the telemetry tables for too long", hint="try again")
        time.sleep(0.2)
        stale = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'schema_lock'"
        # The table's comment says when it was made; its own time of change is 1970 in the embedded engine.
        if _number(client, f"{stale} AND toInt64OrZero(comment) < toUnixTimestamp(now()) - {_LOCK_SECONDS}"):
            client.command("DROP TABLE IF EXISTS schema_lock")
    try:
        yield
    finally:
        client.command("DROP TABLE IF EXISTS schema_lock")


def _take_lock(client: Client) -> bool:
    try:
        client.command(f"CREATE TABLE schema_lock (x UInt8) ENGINE = Memory COMMENT '{_number(client, _NOW)}'")
    except DatabaseError as error:
        if error.code == _TABLE_EXISTS:
            return False
        raise
    return True


def apply_retention(client: Client) -> list[str]:
    """Make each table keep its rows as long as the settings say; return the tables that changed."""
    terms = RETENTION | _NAMES
    rows = client.query(
        "SELECT name, engine_full FROM system.tables"
        " WHERE database = currentDatabase() AND name IN {names:Array(String)}",
        parameters={"names": list(terms)},
    ).result_rows
    changed = []
    for name, engine in rows:
        days = int(settings.QD[terms[name]])
        found = _TTL_DAYS.search(engine)
        if found is None or int(found[1]) != days:
            base = _TTL_BASE.get(name, "timestamp")
            # Parts are dropped whole when they are due; rewriting the ones that are there would gain nothing.
            client.command(
                f"ALTER TABLE {name} MODIFY TTL {base} + INTERVAL {days} DAY",
                settings={"materialize_ttl_after_modify": 0},
            )
            changed.append(name)
    return changed
