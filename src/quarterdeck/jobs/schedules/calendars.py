"""Days and hours at which nothing begins, in the words that people write them with.

2026-12-24                      a day
2026-12-24/2027-01-02           from one day to another, both included
sat,sun    mon-fri              days of the week
mon-fri 08:00-18:00             hours of them; of every day without its days: 08:00-18:00
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput

# No schedule looks further, and every instant of these years is a `datetime` in every zone.
FIRST_YEAR, LAST_YEAR = 2000, 2200
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKLY = re.compile(
    r"(?P<days>[a-z]{3}(?:[,-][a-z]{3})*)?(?:(?:^| +)(?P<first>\d\d:\d\d)-(?P<last>\d\d:\d\d))?", re.ASCII
)
_ALL = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Span:
    """Whole days, both included."""

    first: date
    last: date

    def end(self, at: datetime) -> datetime | None:
        if self.first <= at.date() <= self.last:
            return datetime.combine(self.last + timedelta(days=1), time())
        return None


@dataclass(frozen=True, slots=True)
class Weekly:
    """Hours of days of the week, Monday is 0; to the end of the day where `last` is midnight."""

    days: frozenset[int]
    first: time
    last: time

    def end(self, at: datetime) -> datetime | None:
        if at.weekday() not in self.days or at.time() < self.first:
            return None
        if self.last == time():
            return datetime.combine(at.date() + timedelta(days=1), time())
        return datetime.combine(at.date(), self.last) if at.time() < self.last else None


def read(texts: Iterable[str]) -> tuple[Span | Weekly, ...]:
    """Raises BadInput."""
    return tuple(_read(text.strip().lower()) for text in texts)


def blocked_until(calendar: Iterable[Span | Weekly], at: datetime) -> datetime | None:
    """Return when the exclusion that a time falls into ends, None when it falls into none. Both are wall-clock."""
    ends = [end for part in calendar if (end := part.end(at)) is not None]
    return max(ends, default=None)


def _read(text: str) -> Span | Weekly:
    try:
        found = _span(text) if text[:1].isdigit() and "-" in text[:5] else _weekly(text)
    except ValueError:
        found = None
    if found is None:
        raise BadInput(
            _('"%(text)s" is no day and no hours') % {"text": text[:60]},
            hint="2026-12-24, 2026-12-24/2027-01-02, sat,sun, mon-fri 08:00-18:00",
            field="not_on",
        )
    return found


def _span(text: str) -> Span | None:
    first, _slash, last = text.partition("/")
    span = Span(date.fromisoformat(first), date.fromisoformat(last or first))
    return span if date(FIRST_YEAR, 1, 1) <= span.first <= span.last <= date(LAST_YEAR, 12, 31) else None


def _weekly(text: str) -> Weekly | None:
    match = _WEEKLY.fullmatch(text)
    if match is None or not (match["days"] or match["first"]):
        return None
    first = time.fromisoformat(match["first"]) if match["first"] else time()
    last = time() if match["last"] in (None, "24:00", "00:00") else time.fromisoformat(match["last"])
    if last != time() and last <= first:
        return None
    return Weekly(_days(match["days"]) if match["days"] else _ALL, first, last)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, _dash, last = part.partition("-")
        start, end = DAYS.index(first), DAYS.index(last or first)
        # "sat-mon" goes over the end of the week.
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(found)
