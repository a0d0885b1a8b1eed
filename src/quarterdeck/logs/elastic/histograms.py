"""`date_histogram` and `histogram`: buckets of the same width, with those between that have no lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.logs.elastic.bodies import (
    Body,
    a_number,
    a_text,
    a_truth,
    a_whole,
    an_object,
    expected,
    missing,
    one_of,
    unsupported,
)
from quarterdeck.logs.elastic.dates import checked_format, moment_ms, stepped, written, zone_of
from quarterdeck.logs.elastic.keys import BUCKETS_MAX, Inside, Row, bucket, too_many
from quarterdeck.logs.elastic.reading import Reader
from quarterdeck.telemetry.conditions import EVERYTHING, Names, Sql

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_FIXED = re.compile(r"(\d{1,12})(ms|s|m|h|d)")
_OFFSET = re.compile(r"([+-]?)(\d{1,9})(ms|s|m|h|d)")
_CALENDAR = {
    **dict.fromkeys(("minute", "1m"), "m"), **dict.fromkeys(("hour", "1h"), "h"), **dict.fromkeys(("day", "1d"), "d"),
    **dict.fromkeys(("week", "1w"), "w"), **dict.fromkeys(("month", "1M"), "M"),
    **dict.fromkeys(("quarter", "1q"), "q"), **dict.fromkeys(("year", "1y"), "y"),
}  # fmt: skip
_STARTS = {
    "m": "toStartOfMinute({ts}, {tz})", "h": "toStartOfHour({ts}, {tz})", "d": "toStartOfDay({ts}, {tz})",
    "w": "toDateTime(toStartOfWeek({ts}, 1, {tz}), {tz})", "M": "toDateTime(toStartOfMonth({ts}, {tz}), {tz})",
    "q": "toDateTime(toStartOfQuarter({ts}, {tz}), {tz})", "y": "toDateTime(toStartOfYear({ts}, {tz}), {tz})",
}  # fmt: skip
_MOST_MS = 100 * 366 * 86_400_000


@dataclass(frozen=True, slots=True)
class Histogram:
    """`following` is the key after one; `bounds` the keys that are there in any case; `head` what a bucket says."""

    key: Sql
    where: Sql
    count_min: int
    following: Callable[[Any], Any]
    bounds: tuple[Any, Any] | None
    head: Callable[[Any], dict[str, Any]]
    order: tuple[str, bool]
    is_keyed: bool
    width: float

    def key_at(self, level: int) -> Sql:
        return self.key

    def shape(self, rows: Sequence[Row], inside: Inside) -> dict[str, Any]:
        found = {row.key: row for row in rows if row.count >= self.count_min}
        keys = sorted(found) if self.count_min else self._without_gaps(found)
        what, is_down = self.order
        if what == "_count":
            keys.sort(key=lambda key: found[key].count if key in found else 0, reverse=is_down)
        elif is_down:
            keys.reverse()
        made = [bucket(key, found.get(key), inside, **self.head(key)) for key in keys]
        if self.is_keyed:
            return {"buckets": {str(one.get("key_as_string", one["key"])): one for one in made}}
        return {"buckets": made}

    def _without_gaps(self, found: dict[Any, Row]) -> list[Any]:
        ends = [*found, *(self.bounds or ())]
        if not ends:
            return []
        last, keys = max(ends), [min(ends)]
        if (last - keys[0]) / self.width > BUCKETS_MAX * 2:
            raise too_many(int((last - keys[0]) / self.width))
        while (key := self.following(keys[-1])) <= last:
            keys.append(key)
            if len(keys) > BUCKETS_MAX:
                raise too_many(len(keys))
        return sorted({*keys, *found})


def _order(given: object) -> tuple[str, bool]:
    if not given:
        return "_key", False
    what, way = one_of(given, "order", ("_key", "_count", "_term"))
    if str(way).lower() not in ("asc", "desc"):
        raise unsupported("order", way, ("asc", "desc"))
    return "_key" if what == "_term" else what, str(way).lower() == "desc"


def date_histogram_of(body: object, reader: Reader) -> Histogram:
    """Raises BadQuery."""
    asked = an_object(
        body, "date_histogram",
        ("field", "fixed_interval", "calendar_interval", "interval", "time_zone", "min_doc_count", "extended_bounds",
         "format", "offset", "order", "keyed", "missing"),
    )  # fmt: skip
    if "field" not in asked:
        raise missing("date_histogram", "field")
    if reader.terms.field(asked["field"]).kind != "date":
        raise expected("date_histogram", "@timestamp", asked["field"])
    zone = zone_of(a_text(asked.get("time_zone") or "", "time_zone"))
    form = a_text(asked.get("format") or "", "format")
    if form:
        checked_format(form)
    steps = _steps(asked, zone)
    return Histogram(
        key=steps.key(reader.names),
        where=EVERYTHING,
        count_min=_count_min(asked),
        following=steps.following,
        bounds=_date_bounds(asked, steps, zone, form),
        head=lambda key: {"key_as_string": written(key, form, zone), "key": key},
        order=_order(asked.get("order")),
        is_keyed=a_truth(asked.get("keyed", False), "keyed"),
        width=steps.width_ms,
    )


def _count_min(asked: Body) -> int:
    return a_whole(asked.get("min_doc_count") or 0, "min_doc_count", 0, 2**31 - 1)


def _date_bounds(asked: Body, steps: _Steps, zone: tzinfo, form: str) -> tuple[int, int] | None:
    if not asked.get("extended_bounds"):
        return None
    given = an_object(asked["extended_bounds"], "extended_bounds", ("min", "max"))
    found = [steps.start(moment_ms(given[name], zone=zone, form=form)) for name in ("min", "max") if name in given]
    return (found[0], found[-1]) if found else None


@dataclass(frozen=True, slots=True)
class _Steps:
    """Where buckets of time begin: every `fixed_ms`, or with each calendar `unit`, moved by `offset_ms`."""

    zone: tzinfo
    offset_ms: int
    fixed_ms: int = 0
    unit: str = ""

    @property
    def width_ms(self) -> int:
        days = {"m": 1 / 1440, "h": 1 / 24, "d": 1, "w": 7, "M": 28, "q": 90, "y": 365}
        return self.fixed_ms or int(days[self.unit] * 86_400_000)

    def key(self, names: Names) -> Sql:
        """Return SQL of the time, in Unix milliseconds, at which a line's bucket begins."""
        zone = names.sql("{}", ("String", _engine_name(self.zone)))
        if self.unit:
            ts = f"logs.ts - toIntervalMillisecond({self.offset_ms})"
            start = _STARTS[self.unit].replace("{ts}", ts).replace("{tz}", zone.text)
            return Sql(f"toInt64(toUnixTimestamp({start})) * 1000 + {self.offset_ms}", zone.parameters)
        fixed = _fixed_ms(self.zone)
        shift = str(fixed) if fixed is not None else f"timeZoneOffset(toTimeZone(logs.ts, {zone.text})) * 1000"
        local = f"toUnixTimestamp64Milli(logs.ts) + ({shift}) - ({self.offset_ms})"
        step = f"toInt64({self.fixed_ms})"
        text = f"toInt64(floor(({local}) / {step})) * {step} + ({self.offset_ms}) - ({shift})"
        return Sql(text, zone.parameters if fixed is None else {})

    def start(self, ms: int) -> int:
        """Return when the bucket begins that a time belongs to."""
        if self.unit:
            unit = {"q": "M"}.get(self.unit, self.unit)
            at = datetime.fromtimestamp((ms - self.offset_ms) / 1000, UTC).isoformat()
            found = moment_ms(f"{at}||/{unit}", zone=self.zone)
            if self.unit == "q":
                month = datetime.fromtimestamp(found / 1000, self.zone).month
                found = stepped(found, "M", self.zone, -((month - 1) % 3))
            return found + self.offset_ms
        shift = self._shift(ms)
        local = ms + shift - self.offset_ms
        return local // self.fixed_ms * self.fixed_ms + self.offset_ms - shift

    def _shift(self, ms: int) -> int:
        fixed = _fixed_ms(self.zone)
        if fixed is not None:
            return fixed
        at = datetime.fromtimestamp(ms / 1000, self.zone).utcoffset() or timedelta()
        return at // timedelta(milliseconds=1)

    def following(self, key: int) -> int:
        if self.unit:
            return stepped(key - self.offset_ms, self.unit, self.zone) + self.offset_ms
        after = key + self.fixed_ms
        # Where the clocks are changed, a bucket is longer or shorter by what they are changed by.
        moved = after + self._shift(key) - self._shift(after)
        return moved if moved > key else after


