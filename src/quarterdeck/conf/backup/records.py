"""The records database as files. SQLite: one file by its online backup. PostgreSQL: a COPY per table, one snapshot."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import Conflict

SQLITE_FILE = "records.sqlite3"
_TABLES = "records"


def kind() -> str:
    """Return "sqlite" or "postgresql"."""
    return connection.vendor


def migrations() -> list[str]:
    """Return the applied migrations, `["access.0001_initial", ...]`: a backup fits where all of them are known."""
    return sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


def dump(directory: Path) -> None:
    """Write the records as of one moment into `directory`, while others go on writing."""
    if kind() == "postgresql":
        _copy_out(directory / _TABLES)
    else:
        _sqlite_copy(Path(connection.settings_dict["NAME"]), directory / SQLITE_FILE)


def load(directory: Path) -> None:
    """Replace the records by what `dump` wrote. On PostgreSQL the database must be migrated and not in use."""
    if kind() == "postgresql":
        _copy_in(directory / _TABLES)
    else:
        connection.close()
        (directory / SQLITE_FILE).replace(connection.settings_dict["NAME"])


def _sqlite_copy(source: Path, target: Path) -> None:
    """Copy in one step, inside one read transaction: writers go on in the WAL and are not in the copy."""
    origin, copy = sqlite3.connect(f"file:{source}?mode=ro", uri=True), sqlite3.connect(target)
    try:
        origin.backup(copy)
        # A plain file: without this it would come with a WAL of its own.
        copy.execute("PRAGMA journal_mode=DELETE")
    finally:
        copy.close()
        origin.close()


def _tables() -> list[str]:
    """Return every table of the product's models, the many-to-many ones included."""
    models = apps.get_models(include_auto_created=True)
    names = {model._meta.db_table for model in models if model._meta.managed and not model._meta.proxy}
    return sorted(names)


@transaction.atomic
def _copy_out(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    with connection.cursor() as cursor:
        # One snapshot for all tables. See https://www.postgresql.org/docs/current/transaction-iso.html
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for table in _tables():
            statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
            with (directory / f"{table}.copy").open("wb") as file, cursor.copy(statement) as copy:
                for chunk in copy:
                    file.write(chunk)


@transaction.atomic
def _copy_in(directory: Path) -> None:
    """Foreign keys are checked at the commit, so the order of the tables does not matter.

    Raises Conflict when somebody worked with this database: its audit trail cannot be removed, by design.
    """
    if AuditEvent.objects.exists():
        raise Conflict("the database holds records already", hint="restore into a database that was just created")
    tables = _tables()
    with connection.cursor() as cursor:
        for table in tables:
            # What migrations brought along comes back from the backup.
            if cursor.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(table))).fetchone():
                cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        for table in tables:
            statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
            with (directory / f"{table}.copy").open("rb") as file, cursor.copy(statement) as copy:
                while chunk := file.read(1 << 20):
                    copy.write(chunk)
        for statement in connection.ops.sequence_reset_sql(
            no_style(), list(apps.get_models(include_auto_created=True))
        ):
            cursor.execute(statement)
