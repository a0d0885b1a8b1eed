"""Aggregations counted by the engine: one statement for each kind of bucket in the tree, from the outside in.

The metrics of a bucket are counted with it. What stands inside of the terms that were chosen is counted for those only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quarterdeck.logs.elastic.aggregations import Buckets, Tree
from quarterdeck.logs.elastic.composite import Composite
from quarterdeck.logs.elastic.keys import BUCKETS_MAX, Row, too_many
from quarterdeck.logs.elastic.metrics import Metric
from quarterdeck.logs.elastic.reading import Reader
from quarterdeck.logs.elastic.top import Top
from quarterdeck.telemetry.conditions import Sql, all_of

Keys = tuple[Any, ...]


def aggregated(reader: Reader, where: Sql, tree: Tree) -> dict[str, Any]:
    """Return `{name: aggregation}` over the lines of `where`. Raises BadQuery, TooManyBuckets, TooHeavy, TooMany."""
    counter = _Counter(reader, where)
    counter.count(tree, ())
    found = counter.metrics(tree.metrics) if tree.metrics else None
    return _Shaper().tree(tree, (), found)


class _Columns:
    """The metrics of a bucket as columns: `values` of each line, `aggregates` of them, and the names of these."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self.values: list[str] = []
        self.aggregates: list[str] = []
        self.names: dict[str, tuple[Metric, list[str]]] = {}
        self.parameters: dict[str, Any] = {}
        for at, (name, metric) in enumerate(metrics.items()):
            self.values.append(f"{metric.value.text} AS v{at}")
            self.parameters.update(metric.value.parameters)
            columns = [f"m{at}_{number}" for number in range(len(metric.columns))]
            for column, template in zip(columns, metric.columns, strict=True):
                self.aggregates.append(f"{template.replace('{v}', f'v{at}')} AS {column}")
            self.names[name] = (metric, columns)

    @property
    def all(self) -> list[str]:
        return [column for _metric, columns in self.names.values() for column in columns]


class _Counter:
    """Counts the buckets of a tree, and puts the rows where they belong."""

    def __init__(self, reader: Reader, where: Sql) -> None:
        self._reader = reader
        self._where = where
        self._rows = 0

    def metrics(self, metrics: Mapping[str, Metric]) -> Sequence[Any]:
        """Return the values of the metrics that stand in no bucket."""
        columns = _Columns(metrics)
        inner = f"SELECT {', '.join(columns.values)} FROM logs WHERE {self._where.text}"
        sql = f"SELECT {', '.join(columns.aggregates)} FROM ({inner})"
        [row] = self._reader.rows(sql, self._where, Sql("", columns.parameters))
        return row

    def count(self, tree: Tree, around: tuple[Buckets, ...]) -> None:
        for one in tree.buckets.values():
            self._count(one, around)
            if one.rows:
                self.count(one.inside, (*around, one))

    def _count(self, own: Buckets, around: tuple[Buckets, ...]) -> None:
        path = (*around, own)
        keys = [f"k{level}" for level in range(len(path))]
        columns = _Columns(own.inside.metrics)
        parts = [one.keys.key_at(level) for level, one in enumerate(path)]
        where = all_of([self._where, *(one.keys.where for one in path)])
        lines = [f"{part.text} AS {key}" for part, key in zip(parts, keys, strict=True)] + columns.values
        chosen = {f"h{level}": one.hashes for level, one in enumerate(around) if one.is_chosen}
        limits = [f"cityHash64(k{name[1:]}) IN {{{name}:Array(UInt64)}}" for name in chosen]
        grouped = (
            f"SELECT {', '.join([*keys, 'count() AS n', *columns.aggregates])}"
            f" FROM (SELECT {', '.join(lines)} FROM logs WHERE {where.text})"
            f" {'WHERE ' + ' AND '.join(limits) if limits else ''} GROUP BY {', '.join(keys)}"
        )
        if isinstance(own.keys, Top):
            sql = self._chosen(own.keys, keys, columns, grouped)
        elif isinstance(own.keys, Composite):
            shown = ", ".join([*keys, "n", "toUInt64(0)", f"cityHash64({keys[-1]})", *columns.all])
            page = f"ORDER BY {own.keys.order_by(keys[-1])} LIMIT {own.keys.size}"
            sql = f"SELECT * FROM (SELECT {shown} FROM ({grouped}) {page})"
        else:
            sql = f"SELECT {', '.join([*keys, 'n', 'toUInt64(0)', 'toUInt64(0)', *columns.all])} FROM ({grouped})"
        sql += f" LIMIT {BUCKETS_MAX - self._rows + 1}"
        rows = self._reader.rows(sql, where, *parts, Sql("", columns.parameters), **chosen)
        self._rows += len(rows)
        if self._rows > BUCKETS_MAX:
            raise too_many(self._rows)
        depth = len(keys)
        for row in rows:
            found = Row(row[depth - 1], int(row[depth]), row[depth + 3 :], int(row[depth + 1]), int(row[depth + 2]))
            own.rows.setdefault(tuple(row[: depth - 1]), []).append(found)

    @staticmethod
    def _chosen(top: Top, keys: Sequence[str], columns: _Columns, grouped: str) -> str:
        """SQL: the first terms of each bucket around them."""
        *above, own = keys
        beside = f"PARTITION BY {', '.join(above)}" if above else ""
        limit = f"LIMIT {top.size} BY {', '.join(above)}" if above else f"LIMIT {top.size}"
        known = f"SELECT *, sum(n) OVER ({beside}) AS total FROM ({grouped})"
        shown = ", ".join([*keys, "n", "total", f"cityHash64({own})", *columns.all])
        return (
            f"SELECT * FROM (SELECT {shown} FROM ({known}) WHERE n >= {top.count_min}"
            f" ORDER BY {', '.join([*above, top.order_by(own, columns.names)])} {limit})"
        )


class _Shaper:
    """Writes the answer. Buckets that have no lines count as well: they are made here."""

    def __init__(self) -> None:
        self._made = 0

    def tree(self, tree: Tree, keys: Keys, values: Sequence[Any] | None) -> dict[str, Any]:
        found: dict[str, Any] = {}
        left = list(values) if values is not None else None
        for name, metric in tree.metrics.items():
            size = len(metric.columns)
            found[name] = metric.render(metric.empty if left is None else left[:size])
            left = None if left is None else left[size:]
        for name, one in tree.buckets.items():
            found[name] = self._buckets(one, keys)
        for name, meta in tree.metas.items():
            found[name] = {"meta": meta, **found[name]}
        return found

    def _buckets(self, own: Buckets, keys: Keys) -> dict[str, Any]:
        def inside(key: Any, row: Row | None) -> dict[str, Any]:
            self._made += 1
            if self._made > BUCKETS_MAX:
                raise too_many(self._made)
            return self.tree(own.inside, (*keys, key), row.values if row else None)

        return own.keys.shape(own.rows.get(keys, []), inside)
