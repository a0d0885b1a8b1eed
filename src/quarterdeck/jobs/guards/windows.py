"""Windows of the week, one on a line: "Mon-Fri 22:00-06:00", "Sat,Sun", "Daily 12:00-13:00".

A window that ends before it begins ends on the next day. Times are those of the rule's time zone, as its clocks show
them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LINE = re.compile(r"([A-Za-z]+(?:[-,][A-Za-z]+)*)(?:\s+(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2}))?")
_DAY_MINUTES = 24 * 60
MAX_WINDOWS = 50


@dataclass(frozen=True, slots=True)
class Window:
    """Days (0 is Monday), and from which minute of the day until before which one; `until` may be past midnight."""

    days: frozenset[int]
    start: int = 0
    until: int = _DAY_MINUTES

    def has(self, at: datetime) -> bool:
        minute = at.hour * 60 + at.minute
        today, yesterday = at.weekday(), (at.weekday() - 1) % 7
        return (today in self.days and self.start <= minute < self.until) or (
            yesterday in self.days and minute < self.until - _DAY_MINUTES
        )


def is_inside(windows: list[Window], at: datetime, zone: str) -> bool:
    """Whether a moment is in one of the windows."""
    there = at.astimezone(ZoneInfo(zone))
    return any(window.has(there) for window in windows)


def windows_of(text: str) -> list[Window]:
    """Return the windows of a rule's lines. Raises BadInput."""
    found = [_window(line.strip()) for line in text.splitlines() if line.strip()]
    if len(found) > MAX_WINDOWS:
        raise BadInput(_("more than %(most)d windows in one rule") % {"most": MAX_WINDOWS}, field="windows")
    return found


def _window(line: str) -> Window:
    match = _LINE.fullmatch(line)
    days = _days(match[1].lower()) if match else None
    if match is None or days is None:
        raise _wrong(line)
    if match[2] is None:
        return Window(days)
    start, until = _minute(match[2], match[3]), _minute(match[4], match[5])
    if start is None or until is None or start in (until, _DAY_MINUTES):
        raise _wrong(line)
    return Window(days, start, until if until > start else until + _DAY_MINUTES)


def _days(text: str) -> frozenset[int] | None:
    if text in ("daily", "every"):
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        numbers = [next((n for n, day in enumerate(_DAYS) if name[:3] == day), None) for name in (first, last or first)]
        if numbers[0] is None or numbers[1] is None or (dash and not last):
            return None
        length = (numbers[1] - numbers[0]) % 7
        found.update((numbers[0] + step) % 7 for step in range(length + 1))
    return frozenset(found)


def _minute(hours: str, minutes: str) -> int | None:
    minute = int(hours) * 60 + int(minutes)
    return minute if int(minutes) < 60 and minute <= _DAY_MINUTES else None


def _wrong(line: str) -> BadInput:
    return BadInput(
        _('"%(line)s" is no window of the week') % {"line": line[:60]}, hint="Mon-Fri 22:00-06:00", field="windows"
    )
