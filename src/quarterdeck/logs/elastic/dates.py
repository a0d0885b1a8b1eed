"""Elasticsearch's dates: ISO 8601 with parts left out, Unix time, date math (`now-1h/d`), and formats to write them in.

See https://www.elastic.co/docs/reference/elasticsearch/rest-apis/common-options
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext as _

from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.elastic.bodies import unsupported

_CLOCK = r"(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d\d(?::?\d\d)?)?"
_ISO = re.compile(rf"(\d{{4}})(?:-(\d\d?)(?:-(\d\d?)(?:[T ]{_CLOCK})?)?)?")
_STEPS = re.compile(r"([+-])(\d{1,9})([yMwdhHms])|/([yMwdhHms])")
_MATH = re.compile(r"(now|[^|]+\|\|)((?:[+-]\d{1,9}[yMwdhHms]|/[yMwdhHms])*)")
_OFFSET = re.compile(r"([+-])(\d\d?):?(\d\d)?")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+\-/]{0,60}")
_NUMBER = re.compile(r"-?\d{1,17}(\.\d{1,9})?")
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "H": 3600, "m": 60, "s": 1}
_DAYS = ("strict_date", "date", "yyyy-MM-dd", "strict_year_month_day", "year_month_day")
_TIMES = (
    "strict_date_optional_time", "date_optional_time", "strict_date_optional_time_nanos", "iso8601", "strict_date_time",
    "date_time", "strict_date_time_no_millis", "date_time_no_millis", "strict_date_hour_minute_second",
    "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)  # fmt: skip
FORMATS = ("epoch_millis", "epoch_second", *_TIMES, *_DAYS)
# The years that are told apart here; what the table cannot hold is cut later.
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999


def zone_of(name: str) -> tzinfo:
    """Return the zone of `Europe/Berlin`, `+01:00` or `Z`. Raises BadQuery."""
    if name in ("Z", "UTC", "utc", "GMT", ""):
        return UTC
    if (found := _OFFSET.fullmatch(name)) and int(found[2]) < 19 and int(found[3] or 0) < 60:
        span = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        return timezone(span if found[1] == "+" else -span)
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        pass
    raise BadQuery(_('unknown time zone "%(name)s"') % {"name": name[:60]}, hint="Europe/Berlin, +01:00, Z")


def checked_format(text: str) -> list[str]:
    """Return the names of formats that are joined by `||`. Raises BadQuery for one that is not known."""
    names = text.split("||")
    for name in names:
        if name not in FORMATS:
            raise unsupported("format", name, FORMATS)
    return names


def moment_ms(value: object, *, up: bool = False, zone: tzinfo = UTC, form: str = "") -> int:
    """Return Unix time in milliseconds. `up`: parts left out, and what is rounded, are the last of their kind.

    Raises BadQuery.
    """
    names = checked_format(form) if form else []
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        text = str(int(value)) if isinstance(value, float) else str(value)
        if _NUMBER.fullmatch(text) and (
            isinstance(value, int | float) or len(text) > 4 or names[:1] == ["epoch_second"]
        ):
            found = float(text) * 1000 if names[:1] == ["epoch_second"] else float(text)
            return max(_FIRST_MS, min(int(found), _LAST_MS))
        return _ms(_written(text, up, zone), up)
    except (ValueError, OverflowError):
        raise BadQuery(
            _("failed to parse date field [%(text)s]") % {"text": str(value)[:60]},
            hint=_("a time such as %(examples)s") % {"examples": "2026-05-01T12:00:00Z, 1777636800000, now-1h/d"},
        ) from None


def _ms(at: datetime, up: bool) -> int:
    whole, rest = divmod((at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1), 1)
    return whole + rest


def _written(text: str, up: bool, zone: tzinfo) -> datetime:
    math = _MATH.fullmatch(text)
    if not math:
        return _iso(text, up, zone)
    at = now() if math[1] == "now" else _iso(math[1][:-2], False, zone)
    at = at.astimezone(zone)
    for sign, count, unit, rounded in _STEPS.findall(math[2]):
        if rounded:
            at = _floor(at, rounded)
            # The last millisecond of the unit.
            at = _added(at, 1, rounded) - timedelta(milliseconds=1) if up else at
        else:
            at = _added(at, int(sign + count), unit)
    return at


def _iso(text: str, up: bool, zone: tzinfo) -> datetime:
    found = _ISO.fullmatch(text)
    if not found:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    last = (23, 59, 59, "999") if up else (0, 0, 0, "0")
    micros = int(str(fraction or last[3]).ljust(6, "0")[:6])
    clock = [int(last[at]) if part is None else int(part) for at, part in enumerate((hour, minute, second))]
    day_ = datetime(int(year), int(month or 1), int(day or 1), tzinfo=zone_of(offset) if offset else zone)
    return day_.replace(hour=clock[0], minute=clock[1], second=clock[2], microsecond=micros)


def _added(at: datetime, count: int, unit: str) -> datetime:
    if unit in "yM":
        months = at.year * 12 + at.month - 1 + (count * 12 if unit == "y" else count)
        year, month = divmod(months, 12)
        first = at.replace(year=year, month=month + 1, day=1)
        following = at.replace(year=year + (month == 11), month=(month + 1) % 12 + 1, day=1) - timedelta(days=1)
        return first.replace(day=min(at.day, following.day))
    span = timedelta(seconds=count * _SECONDS[unit])
    # A day is one of the calendar, an hour one of the clock.
    return at + span if unit in "wd" else (at.astimezone(UTC) + span).astimezone(at.tzinfo)


def _floor(at: datetime, unit: str) -> datetime:
    at = at.replace(microsecond=0)
    if unit == "s":
        return at
    at = at.replace(second=0)
    if unit == "m":
        return at
    at = at.replace(minute=0)
    if unit in "hH":
        return at
    at = at.replace(hour=0)
    if unit == "w":
        return at - timedelta(days=at.weekday())
    return at if unit == "d" else at.replace(day=1) if unit == "M" else at.replace(day=1, month=1)


def stepped(at_ms: int, unit: str, zone: tzinfo, count: int = 1) -> int:
    """Return the start of the calendar unit that follows the one which starts at `at_ms`; `q` is a quarter."""
    at = datetime.fromtimestamp(at_ms / 1000, zone)
    after = _added(at, 3 * count, "M") if unit == "q" else _added(at, count, unit)
    return _ms(after, up=False)


def written(at_ms: float, form: str = "", zone: tzinfo = UTC) -> str:
    """Return a time as the first of the formats writes it, usually `2026-05-01T12:00:00.000Z`. Raises BadQuery."""
    name = checked_format(form)[0] if form else ""
    if name == "epoch_millis":
        return str(int(at_ms))
    if name == "epoch_second":
        return str(int(at_ms // 1000))
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(at_ms))
    at = at.astimezone(zone)
    if name in _DAYS:
        return at.date().isoformat()
    if name == "yyyy-MM-dd HH:mm:ss":
        return at.strftime("%Y-%m-%d %H:%M:%S")
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def written_ns(ts_ns: int) -> str:
    """Return a time in as many digits as it has: 3, 6 or 9."""
    seconds, rest = divmod(ts_ns, 1_000_000_000)
    digits = 3 if rest % 1_000_000 == 0 else 6 if rest % 1000 == 0 else 9
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{f'{rest:09d}'[:digits]}Z"
