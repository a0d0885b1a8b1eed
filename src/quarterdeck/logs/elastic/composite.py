"""`composite`: every combination of some keys, in their order, a page at a time.

See https://www.elastic.co/docs/reference/aggregations/search-aggregations-bucket-composite-aggregation
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.logs.elastic.bodies import (
    Body,
    a_number,
    a_scalar,
    a_text,
    a_truth,
    a_whole,
    an_object,
    as_text,
    clauses,
    expected,
    missing,
    one_of,
    unsupported,
)
from quarterdeck.logs.elastic.dates import moment_ms, zone_of
from quarterdeck.logs.elastic.histograms import Histogram, date_histogram_of, histogram_of
from quarterdeck.logs.elastic.keys import BUCKETS_MAX, Inside, Row, bucket
from quarterdeck.logs.elastic.reading import Reader
from quarterdeck.logs.elastic.top import top_of
from quarterdeck.telemetry.conditions import EVERYTHING, Sql, all_of, any_of

SOURCES_MAX = 10
_SIZE_USUAL = 10
_OWN = ("order", "missing_bucket")


@dataclass(frozen=True, slots=True)
class Source:
    """One part of the key. `write` makes what is shown of the engine's value, `read` the engine's value of `after`."""

    name: str
    key: Sql
    where: Sql
    is_down: bool
    kind: str
    write: Callable[[Any], Any]
    read: Callable[[object], Any]


@dataclass(frozen=True, slots=True)
class Composite:
    """The first `size` combinations behind `after`."""

    sources: Sequence[Source]
    where: Sql
    size: int

    def key_at(self, level: int) -> Sql:
        parameters = {name: value for one in self.sources for name, value in one.key.parameters.items()}
        return Sql(f"tuple({', '.join(one.key.text for one in self.sources)})", parameters)

    def order_by(self, key: str) -> str:
        """Return the SQL behind ORDER BY."""
        return ", ".join(f"{key}.{at} {'DESC' if one.is_down else 'ASC'}" for at, one in enumerate(self.sources, 1))

    def shape(self, rows: Sequence[Row], inside: Inside) -> dict[str, Any]:
        keys = [{one.name: one.write(value) for one, value in zip(self.sources, row.key, strict=True)} for row in rows]
        buckets = [bucket(row.key, row, inside, key=key) for key, row in zip(keys, rows, strict=True)]
        return {**({"after_key": keys[-1]} if keys else {}), "buckets": buckets}


def composite_of(body: object, reader: Reader) -> Composite:
    """Raises BadQuery."""
    asked = an_object(body, "composite", ("sources", "size", "after"))
    given = [
        one_of(one, "sources", an_object(one, "sources")) for one in clauses(asked.get("sources") or [], "sources")
    ]
    if not 0 < len(given) <= SOURCES_MAX or len({name for name, _source in given}) < len(given):
        raise expected("sources", _("1 to %(limit)d names, each once") % {"limit": SOURCES_MAX}, len(given))
    sources = [_source(name, source, reader) for name, source in given]
    size = a_whole(asked.get("size", _SIZE_USUAL), "size", 1, BUCKETS_MAX)
    behind = _behind(sources, asked["after"], reader) if asked.get("after") else EVERYTHING
    return Composite(sources, all_of([*(one.where for one in sources), behind]), size)


def _source(name: str, given: object, reader: Reader) -> Source:
    kind, body = one_of(given, name, ("terms", "date_histogram", "histogram"))
    asked = an_object(body, kind)
    way = str(asked.get("order") or "asc").lower()
    if way not in ("asc", "desc"):
        raise unsupported("order", way, ("asc", "desc"))
    rest = {one: value for one, value in asked.items() if one not in _OWN}
    has_missing = a_truth(asked.get("missing_bucket", False), "missing_bucket")
    if kind == "terms":
        return _of_terms(name, rest, reader, is_down=way == "desc", has_missing=has_missing)
    if has_missing:
        raise unsupported(kind, "missing_bucket")
    made = date_histogram_of(rest, reader) if kind == "date_histogram" else histogram_of(rest, reader)
    return _of_steps(name, rest, made, is_down=way == "desc", is_date=kind == "date_histogram")


def _of_terms(name: str, asked: Body, reader: Reader, *, is_down: bool, has_missing: bool) -> Source:
    """What is missing is an empty text in the engine, and null in the answer."""
    made = top_of(an_object(asked, "terms", ("field",)), reader)
    return Source(
        name,
        made.key,
        EVERYTHING if has_missing else made.where,
        is_down,
        "String",
        write=lambda value: value or None if has_missing else value,
        read=lambda value: "" if value is None and has_missing else as_text(a_scalar(value, "after")),
    )


def _of_steps(name: str, asked: Body, made: Histogram, *, is_down: bool, is_date: bool) -> Source:
    form = a_text(asked.get("format") or "", "format") if is_date else ""
    zone = zone_of(a_text(asked.get("time_zone") or "", "time_zone")) if is_date else None

    def read(value: object) -> int:
        if is_date:
            return moment_ms(value, zone=zone, form=form) if zone else moment_ms(value, form=form)
        width, offset = a_number(asked["interval"], "interval"), a_number(asked.get("offset") or 0, "offset")
        return round((a_number(value, "after") - offset) / width)

    def write(key: Any) -> Any:
        shown = made.head(key)
        return shown.get("key_as_string", shown["key"]) if form else shown["key"]

    return Source(name, made.key, made.where, is_down, "Int64", write, read)


def _behind(sources: Sequence[Source], given: object, reader: Reader) -> Sql:
    """Return the condition of the combinations behind `after`."""
    after = an_object(given, "after", [one.name for one in sources])
    parts: list[Sql] = []
    same: list[Sql] = []
    for one in sources:
        if one.name not in after:
            raise missing("after", one.name)
        value = (one.kind, one.read(after[one.name]))
        border = reader.names.sql("{}", value)
        parameters = {**one.key.parameters, **border.parameters}
        behind = Sql(f"({one.key.text}) {'<' if one.is_down else '>'} {border.text}", parameters)
        parts.append(all_of([*same, behind]))
        same.append(Sql(f"({one.key.text}) = {border.text}", parameters))
    return any_of(parts)
