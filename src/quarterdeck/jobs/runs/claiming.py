"""Who works on what: shards are claimed by compare-and-set, and the run goes on when a batch is done.

Messages say only that there may be work; the records say whether there is. So one that comes twice finds the shard
taken, and one that is lost is sent again by `sweep`. A host's part that began is never begun again: of a worker that
died nobody knows how far it came, so such a host is told as not known, unless the work may be repeated.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_noop

from quarterdeck.core.clock import now
from quarterdeck.core.later import later
from quarterdeck.jobs.runs.ending import end_run
from quarterdeck.jobs.runs.models import ACTIVE, BAD, HostStatus, Run, RunHost, RunState, Shard

# After a worker's death the numbers of its last blocks may be taken without being on record.
_BLOCKS_APART = 10_000
QUEUE = "runs"
T = TypeVar("T")
log = logging.getLogger(__name__)


def announce(shards: Iterable[Shard]) -> None:
    """Queue shards for workers, after the commit."""
    found = list(shards)
    Shard.objects.filter(pk__in=[shard.pk for shard in found]).update(queued_at=now())
    for shard in found:
        # One that cannot be sent now is sent by the sweeper.
        later("jobs.work_shard", shard.pk, queue=QUEUE, is_sent_again=True)


@transaction.atomic
def claim(shard_id: int, worker: str) -> Shard | None:
    """Take a shard that waits; None when it does not, or when its run is not at it now."""
    # Always the run's row first, then its shards': whoever cancels or ends it holds the same.
    run = Run.objects.select_for_update(of=("self",)).filter(shards=shard_id).first()
    if run is None or run.state not in (RunState.QUEUED, RunState.RUNNING):
        return None
    at = now()
    waiting = Shard.objects.filter(pk=shard_id, is_done=False, claimed_by="", batch=run.batch)
    if not waiting.update(claimed_by=worker, beat_at=at):
        return None
    if run.state == RunState.QUEUED:
        run.state, run.started_at = RunState.RUNNING, run.started_at or at
        run.save(update_fields=["state", "started_at"])
    shard = Shard.objects.get(pk=shard_id)
    shard.run = run
    return shard


@transaction.atomic
def release(shard_id: int, worker: str) -> None:
    """Let a shard go: done when no host of it waits, else it waits for the next worker.

    A host that still runs by then is one of which the worker itself does not know how it ended.
    """
    run = Run.objects.select_for_update(of=("self",)).filter(shards=shard_id).first()
    shard = Shard.objects.select_for_update().filter(pk=shard_id, claimed_by=worker).first()
    if run is None or shard is None:
        return
    shard.claimed_by, shard.beat_at = "", None
    shard.save(update_fields=["claimed_by", "beat_at"])
    begun = RunHost.objects.filter(shard=shard, status=HostStatus.RUNNING)
    if begun.update(status=HostStatus.LOST, error_code="worker_failed", block=shard.blocks + 1):
        shard.blocks += 1
        shard.save(update_fields=["blocks"])
        recount(shard)
    advance(run.pk)
    # The worker stops; or the run was paused, and resumed before this worker let go.
    if Run.objects.filter(pk=run.pk, state__in=(RunState.QUEUED, RunState.RUNNING)).exists():
        announce(Shard.objects.filter(pk=shard_id, is_done=False))


@transaction.atomic
def advance(run_id: int) -> None:
    """Do what is due: mark shards that are done, begin the next batch, or end the run. May be called at any time."""
    run = Run.objects.select_for_update().get(pk=run_id)
    if run.is_ended or run.state == RunState.APPROVAL:
        return
    free = list(run.shards.filter(is_done=False, claimed_by=""))
    if run.state in (RunState.CANCELLING, RunState.STOPPING):
        _skip(run, free)
    _mark_done(free)
    left = run.shards.filter(is_done=False)
    if run.state in (RunState.CANCELLING, RunState.STOPPING):
        if not left.exists():
            end_run(run)
    elif not left.filter(batch=run.batch).exists():
        _next_batch(run)


def refuse(run: Run) -> None:
    """End a run that nobody approved: it begins nowhere."""
    shards = list(run.shards.filter(is_done=False))
    _skip(run, shards)
    _mark_done(shards)
    end_run(run)


def _mark_done(shards: Sequence[Shard]) -> None:
    """Mark those that have no host left to begin or to end."""
    open_ = (HostStatus.WAITING, HostStatus.RUNNING)
    busy = set(RunHost.objects.filter(shard__in=shards, status__in=open_).values_list("shard_id", flat=True))
    Shard.objects.filter(pk__in=[shard.pk for shard in shards if shard.pk not in busy]).update(is_done=True)


def _skip(run: Run, shards: Sequence[Shard]) -> None:
    """What has not begun in these shards does not begin any more."""
    waiting = RunHost.objects.filter(shard__in=shards, status=HostStatus.WAITING)
    waiting.update(status=HostStatus.SKIPPED)
    for shard in shards:
        recount(shard)


def recount(shard: Shard) -> None:
    """Write down how the shard's hosts stand, from their own records."""
    rows = shard.hosts.order_by().values_list("status", flat=True)
    shard.counts = dict(Counter(rows))
    shard.save(update_fields=["counts"])


