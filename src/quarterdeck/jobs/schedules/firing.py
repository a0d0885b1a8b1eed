"""Starting what is due. Any number of workers may do it: a time is handled in one transaction, by who moves it on.

That moves `next_run_at` by compare-and-set, writes down what became of the time, and makes the run, so that a crash at
any point leaves either all of it or nothing, and the time is due as before.
"""

from __future__ import annotations

import logging
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
from quarterdeck.jobs.schedules.definitions import read
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
    done = [_tried(schedule, at) for schedule in due]
    going = Firing.objects.filter(schedule=OuterRef("schedule"), run__isnull=False, run__ended_at=None)
    waiting = Firing.objects.filter(outcome=Outcome.WAITING).exclude(Exists(going))
    done += [_begin_waiting(firing) for firing in waiting.select_related("schedule").order_by("pk")[:_AT_ONCE]]
    return sum(done)


def _tried(schedule: Schedule, at: datetime) -> bool:
    """Handle one; when it cannot be, the others are all the same."""
    try:
        return fire(schedule, at)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("schedule %s cannot be handled", schedule.name)
        return False


def fire(schedule: Schedule, at: datetime) -> bool:
    """Handle the time at which a schedule is due; False when somebody else has."""
    due_at, plan = schedule.next_run_at, read(schedule.plan)
    if due_at is None:
        return False
    following = rhythm_of(plan, schedule.anchor_at).after(max(at, due_at))
    with transaction.atomic(), gathered():
        mine = Schedule.objects.filter(
            pk=schedule.pk, next_run_at=due_at, version=schedule.version, is_enabled=True
        ).update(next_run_at=following)
        if not mine:
            return False
        firing = Firing(schedule=schedule, due_at=due_at, at=at)
        if at - due_at > LATE and plan.missed == "skip":
            firing.outcome = Outcome.MISSED
        elif plan.overlap != "allow" and _is_going(schedule):
            waits = plan.overlap == "queue" and not _has_waiting(schedule)
            firing.outcome = Outcome.WAITING if waits else Outcome.SKIPPED
        else:
            _start(firing)
        firing.save()
    return True


def _is_going(schedule: Schedule) -> bool:
    return Firing.objects.filter(schedule=schedule, run__isnull=False, run__ended_at=None).exists()


def _has_waiting(schedule: Schedule) -> bool:
    return Firing.objects.filter(schedule=schedule, outcome=Outcome.WAITING).exists()


def _begin_waiting(firing: Firing) -> bool:
    with transaction.atomic(), gathered():
        # Whoever comes second waits here, and finds that it waits no longer.
        mine = Firing.objects.filter(pk=firing.pk, outcome=Outcome.WAITING).update(outcome=Outcome.STARTED)
        if mine:
            firing.at = now()
            _start(firing)
            firing.save()
    return bool(mine)


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
        except Exception:
            log.exception("schedule %s cannot start", schedule.name)
            firing.outcome, firing.error = Outcome.FAILED, _("an error of ours; the worker's log tells it")


def forget_old() -> int:
    """Delete what became of times before the output of runs is kept; return how many."""
    before = now() - timedelta(days=settings.QD["runs_retention_days"])
    deleted, _by_model = Firing.objects.filter(at__lt=before).delete()
    return deleted
