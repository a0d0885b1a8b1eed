"""Bulk statements for both databases: executemany on SQLite, COPY and pipelined executemany on PostgreSQL.

Every function is one statement or two for any number of rows, so that the number of queries of an import does not
depend on its size. Django's bulk_create splits at 999 parameters on SQLite and builds a model per row; this does
neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any

import orjson
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import DateTimeField, JSONField, Model

Row = Sequence[Any]

_BLOCK_ROWS = 50


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


@lru_cache(maxsize=1024)
def _sqlite_time(value: datetime | None) -> str | None:
    return None if value is None else str(connection.ops.adapt_datetimefield_value(value))


def _converters(model: type[Model], columns: Sequence[str]) -> list[tuple[int, Callable[[Any], Any]]]:
    """Return `(position, convert)` for the columns that the driver does not take as they are."""
    found: list[tuple[int, Callable[[Any], Any]]] = []
    for position, column in enumerate(columns):
        field = model._meta.get_field(column)
        if isinstance(field, JSONField):
            found.append((position, _json))
        elif isinstance(field, DateTimeField) and connection.vendor == "sqlite":
            found.append((position, _sqlite_time))
    return found


def _prepared(model: type[Model], columns: Sequence[str], rows: Iterable[Row]) -> Iterator[Row]:
    converters = _converters(model, columns)
    if not converters:
        yield from rows
        return
    for row in rows:
        values = list(row)
        for position, convert in converters:
            values[position] = convert(values[position])
        yield values


def _names(model: type[Model], columns: Sequence[str]) -> list[str]:
    return [connection.ops.quote_name(str(model._meta.get_field(column).column)) for column in columns]  # type: ignore[union-attr]


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def allocate(model: type[Model], count: int) -> list[int]:
    """Return `count` fresh primary keys of `model`, to be used in this transaction.

    On SQLite the transaction holds the write lock (BEGIN IMMEDIATE), so nobody else can take them.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = %s", [model._meta.db_table])
            last = int(cursor.fetchone()[0])
            return list(range(last + 1, last + 1 + count))
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [int(row[0]) for row in cursor.fetchall()]


def insert(model: type[Model], columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Insert rows; a violated constraint raises IntegrityError for all of them.

    PostgreSQL takes the first rows in while the last ones are still worked out, so `rows` is best a generator.
    """
    prepared = _prepared(model, columns, rows)
    first = next(prepared, None)
    if first is None:
        return
    everything = chain((first,), prepared)
    target = f"{_table(model)} ({', '.join(_names(model, columns))})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Django translates the errors of execute and executemany only.
            with connection.wrap_database_errors, cursor.copy(f"COPY {target} FROM STDIN") as copy:
                for row in everything:
                    copy.write_row(row)
        else:
            _insert_in_blocks(cursor, target, list(everything))


def _insert_in_blocks(cursor: CursorWrapper, target: str, rows: list[Row]) -> None:
    """Insert blocks of rows, then the rest: two statements for any number. In a block, a row takes a third less."""
    marks = f"({', '.join(['%s'] * len(rows[0]))})"
    end = len(rows) - len(rows) % _BLOCK_ROWS
    blocks = [list(chain.from_iterable(rows[start : start + _BLOCK_ROWS])) for start in range(0, end, _BLOCK_ROWS)]
    cursor.executemany(f"INSERT INTO {target} VALUES {', '.join([marks] * _BLOCK_ROWS)}", blocks)  # noqa: S608
    cursor.executemany(f"INSERT INTO {target} VALUES {marks}", rows[end:])  # noqa: S608


def upsert(model: type[Model], columns: Sequence[str], unique: Sequence[str], rows: Iterable[Row]) -> None:
    """Insert rows; where the `unique` columns are taken, write the other columns there instead."""
    prepared = list(_prepared(model, columns, rows))
    if not prepared:
        return
    marks = ", ".join(["%s"] * len(columns))
    others = [name for name in _names(model, columns) if name not in _names(model, unique)]
    action = "UPDATE SET " + ", ".join(f"{name} = EXCLUDED.{name}" for name in others) if others else "NOTHING"
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {_table(model)} ({', '.join(_names(model, columns))}) VALUES ({marks})"  # noqa: S608
            f" ON CONFLICT ({', '.join(_names(model, unique))}) DO {action}",
            prepared,
        )


def update(model: type[Model], columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Set `columns` of one row per entry; each entry is the columns' values followed by the primary key."""
    prepared = list(_prepared(model, columns, rows))
    if not prepared:
        return
    key = connection.ops.quote_name(str(model._meta.pk.column))
    pairs = ", ".join(f"{name} = %s" for name in _names(model, columns))
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {_table(model)} SET {pairs} WHERE {key} = %s", prepared)  # noqa: S608


def update_where(model: type[Model], columns: Sequence[str], where: Sequence[str], rows: Iterable[Row]) -> None:
    """Set `columns` where the `where` columns have the given values; each entry is the first, then the second."""
    prepared = list(_prepared(model, [*columns, *where], rows))
    if not prepared:
        return
    pairs = ", ".join(f"{name} = %s" for name in _names(model, columns))
    conditions = " AND ".join(f"{name} = %s" for name in _names(model, where))
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {_table(model)} SET {pairs} WHERE {conditions}", prepared)  # noqa: S608
