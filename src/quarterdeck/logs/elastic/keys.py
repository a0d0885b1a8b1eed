"""What lines are put together by: each kind of bucket aggregation gives a line its keys, and writes its buckets.

See https://www.elastic.co/docs/reference/aggregations/bucket
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.utils.translation import gettext as _

from quarterdeck.logs.elastic.bodies import (
    Body,
    TooManyBuckets,
    a_number,
    a_scalar,
    a_text,
    a_truth,
    an_object,
    as_text,
    clauses,
    expected,
    missing,
)
from quarterdeck.logs.elastic.dates import moment_ms, written, zone_of
from quarterdeck.logs.elastic.names import Field
from quarterdeck.logs.elastic.reading import Reader
from quarterdeck.telemetry.conditions import EVERYTHING, Sql

# As Elasticsearch's search.max_buckets.
BUCKETS_MAX = 65_536
_CONDITIONS_MAX = 200


@dataclass(frozen=True, slots=True)
class Row:
    """A bucket as the engine counted it. `total`: the lines of all buckets beside it; `hash` tells terms apart."""

    key: Any
    count: int
    values: Sequence[Any]
    total: int = 0
    hash: int = 0


# Makes what stands inside a bucket: of its key, and of its row or of None when it has no lines.
Inside = Callable[[Any, Row | None], dict[str, Any]]


class Keys(Protocol):
    """A kind of bucket. `where` limits the lines; `key_at` is SQL of a line's key on a level of the tree."""

    @property
    def where(self) -> Sql: ...

    def key_at(self, level: int) -> Sql: ...

    def shape(self, rows: Sequence[Row], inside: Inside) -> dict[str, Any]: ...


def too_many(found: int) -> TooManyBuckets:
    return TooManyBuckets(
        _("Trying to create too many buckets. Must be less than or equal to: [%(max)d] but was [%(found)d]")
        % {"max": BUCKETS_MAX, "found": found},
        hint=_("choose a longer interval, or ask for less"),
    )


def bucket(key: Any, row: Row | None, inside: Inside, /, **more: Any) -> dict[str, Any]:
    return {**more, "doc_count": row.count if row else 0, **inside(key, row)}


def _joined(parts: Sequence[Sql], level: int) -> Sql:
    """SQL: the numbers of those conditions that hold for a line, which is counted once for each.

    The last number keeps the same conditions on two levels apart: the engine would walk through them in step.
    """
    tests = ", ".join([*(f"if({part.text}, {at}, -1)" for at, part in enumerate(parts)), f"{-2 - level}"])
    parameters = {name: value for part in parts for name, value in part.parameters.items()}
    return Sql(f"arrayJoin(arrayFilter(x -> x >= 0, [{tests}]))", parameters)


@dataclass(frozen=True, slots=True)
class Filter:
    """`filter` and `missing`: one bucket."""

    where: Sql

    def key_at(self, level: int) -> Sql:
        return Sql("toUInt8(0)")

    def shape(self, rows: Sequence[Row], inside: Inside) -> dict[str, Any]:
        return bucket(0, rows[0] if rows else None, inside)


@dataclass(frozen=True, slots=True)
class Conditions:
    """`filters`, `range` and `date_range`: a bucket for each condition. `heads` are what each bucket says of itself."""

    conditions: Sequence[Sql]
    names: Sequence[str]
    heads: Sequence[dict[str, Any]]
    is_keyed: bool
    where: Sql = EVERYTHING

    def key_at(self, level: int) -> Sql:
        return _joined(self.conditions, level)

    def shape(self, rows: Sequence[Row], inside: Inside) -> dict[str, Any]:
        found = {row.key: row for row in rows}
        made = [bucket(at, found.get(at), inside, **head) for at, head in enumerate(self.heads)]
        if not self.is_keyed:
            return {"buckets": made}
        for one in made:
            one.pop("key", None)
        return {"buckets": dict(zip(self.names, made, strict=True))}


def filter_of(body: object, reader: Reader) -> Filter:
    return Filter(reader.condition(body))


