"""Pages of hits and counts, to those who may read the lines.

See https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-search
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.elastic import documents, sorting
from quarterdeck.logs.elastic.aggregations import parse_aggregations
from quarterdeck.logs.elastic.bodies import Body, a_whole, an_object, unsupported
from quarterdeck.logs.elastic.buckets import aggregated
from quarterdeck.logs.elastic.reading import Reader
from quarterdeck.telemetry.conditions import EVERYTHING, Sql

# As Elasticsearch's index.max_result_window.
WINDOW_MAX = 10_000
_SIZE_USUAL = 10
_TOTAL_USUAL = 10_000
_READ = (
    "query", "size", "from", "sort", "_source", "fields", "docvalue_fields", "track_total_hits", "search_after", "aggs",
    "aggregations",
)  # fmt: skip
# What is for scores, speed and colours: the answer is right without it.
_IDLE = ("timeout", "track_scores", "version", "seq_no_primary_term", "preference", "terminate_after", "highlight",
         "indices_boost", "stats", "batched_reduce_size", "ext")  # fmt: skip
# What is refused unless it asks for nothing.
_EMPTY = ("script_fields", "stored_fields", "explain", "profile", "runtime_mappings", "post_filter", "collapse",
          "suggest", "rescore", "min_score", "knn", "slice")  # fmt: skip
SHARDS = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}


@dataclass(frozen=True, slots=True)
class Position:
    """Behind which hit a page begins: its `sort`, and how many that are the same in everything were shown."""

    sort: list[Any]
    same: int


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a scroll or a point in time reads: lines received until `opened`, Unix seconds, from `position` on.

    `total` is the one that the first page counted. In a scroll hits show the `sort` that was asked for only, in a point
    in time also the line's own place, for `search_after`.
    """

    opened: int
    position: Position | None = None
    total: dict[str, Any] | None = None
    is_scroll: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """`answer` is that to `_search`; `position` that of its last hit, None without any."""

    answer: dict[str, Any]
    position: Position | None


def search(reader: Reader, index: str, body: Body, *, is_lenient: bool = False) -> dict[str, Any]:
    """Return the answer to `_search`. Raises BadQuery, BadInput, NoIndex, TooHeavy, TooMany."""
    return search_in(reader, index, body, is_lenient=is_lenient).answer


def search_in(
    reader: Reader, index: str, body: Body, frozen: Frozen | None = None, *, is_lenient: bool = False
) -> Found:
    """Do the same within a scroll or a point in time: nothing that comes in meanwhile moves a page."""
    began = time.monotonic()
    for name in an_object(body, "search", (*_READ, *_IDLE, *_EMPTY)):
        if name in _EMPTY and body[name] and body[name] not in ("_none_", ["_none_"]):
            raise unsupported("search", name)
    asked = _Page(reader, body, frozen)
    aggregations = parse_aggregations(body.get("aggs") or body.get("aggregations") or {}, reader)
    query = reader.condition(body.get("query"))
    where = reader.of_index(index, is_lenient=is_lenient) & query
    if frozen:
        where = where & reader.names.sql("logs.received <= toDateTime({}, 'UTC')", ("Int64", frozen.opened))
    known = frozen.total if frozen else None
    total = known or _total(reader, where, body.get("track_total_hits"))
    hits = asked.hits(where) if asked.size and (total is None or total["value"]) else []
    found: dict[str, Any] = {"max_score": 1.0 if hits and not body.get("sort") else None, "hits": hits}
    answer: dict[str, Any] = {
        "took": 0,
        "timed_out": False,
        "_shards": SHARDS,
        "hits": {**({"total": total} if total else {}), **found},
    }
    if aggregations:
        answer["aggregations"] = aggregated(reader, where, aggregations)
    answer["took"] = round((time.monotonic() - began) * 1000)
    return Found(answer, asked.last)


def count(reader: Reader, index: str, body: Body, *, is_lenient: bool = False) -> dict[str, Any]:
    """Return the answer to `_count`. Raises as `search`."""
    query = reader.condition(an_object(body, "count", ("query",)).get("query"))
    where = reader.of_index(index, is_lenient=is_lenient) & query
    [(number,)] = reader.rows(f"SELECT count() FROM logs WHERE {where.text}", where)
    return {"count": int(number), "_shards": SHARDS}


def _total(reader: Reader, where: Sql, given: object) -> dict[str, Any] | None:
    """Count exactly, or up to a limit; None when it is not asked for."""
    if given is False or given == "false":
        return None
    if given is True or given == "true":
        [(number,)] = reader.rows(f"SELECT count() FROM logs WHERE {where.text}", where)
        return {"value": int(number), "relation": "eq"}
    limit = _TOTAL_USUAL if given is None else a_whole(given, "track_total_hits", 0, 2**31 - 1)
    sql = f"SELECT count() FROM (SELECT 1 FROM logs WHERE {where.text} LIMIT {limit + 1})"
    [(number,)] = reader.rows(sql, where)
    return {"value": min(int(number), limit), "relation": "eq" if number <= limit else "gte"}


