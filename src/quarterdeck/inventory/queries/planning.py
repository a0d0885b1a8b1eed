"""What PostgreSQL may not do for one query. SQLite has no such switches, and needs none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def planned_without(*kinds_of_plan: str) -> Iterator[None]:
    """Switch off kinds of plans, such as `enable_nestloop` or `jit`, for the queries inside.

    See https://www.postgresql.org/docs/current/runtime-config-query.html
    """
    if connection.vendor != "postgresql" or not kinds_of_plan:
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {kind} = off" for kind in kinds_of_plan))
        yield
        # The end of the transaction does it too, but that may be the caller's.
        cursor.execute("; ".join(f"SET LOCAL {kind} TO DEFAULT" for kind in kinds_of_plan))
