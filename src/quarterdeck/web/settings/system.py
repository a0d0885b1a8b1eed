"""What the instance consists of right now: processes, stores, versions."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from quarterdeck import __version__
from quarterdeck.core.processes import run_file

PROCESSES = ("web", "worker", "intake", "engine")
_LIBRARIES = ("django", "celery", "chdb", "clickhouse-connect")


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A process of this machine. `memory_bytes` counts its children too; None when it does not run here."""

    name: str
    pid: int | None
    address: str
    memory_bytes: int | None
    started_at: datetime | None

    @property
    def is_running(self) -> bool:
        return self.memory_bytes is not None


def process_state(data: Path, name: str) -> ProcessState:
    """Return what the process wrote about itself, checked against the machine's list of processes."""
    facts = run_file(data, name)
    pid, address = facts.get("pid"), str(facts.get("address") or "")
    if not isinstance(pid, int):
        return ProcessState(name, None, address, None, None)
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        memory = sum(_memory_bytes(member) for member in family)
        started = datetime.fromtimestamp(process.create_time(), UTC)
    except psutil.Error:
        return ProcessState(name, pid, address, None, None)
    return ProcessState(name, pid, address, memory, started)


def _memory_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def processes() -> list[ProcessState]:
    return [process_state(settings.DATA, name) for name in PROCESSES]


def _records() -> str:
    """Return "SQLite 3.46.1" or "PostgreSQL 16.4"."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sqlite_version()")
            return f"SQLite {cursor.fetchone()[0]}"
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0]}"


def _records_bytes() -> int:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        else:
            cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def _broker() -> str:
    scheme = urlsplit(settings.QD["broker_url"]).scheme
    return {"": _("embedded"), "redis": "Redis", "rediss": "Redis"}.get(scheme, "RabbitMQ")


@dataclass(frozen=True, slots=True)
class Stores:
    records: str
    records_bytes: int
    broker: str
    disk_free_bytes: int
    disk_percent: float


def stores() -> Stores:
    disk = psutil.disk_usage(str(settings.DATA))
    return Stores(_records(), _records_bytes(), _broker(), disk.free, disk.percent)


def versions() -> dict[str, str]:
    """Return `{"Quarterdeck": "0.1.0", "Python": "3.11.9", "django": "5.2.19", ...}`."""
    found = {"Quarterdeck": __version__, "Python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