def _next_batch(run: Run) -> None:
    if exceeds(run, run.batch):
        Run.objects.filter(pk=run.pk).update(state=RunState.STOPPING)
        run.state = RunState.STOPPING
        _skip(run, list(run.shards.filter(is_done=False)))
        _mark_done(list(run.shards.filter(is_done=False)))
        end_run(run)
    elif run.batch + 1 >= len(run.batches):
        end_run(run)
    else:
        run.batch += 1
        if run.batch == 1 and run.pauses_after_first:
            run.state = RunState.PAUSED
            run.note = gettext_noop("The first batch is done; the rest waits for your word.")
        run.save(update_fields=["batch", "state", "note"])
        if run.state in (RunState.QUEUED, RunState.RUNNING):
            announce(run.shards.filter(batch=run.batch))


def exceeds(run: Run, batch: int) -> bool:
    """Whether more hosts of a batch have failed than the run bears.

    As Ansible's max_fail_percentage: the percentage must be exceeded, not only reached.
    """
    if not run.max_fail:
        return False
    counts = [shard.counts for shard in run.shards.filter(batch=batch).only("counts")]
    bad = sum(one.get(status, 0) for one in counts for status in BAD)
    number, percent, _rest = run.max_fail.partition("%")
    limit = float(run.batches[batch]) * float(number) / 100 if percent else float(number)
    return bool(bad > limit)


def stop_when_exceeded(run: Run) -> bool:
    """Let nothing more of the run begin when too much of its batch has failed. Whether that is so."""
    if not exceeds(run, run.batch):
        return False
    Run.objects.filter(pk=run.pk, state=RunState.RUNNING).update(state=RunState.STOPPING)
    return True


def sweep() -> int:
    """Find what dead workers and lost messages left, and let it go on. Return how many shards that were."""
    # A worker gives a sign of life every two seconds.
    patience = timedelta(seconds=settings.QD["worker_dead_seconds"])
    dead = Shard.objects.filter(is_done=False, beat_at__lt=now() - patience)
    found = [_tried(_take_from_dead, shard) for shard in dead.exclude(claimed_by="")]
    # Its message may be lost; one that comes twice is no matter.
    before = now() - 1.5 * patience
    unclaimed = Shard.objects.filter(is_done=False, claimed_by="", run__state__in=ACTIVE, queued_at__lt=before)
    found.extend(_tried(_go_on, run_id) for run_id in set(unclaimed.values_list("run_id", flat=True)))
    return sum(found)


def _tried(work: Callable[[T], bool], what: T) -> bool:
    """Do it; one run that is in trouble does not keep the others from going on."""
    try:
        return work(what)
    except Exception:
        log.exception("run or shard %s cannot go on", what)
        return False


def _go_on(run_id: int) -> bool:
    advance(run_id)
    _announce_again(run_id)
    return True


def not_searchable() -> list[Shard]:
    """Return shards that nobody works on, whose output is not all in the logs."""
    # Who ended it is at it just now.
    before = now() - timedelta(seconds=30)
    found = Shard.objects.filter(claimed_by="", searchable_blocks__lt=F("blocks"), run__ended_at__lt=before)
    return list(found.order_by("pk")[:100])


def _announce_again(run_id: int) -> None:
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=run_id)
        if run.state in (RunState.QUEUED, RunState.RUNNING):
            announce(run.shards.filter(batch=run.batch, is_done=False, claimed_by=""))


@transaction.atomic
def _take_from_dead(shard: Shard) -> bool:
    """Take a shard from a worker that gave no sign of life; what it had begun is not known."""
    run = Run.objects.select_for_update().get(pk=shard.run_id)
    taken = Shard.objects.filter(pk=shard.pk, claimed_by=shard.claimed_by, beat_at=shard.beat_at)
    if not taken.update(claimed_by="", beat_at=None, blocks=shard.blocks + _BLOCKS_APART):
        return False
    begun = RunHost.objects.filter(shard=shard, status=HostStatus.RUNNING)
    if run.is_repeatable and run.state in (RunState.QUEUED, RunState.RUNNING, RunState.PAUSED):
        begun.update(status=HostStatus.WAITING, started_at=None)
    else:
        begun.update(status=HostStatus.LOST, error_code="worker_died", block=shard.blocks + _BLOCKS_APART)
    run.note = gettext_noop("A worker died in the middle of it; what it had not begun went on.")
    run.save(update_fields=["note"])
    shard.refresh_from_db()
    recount(shard)
    if run.state in (RunState.QUEUED, RunState.RUNNING):
        announce([shard])
    advance(run.pk)
    return True
