"""Starting what is due. Any number of workers may do it: a time is handled in one transaction, by who moves it on.

That moves `next_run_at` by compare-and-set, writes down what became of the time, and makes the run, so that a crash at
any point leaves either all of it or nothing, and the time is due as before.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models import Exists, OuterRef
from django.utils import translation
from django.utils.translation import gettext as _

from quarterdeck.audit.appending import gathered
from quarterdeck.core.clock import now
from quarterdeck.core.errors import OpsError
from quarterdeck.jobs.schedules.definitions import Plan, read
from quarterdeck.jobs.schedules.models import Firing, Outcome, Schedule
from quarterdeck.jobs.schedules.starting import owner_of, start
from quarterdeck.jobs.schedules.times import rhythm_of

# Later than this it counts as missed: nobody was there at its time.
LATE = timedelta(seconds=60)
_AT_ONCE = 100
_POLL_SECONDS = 0.25
_TROUBLE_SECONDS = 5.0
log = logging.getLogger(__name__)


def run_forever(stop: Event) -> None:
    """Start what is due, until `stop` is set. One that looks four times a second also sees what others changed."""
    while not stop.is_set():
        try:
            pause = 0.0 if fire_due() >= _AT_ONCE else _POLL_SECONDS
        except Exception:
            # The database is away, or it is a bug of ours: what is due stays due.
            log.exception("schedules cannot be looked at")
            connections.close_all()
            pause = _TROUBLE_SECONDS
        stop.wait(pause)


def fire_due() -> int:
    """Handle what is due now, and what waited for a run that has ended; return how many times that were."""
    at = now()
    due = list(Schedule.objects.filter(next_run_at__lte=at).order_by("next_run_at")[:_AT_ONCE])
    done = [fire(schedule, at) for schedule in due]
    going = Firing.objects.filter(schedule=OuterRef("schedule"), run__isnull=False, run__ended_at=None)
    waiting = Firing.objects.filter(outcome=Outcome.WAITING).exclude(Exists(going))
    done += [_begin_waiting(firing) for firing in waiting.select_related("schedule").order_by("pk")[:_AT_ONCE]]
    return sum(done)


def fire(schedule: Schedule, at: datetime) -> bool:
    """Handle the time at which a schedule is due; False when it has been already.

    What cannot be handled has failed, and is not tried again: the others are due as well.
    """
    due_at, following = schedule.next_run_at, None
    if due_at is None:
        return False
    firing = Firing(schedule=schedule, due_at=due_at, at=at)
    try:
        plan = read(schedule.plan)
        following = rhythm_of(plan, schedule.anchor_at).after(max(at, due_at))
        with _moved_on(firing, following) as is_mine:
            if is_mine:
                _handle(firing, plan)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("schedule %s cannot be handled", schedule.name)
        failed = Firing(schedule=schedule, due_at=due_at, at=at, outcome=Outcome.FAILED, error=_fault(schedule, error))
        with _moved_on(failed, following) as is_mine:
            if is_mine:
                failed.save()
    return is_mine


@contextmanager
def _moved_on(firing: Firing, following: datetime | None) -> Iterator[bool]:
    """A transaction in which a schedule's next time is another; gives whether the firing is left to be handled.

    A clock that is behind another, or was set back, makes a time due that has been: there is nothing left of it to do.
    """
    schedule = firing.schedule
    with transaction.atomic(), gathered():
        is_mine = Schedule.objects.filter(
            pk=schedule.pk, next_run_at=firing.due_at, version=schedule.version, is_enabled=True
        ).update(next_run_at=following)
        yield bool(is_mine) and not Firing.objects.filter(schedule=schedule, due_at=firing.due_at).exists()


def _handle(firing: Firing, plan: Plan) -> None:
    if firing.at - firing.due_at > LATE and plan.missed == "skip":
        firing.outcome = Outcome.MISSED
    elif plan.overlap != "allow" and _is_going(firing.schedule):
        waits = plan.overlap == "queue" and not _has_waiting(firing.schedule)
        firing.outcome = Outcome.WAITING if waits else Outcome.SKIPPED
    else:
        _start(firing)
    firing.save()


def _is_going(schedule: Schedule) -> bool:
    return Firing.objects.filter(schedule=schedule, run__isnull=False, run__ended_at=None).exists()


def _has_waiting(schedule: Schedule) -> bool:
    return Firing.objects.filter(schedule=schedule, outcome=Outcome.WAITING).exists()


def _begin_waiting(firing: Firing) -> bool:
    with transaction.atomic(), gathered():
        # Whoever comes second waits here, and finds that it waits no longer.
        schedule = Schedule.objects.select_for_update().filter(pk=firing.schedule_id).first()
        waits = Firing.objects.filter(pk=firing.pk, outcome=Outcome.WAITING).exists()
        if schedule is None or not waits or _is_going(schedule):
            return False
        firing.schedule, firing.at, firing.outcome = schedule, now(), Outcome.SKIPPED
        if schedule.is_enabled:
            _start(firing)
        firing.save()
    return True


def _start(firing: Firing) -> None:
    """Start the run of a firing, or write down why it could not be."""
    schedule = firing.schedule
    with translation.override(schedule.language or settings.LANGUAGE_CODE):
        try:
            firing.run = start(owner_of(schedule), schedule, read(schedule.plan))
            firing.outcome = Outcome.STARTED
        except OpsError as error:
            firing.outcome, firing.error = Outcome.FAILED, f"{error.message} {error.hint}".strip()[:1000]
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            log.exception("schedule %s cannot start", schedule.name)
            firing.outcome, firing.error = Outcome.FAILED, _fault(schedule, error)


def _fault(schedule: Schedule, error: Exception) -> str:
    with translation.override(schedule.language or settings.LANGUAGE_CODE):
        return _("an error of ours (%(error)s); the worker's log tells it") % {"error": type(error).__name__}


def forget_old() -> int:
    """Delete what became of times before the output of runs is kept; return how many."""
    before = now() - timedelta(days=settings.QD["runs_retention_days"])
    deleted, _by_model = Firing.objects.filter(at__lt=before).delete()
    return deleted