def _engine_name(zone: tzinfo) -> str:
    fixed = _fixed_ms(zone)
    if fixed is None:
        return str(zone)
    minutes = abs(fixed) // 60_000
    return f"Fixed/UTC{'-' if fixed < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}:00" if fixed else "UTC"


def _fixed_ms(zone: tzinfo) -> int | None:
    """Return how far a zone is from UTC if that is always the same."""
    span = zone.utcoffset(None)
    return None if span is None else span // timedelta(milliseconds=1)


def _steps(asked: Body, zone: tzinfo) -> _Steps:
    given = [name for name in ("fixed_interval", "calendar_interval", "interval") if asked.get(name) is not None]
    if len(given) != 1:
        raise missing("date_histogram", "fixed_interval|calendar_interval")
    text = a_text(asked[given[0]], given[0])
    offset = _offset_ms(asked.get("offset"))
    fixed = _FIXED.fullmatch(text)
    if text in _CALENDAR and given[0] != "fixed_interval" and not (fixed and given[0] == "interval"):
        return _Steps(zone, offset, unit=_CALENDAR[text])
    if not fixed or given[0] == "calendar_interval" or not 0 < int(fixed[1]) * _UNITS_MS[fixed[2]] < _MOST_MS:
        allowed = ", ".join(_CALENDAR) if given[0] == "calendar_interval" else "500ms, 10s, 5m, 1h, 7d"
        raise expected(given[0], allowed, text)
    return _Steps(zone, offset, fixed_ms=int(fixed[1]) * _UNITS_MS[fixed[2]])


