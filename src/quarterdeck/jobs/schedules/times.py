"""When a schedule is due: by cron, every so often, or once; never at what its calendar excludes.

Cron follows Debian's in the nights when clocks change: a job at an hour that does not exist begins right after it, one
at an hour that comes twice begins once, and one of every hour (or minute) begins at each. See cron(8), and
https://github.com/cuu508/cronsim#cronsim
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext as _

from quarterdeck.core.durations import seconds_of
from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean
from quarterdeck.jobs.schedules import calendars
from quarterdeck.jobs.schedules.definitions import Plan

MIN_SECONDS, MAX_SECONDS = 10, 366 * 86400
# A calendar that excludes nearly everything is given up on after so many of its exclusions.
_MAX_EXCLUSIONS = 3000
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """One of `cron`, `every` and `once`. `anchor` is where the periods of `every` begin."""

    zone: ZoneInfo
    calendar: tuple[calendars.Span | calendars.Weekly, ...]
    cron: str = ""
    every: timedelta | None = None
    once: datetime | None = None
    anchor: datetime | None = None

    def after(self, at: datetime) -> datetime | None:
        """Return the first time after `at` at which it is due, None when there is none. In UTC, as `at` is aware."""
        try:
            return self._allowed_after(at)
        except (OverflowError, ValueError):
            # The search went beyond the last year that a `datetime` has.
            return None

    def _allowed_after(self, at: datetime) -> datetime | None:
        for _attempt in range(_MAX_EXCLUSIONS):
            found = self._after(at)
            if found is None:
                return None
            until = calendars.blocked_until(self.calendar, found.astimezone(self.zone).replace(tzinfo=None))
            if until is None:
                return found
            # Clocks may be set back while it is excluded.
            at = max(self._instant(until) - _INSTANT, found)
        return None

    def _instant(self, wall: datetime) -> datetime:
        """Return when the zone's clock shows `wall`, the first time of two; where it leaps over it, a time before."""
        return min(wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))

    def upcoming(self, at: datetime, count: int) -> list[datetime]:
        """Return the next times after `at`, in UTC."""
        return list(islice(self._all(at), count))

    def _all(self, at: datetime) -> Iterator[datetime]:
        found = self.after(at)
        while found is not None:
            yield found
            found = self.after(found)

    def _after(self, at: datetime) -> datetime | None:
        if self.once is not None:
            return self.once if self.once > at else None
        if self.every is not None and self.anchor is not None:
            periods = (at - self.anchor) // self.every + 1
            return self.anchor + max(periods, 1) * self.every
        try:
            # Years without a match (the 30th of February) end its search.
            return next(CronSim(self.cron, at.astimezone(self.zone))).astimezone(UTC)
        except StopIteration:
            return None


def rhythm_of(plan: Plan, anchor: datetime) -> Rhythm:
    """Raises BadInput that names the field."""
    given = [name for name in ("cron", "every", "at") if getattr(plan, name)]
    if len(given) != 1:
        raise BadInput(
            _("a schedule has one of cron, every and at"), hint="cron: '0 3 * * *', every: 15m, at: 2026-12-24T18:00",
            field=given[1] if given else "cron",
        )  # fmt: skip
    zone, calendar = zone_of(plan.time_zone), calendars.read(plan.not_on)
    if plan.cron:
        return Rhythm(zone, calendar, cron=_cron(plan.cron))
    if plan.every:
        return Rhythm(zone, calendar, every=_every(plan.every), anchor=anchor)
    return Rhythm(zone, calendar, once=_once(plan.at, zone))


@cache
def zones() -> tuple[str, ...]:
    """Return the names of all time zones; the files that they are in do not change while we run."""
    return tuple(sorted(available_timezones()))


def zone_of(name: str) -> ZoneInfo:
    """Raises BadInput with the near name."""
    if name not in zones():
        raise BadInput(
            _('there is no time zone "%(name)s"') % {"name": name[:60]},
            hint=did_you_mean(name, zones()) or "Europe/Berlin, Asia/Shanghai, UTC",
            field="time_zone",
        )
    return ZoneInfo(name)


def _cron(text: str) -> str:
    try:
        if len(text.split()) != 5:
            raise CronSimError("five fields: minute, hour, day of month, month, day of week")
        CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise BadInput(
            _('"%(text)s" is no cron expression: %(error)s') % {"text": text[:60], "error": error},
            hint=_("minute, hour, day of month, month, day of week: 30 3 * * mon-fri"),
            field="cron",
        ) from error
    return text


def _every(text: str) -> timedelta:
    try:
        seconds = seconds_of(text)
    except ValueError:
        seconds = 0
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise BadInput(
            _('"%(text)s" is no period') % {"text": text[:40]}, hint=_("from 10s to 366d: 30s, 15m, 6h, 1d"),
            field="every",
        )  # fmt: skip
    return timedelta(seconds=seconds)


def _once(text: str, zone: ZoneInfo) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(_('"%(text)s" is no time') % {"text": text[:40]}, hint="2026-12-24T18:00", field="at") from None
    if not calendars.FIRST_YEAR <= found.year <= calendars.LAST_YEAR:
        raise BadInput(
            _('"%(text)s" is too far away') % {"text": text[:40]},
            hint=_("years from %(first)d to %(last)d") % {"first": calendars.FIRST_YEAR, "last": calendars.LAST_YEAR},
            field="at",
        )
    if found.tzinfo is not None:
        return found.astimezone(UTC)
    # Of a time that comes twice the first is meant.
    at = found.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) != found:
        raise BadInput(
            _("there is no %(time)s in %(zone)s: clocks are put forward then") % {"time": text, "zone": zone.key},
            field="at",
        )
    return at