class _Page:
    """Which hits are asked for, and what of each."""

    def __init__(self, reader: Reader, body: Body, frozen: Frozen | None = None) -> None:
        self._reader = reader
        self._before = frozen.position if frozen else None
        self.last: Position | None = None
        most = 2**31 - 1
        self.size = a_whole(_or(body.get("size"), _SIZE_USUAL), "size", 0, most)
        self._from = a_whole(_or(body.get("from"), 0), "from", 0, most)
        if self.size + self._from > WINDOW_MAX:
            raise BadQuery(
                _("Result window is too large, from + size must be at most [%(max)d] but was [%(found)d]")
                % {"max": WINDOW_MAX, "found": self.size + self._from},
                hint=_("search_after reads on from the last hit."),
            )
        keys = sorting.keys_of(body.get("sort"), reader.terms)
        self._keys = sorting.exactly(keys) if frozen else keys
        self._shown = len(keys) if frozen and frozen.is_scroll else len(self._keys)
        self._is_sorted = bool(body.get("sort"))
        self._after = self._behind(body.get("search_after"))
        self._source = documents.source_filter(body.get("_source"))
        self._fields = [
            *documents.shown_fields(body.get("fields"), "fields"),
            *documents.shown_fields(body.get("docvalue_fields"), "docvalue_fields"),
        ]

    def _behind(self, given: object) -> Sql | None:
        if self._before:
            self._from = self._before.same
            return sorting.after(self._keys, self._before.sort, self._reader.names, with_same=True)
        if given is None:
            return None
        if self._from:
            raise BadQuery(_("[from] must be 0 with [search_after]"))
        return sorting.after(self._keys, given, self._reader.names)

    def hits(self, where: Sql) -> list[dict[str, Any]]:
        where = where & self._after if self._after else where
        if sorting.is_by_time(self._keys):
            where = where & self._border(where)
        order, values = sorting.order_of(self._keys), sorting.values_of(self._keys)
        sql = (
            f"SELECT {documents.COLUMNS}, {values.text} FROM logs WHERE {where.text} ORDER BY {order.text}"
            f" LIMIT {self.size} OFFSET {self._from}"
        )
        rows = self._reader.rows(sql, where, order, values)
        self.last = self._position(rows) if rows else None
        return [self._hit(row[:-1], row[-1]) for row in rows]

    def _position(self, rows: Sequence[documents.Row]) -> Position:
        """Return where the next page begins: of lines that are the same in everything, some may be left."""
        ids = [documents.id_of(row) for row in rows]
        same = next((at for at, id_ in enumerate(reversed(ids)) if id_ != ids[-1]), len(ids))
        sort = sorting.shown(self._keys, rows[-1][:-1], rows[-1][-1])
        if same == len(ids) and self._before and self._before.sort == sort:
            same += self._before.same
        return Position(sort, same)

    def _border(self, where: Sql) -> Sql:
        """Return the condition of what is not behind the page's last line in time.

        Only times are read for it: an id is a hash of the whole line, and would be made of every line to be sorted.
        """
        is_down = sorting.is_down(self._keys)
        sql = (
            f"SELECT toUnixTimestamp64Nano(logs.ts) FROM logs WHERE {where.text}"
            f" ORDER BY logs.ts {'DESC' if is_down else 'ASC'} LIMIT 1 OFFSET {self._from + self.size - 1}"
        )
        found = self._reader.rows(sql, where)
        sign = ">=" if is_down else "<="
        border = f"logs.ts {sign} fromUnixTimestamp64Nano({{}}, 'UTC')"
        return self._reader.names.sql(border, ("Int64", int(found[0][0]))) if found else EVERYTHING

    def _hit(self, row: documents.Row, texts: list[str]) -> dict[str, Any]:
        document = documents.flat(row)
        hit: dict[str, Any] = {
            "_index": documents.index_of(row),
            "_id": documents.id_of(row),
            "_score": None if self._is_sorted else 1.0,
        }
        if wanted := self._source:
            hit["_source"] = documents.nested({name: value for name, value in document.items() if wanted(name)})
        if fields := documents.fields_of(row, document, self._fields):
            hit["fields"] = fields
        if self._is_sorted:
            hit["sort"] = sorting.shown(self._keys, row, texts)[: self._shown]
        return hit


def _or(value: object, usual: int) -> object:
    return usual if value is None else value
