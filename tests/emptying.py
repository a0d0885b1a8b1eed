"""A test that commits has every table emptied afterwards, which the audit log's triggers forbid: here they make way.

Built-in rows come back by `post_migrate`, which Django sends after it emptied the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management.commands import flush
from django.db.backends.base.base import BaseDatabaseWrapper

_GUARDED = ("audit_auditevent", "audit_segment")


def _around(connection: BaseDatabaseWrapper) -> tuple[list[str], list[str]]:
    """Return the statements that take the guard away and that bring it back."""
    if connection.vendor != "sqlite":
        off = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in _GUARDED]
        return off, [statement.replace("DISABLE", "ENABLE") for statement in off]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit_%%'", ())
        triggers = cursor.fetchall()
    return [f"DROP TRIGGER {name}" for name, _sql in triggers], [sql for _name, sql in triggers]


@pytest.fixture(scope="session", autouse=True)
def _guards_make_way() -> Iterator[None]:
    original = flush.sql_flush

    def sql_flush(style: Any, connection: BaseDatabaseWrapper, *args: Any, **options: Any) -> list[str]:
        off, on = _around(connection)
        return [*off, *original(style, connection, *args, **options), *on]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "sql_flush", sql_flush)
        yield