def missing_of(body: object, reader: Reader) -> Filter:
    return Filter(~_field(an_object(body, "missing", ("field",)), "missing", reader).exists)


def filters_of(body: object, reader: Reader) -> Conditions:
    asked = an_object(body, "filters", ("filters", "other_bucket", "other_bucket_key", "keyed"))
    given = asked.get("filters")
    is_named = isinstance(given, dict)
    named = dict(given) if isinstance(given, dict) else dict(enumerate(clauses(given, "filters")))
    if not named or len(named) > _CONDITIONS_MAX:
        raise expected("filters", _("1 to %(limit)d filters") % {"limit": _CONDITIONS_MAX}, len(named))
    conditions = [reader.condition(one) for one in named.values()]
    names = [str(name) for name in named]
    if "other_bucket_key" in asked or a_truth(asked.get("other_bucket", False), "other_bucket"):
        rest = EVERYTHING
        for one in conditions:
            rest = rest & ~one
        conditions.append(rest)
        names.append(a_text(asked.get("other_bucket_key", "_other_"), "other_bucket_key"))
    return Conditions(conditions, names, [{} for _name in names], is_named)


def range_of(body: object, reader: Reader) -> Conditions:
    asked = an_object(body, "range", ("field", "ranges", "keyed", "missing"))
    number = _field(asked, "range", reader).number
    if asked.get("missing") is not None:
        usual = reader.names.sql("{}", ("Float64", a_number(asked["missing"], "missing")))
        number = Sql(f"ifNull({number.text}, {usual.text})", {**number.parameters, **usual.parameters})
    return _ranges(asked, "range", lambda value, _up: a_number(value, "range"), number, reader)


def date_range_of(body: object, reader: Reader) -> Conditions:
    asked = an_object(body, "date_range", ("field", "ranges", "keyed", "format", "time_zone"))
    field = _time(asked, "date_range", reader)
    form = a_text(asked.get("format") or "", "format")
    zone = zone_of(a_text(asked.get("time_zone") or "", "time_zone"))
    return _ranges(
        asked, "date_range", lambda value, _up: float(moment_ms(value, zone=zone, form=form)), field.number, reader,
        lambda ms: written(ms, form, zone),
    )  # fmt: skip


def _ranges(
    asked: Body, place: str, read: Callable[[object, bool], float], number: Sql, reader: Reader,
    write: Callable[[float], str] = str,
) -> Conditions:  # fmt: skip
    given = clauses(asked.get("ranges"), "ranges")
    if not given or len(given) > _CONDITIONS_MAX:
        raise expected("ranges", _("1 to %(limit)d ranges") % {"limit": _CONDITIONS_MAX}, len(given))
    conditions, names, heads = [], [], []
    for one in given:
        ends = an_object(one, place, ("from", "to", "key"))
        sides = {name: read(ends[name], False) for name in ("from", "to") if ends.get(name) is not None}
        condition = Sql(f"isNotNull({number.text})", number.parameters)
        for name, sign in (("from", ">="), ("to", "<")):
            if name in sides:
                border = reader.names.sql("{}", ("Float64", sides[name]))
                test = Sql(f"ifNull({number.text} {sign} {border.text}, 0)", {**number.parameters, **border.parameters})
                condition = condition & test
        usual = "-".join(write(sides[name]) if name in sides else "*" for name in ("from", "to"))
        names.append(as_text(a_scalar(ends.get("key", usual), "key")))
        texts = {f"{name}_as_string": write(value) for name, value in sides.items()} if write is not str else {}
        heads.append({"key": names[-1], **sides, **texts})
        conditions.append(condition)
    return Conditions(conditions, names, heads, a_truth(asked.get("keyed", False), "keyed"))


def _field(asked: Body, place: str, reader: Reader) -> Field:
    if "field" not in asked:
        raise missing(place, "field")
    return reader.terms.field(asked["field"])


def _time(asked: Body, place: str, reader: Reader) -> Field:
    found = reader.terms.field(asked.get("field", "@timestamp"))
    if found.kind != "date":
        raise expected(place, "@timestamp", found.name)
    return found