def _offset_ms(given: object) -> int:
    if given in (None, "", 0):
        return 0
    found = _OFFSET.fullmatch(str(given))
    if not found or int(found[2]) * _UNITS_MS[found[3]] > _MOST_MS:
        raise expected("offset", "+6h, -1d", given)
    return int(found[1] + found[2]) * _UNITS_MS[found[3]]


def histogram_of(body: object, reader: Reader) -> Histogram:
    """Raises BadQuery."""
    asked = an_object(
        body, "histogram",
        ("field", "interval", "min_doc_count", "extended_bounds", "offset", "order", "keyed", "missing", "format"),
    )  # fmt: skip
    if "field" not in asked or "interval" not in asked:
        raise missing("histogram", "interval" if "field" in asked else "field")
    width, offset = a_number(asked["interval"], "interval"), a_number(asked.get("offset") or 0, "offset")
    if width <= 0:
        raise expected("interval", _("a number above 0"), asked["interval"])
    number, steps = _number_steps(asked, reader, width, offset)
    bounds = None
    if asked.get("extended_bounds"):
        given = an_object(asked["extended_bounds"], "extended_bounds", ("min", "max"))
        ends = [int((a_number(given[name], name) - offset) // width) for name in ("min", "max") if name in given]
        bounds = (ends[0], ends[-1]) if ends else None
    return Histogram(
        key=steps,
        where=Sql(f"isNotNull({number.text}) AND abs({number.text} / {width!r}) < 9e15", number.parameters),
        count_min=_count_min(asked),
        following=lambda key: key + 1,
        bounds=bounds,
        head=lambda key: {"key": key * width + offset},
        order=_order(asked.get("order")),
        is_keyed=a_truth(asked.get("keyed", False), "keyed"),
        width=1,
    )


def _number_steps(asked: Body, reader: Reader, width: float, offset: float) -> tuple[Sql, Sql]:
    """Return SQL of the number, and of the count of whole steps in it."""
    number = reader.terms.field(asked["field"]).number
    if asked.get("missing") is not None:
        usual = reader.names.sql("{}", ("Float64", a_number(asked["missing"], "missing")))
        number = Sql(f"ifNull({number.text}, {usual.text})", {**number.parameters, **usual.parameters})
    steps = f"toInt64(floor((assumeNotNull({number.text}) - ({offset!r})) / {width!r}))"
    return number, Sql(steps, number.parameters)
