"""What somebody with the database's password would do: raw SQL, after dropping the triggers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.db import connection

_GUARD = import_module("quarterdeck.audit.migrations.0002_append_only")


def sql(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run one statement past the ORM; return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall()) if cursor.description else []


def drop_guard() -> None:
    """Remove every trigger of the audit tables."""
    if connection.vendor == "sqlite":
        for (name,) in sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit_%%'"):
            sql(f"DROP TRIGGER {name}")
        return
    rows = sql(
        "SELECT DISTINCT trigger_name, event_object_table FROM information_schema.triggers "
        "WHERE event_object_table LIKE 'audit_%%'"
    )
    truncations = sql(
        "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE 'audit_%%' AND NOT tgisinternal"
    )
    for name, table in {*rows, *truncations}:
        sql(f"DROP TRIGGER {name} ON {table}")
