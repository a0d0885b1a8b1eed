"""What is done once before an instance serves: tables, telemetry schema, built-in data, schedules."""

from __future__ import annotations

import fcntl
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

# Any number does for PostgreSQL, as long as nobody else uses it: "qd" and a version.
_ADVISORY_LOCK = 0x7164_0001


@contextmanager
def start_lock() -> Iterator[None]:
    """Let one process at a time through: of this machine by a lock file, of all machines by PostgreSQL's own lock."""
    path = Path(settings.DATA) / "run" / "start.lock"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with _advisory_lock():
            yield


@contextmanager
def _advisory_lock() -> Iterator[None]:
    """Hold PostgreSQL's advisory lock on a connection of its own: migrations may close the shared one."""
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        yield
        return
    connection = connections.create_connection(DEFAULT_DB_ALIAS)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
        yield
    finally:
        # The lock ends with its connection.
        connection.close()


def prepare_records() -> None:
    """Apply migrations, load what packages bring along, write schedules. Safe to call from many processes at once."""
    with start_lock():
        _migrate()
        _load_built_in_data()
        from quarterdeck.conf.schedules import write_schedules

        write_schedules()


def _migrate() -> None:
    """Apply what is not applied yet. Asking first spares each later start what Django does around migrations."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)


def _load_built_in_data() -> None:
    """Call `load()` of each package's `builtin` module: it makes what is missing and leaves what people changed."""
    for config in apps.get_app_configs():
        if config.name.startswith("quarterdeck.") and find_spec(f"{config.name}.builtin"):
            load = getattr(importlib.import_module(f"{config.name}.builtin"), "load", None)
            if load is not None:
                load()
