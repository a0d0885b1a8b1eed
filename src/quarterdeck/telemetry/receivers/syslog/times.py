"""Times as syslog's senders write them."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_MONTHS = {name: at for at, name in enumerate(calendar.month_abbr) if name}
MONTH = "(?:[Jj]an|[Ff]eb|[Mm]ar|[Aa]pr|[Mm]ay|[Jj]un|[Jj]ul|[Aa]ug|[Ss]ep|[Oo]ct|[Nn]ov|[Dd]ec)"
# `Nov  6 18:00:00`, with what Cisco and others add: a year before or after, fractions, a zone.
BSD = re.compile(
    rf"({MONTH}) +(\d{{1,2}}) +(?:(\d{{4}}) +)?(\d\d):(\d\d):(\d\d)(?:[.,](\d{{1,9}}))?(?: (\d{{4}})\b)?(?: (UTC|GMT|Z)\b)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


_NS_MAX = (1 << 63) - 1


def nanoseconds(moment: datetime) -> int:
    """Return Unix time in ns, 0 for what 64 bits or the epoch cannot tell."""
    found = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    return found if 0 < found <= _NS_MAX else 0


def iso(text: str) -> int:
    """Return Unix time in ns of RFC 3339's text, 0 for what is none; without a zone it is this machine's."""
    # Lines of one second differ in the fraction alone: 2026-11-27T01:54:58.282061Z
    zone = text[20:].lstrip("0123456789")
    fraction = text[20 : len(text) - len(zone)]
    if not fraction or text[19] not in ".,":
        return _iso(text)
    whole = _iso(text[:19] + zone)
    found = whole + int(fraction[:9].ljust(9, "0"))
    return found if whole and found <= _NS_MAX else 0


@lru_cache(4096)
def _iso(text: str) -> int:
    try:
        return nanoseconds(datetime.fromisoformat(text).astimezone(UTC))
    except (ValueError, OverflowError, OSError):
        return 0


def bsd(match: re.Match[str], now: datetime) -> int:
    """Return Unix time in ns of what `BSD` found, 0 for no date. The year is the one that brings it nearest to `now`."""
    return _bsd(match.groups(), now.year, now.month)


@lru_cache(4096)
def _bsd(parts: tuple[str | None, ...], year: int, month_now: int) -> int:
    name, day, before, hour, minute, second, fraction, after, zone = parts
    month = _MONTHS[(name or "").capitalize()]
    given = before or after
    if given:
        year = int(given)
    elif month - month_now > 6:
        year -= 1
    elif month_now - month > 6:
        year += 1
    micros = int((fraction or "0").ljust(6, "0")[:6])
    try:
        # A leap second is the next one's begin.
        clock = (int(hour or 0), int(minute or 0), min(int(second or 0), 59), micros)
        utc = datetime(year, month, int(day or 0), *clock, tzinfo=UTC)
        return nanoseconds(utc if zone else utc.replace(tzinfo=None).astimezone(UTC))
    except (ValueError, OverflowError, OSError):
        return 0
