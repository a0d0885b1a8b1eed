"""Keeps the planner's picture of the tables true after many rows were written at once.

PostgreSQL's autovacuum would get there a minute later; until then a three-attribute filter right after a first import
is planned for empty tables and takes seconds. See https://www.postgresql.org/docs/current/populate.html
"""

from __future__ import annotations

from django.db import connection

from quarterdeck.inventory.models import Identity, Item, ItemIndex, ItemText, Observation, Relation

MANY_ROWS = 2000
_TABLES = (Item, ItemIndex, ItemText, Identity, Observation, Relation)


def refresh_statistics(rows_written: int) -> None:
    """Let the database look at the inventory's tables anew when `rows_written` is enough to change its plans."""
    if rows_written < MANY_ROWS or connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE " + ", ".join(connection.ops.quote_name(model._meta.db_table) for model in _TABLES))
