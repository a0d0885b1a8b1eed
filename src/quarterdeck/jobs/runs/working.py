"""A shard is worked on: its hosts on the loop of the connections, its records in the thread that claimed it.

It is on record that a host begins before anything is done there, and its output is stored before it is on record how it
ended. So after any crash the records tell no more than what happened.
"""

from __future__ import annotations

import logging
import os
import platform
import time
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from quarterdeck.core.clock import now
from quarterdeck.core.errors import OpsError, Unavailable
from quarterdeck.inventory.writing import store
from quarterdeck.jobs.host_keys.using import keep
from quarterdeck.jobs.runners import Circumstances
from quarterdeck.jobs.runs import claiming, output
from quarterdeck.jobs.runs.gathering import Gathering, Printed, masks
from quarterdeck.jobs.runs.hosting import Prepared, around, prepare
from quarterdeck.jobs.runs.journal import Ended, Journal, Turn
from quarterdeck.jobs.runs.models import BAD, HostStatus, Run, RunHost, RunState, Shard
from quarterdeck.jobs.runs.stepping import Steps
from quarterdeck.remote import loop

log = logging.getLogger(__name__)
# How often output and ends are written; the first of them soon, so that a person sees something.
_PACE_SECONDS = 0.15
# How often the run's state is looked at, and a sign of life given.
_LOOK_SECONDS = 0.5
_BEAT_SECONDS = 2.0
_SEARCHABLE_SECONDS = 5.0
_STOP_SECONDS = 3.0
_ENGINE_PATIENCE_SECONDS = 600
_ENDED = (
    "status", "exit_code", "error", "error_code", "seconds", "stdout_bytes", "stderr_bytes", "is_cut", "output_hash",
    "values", "block",
)  # fmt: skip


def make_searchable(shard: Shard) -> None:
    """Put a shard's output into the logs too; while the engine is away, the sweeper does it later."""
    try:
        output.make_searchable(shard)
    except Unavailable as error:
        log.warning("output of run %d is not searchable yet: %s", shard.run_id, error.message)


_stopping_since: list[float] = []


def stop() -> None:
    """Let nothing more begin in this process; what runs has some seconds, and is ended then."""
    _stopping_since.append(time.monotonic())


def work_shard(shard_id: int) -> None:
    """Claim a shard and do what waits in it. A message that comes twice does nothing the second time."""
    worker = f"{platform.node()}:{os.getpid()}:{uuid4().hex[:8]}"
    shard = claiming.claim(shard_id, worker)
    if shard is None:
        return
    try:
        with override(shard.run.language or get_language()):
            _Work(shard).do()
    finally:
        claiming.release(shard_id, worker, goes_on=bool(_stopping_since))
    # Nobody waits for it: whoever watched has seen the end by now.
    make_searchable(shard)


class _Work:
    """One claimed shard, in the thread that claimed it."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._run = shard.run
        self._counts: Counter[str] = Counter()
        self._gathered = Gathering(())
        self._ended: list[Ended] = []
        self._names: dict[int, output.Named] = {}
        self._may_begin = True
        self._looked = self._beaten = self._flushed = self._searchable = time.monotonic()

    def do(self) -> None:
        """Do what waits. Whatever goes wrong before a host's turn is how that host ended."""
        hosts = list(self._shard.hosts.select_related("item__type").order_by("pk"))
        self._counts.update(host.status for host in hosts)
        waiting = [host for host in hosts if host.status == HostStatus.WAITING]
        prepared = prepare(self._run, waiting)
        self._names = {host.pk: output.Named(host.item_id or 0, host.name) for host in waiting}
        self._gathered = Gathering(masks(prepared.secrets))
        self._write([Ended(pk, end, 0.0) for pk, end in prepared.refused.items()])
        if prepared.hosts:
            shared = around(self._run, prepared)
            try:
                self._work(prepared, shared)
            finally:
                keep(prepared.actor, shared.host_keys, prepared.places)

    def _work(self, prepared: Prepared, shared: Circumstances) -> None:
        journal = Journal(loop.running())
        steps = Steps(prepared, shared, journal, self._shard.hosts_at_once)
        working = loop.start(steps.work())
        try:
            while not self._turn(journal, steps):
                pass
        except BaseException:
            steps.halt()
            working.cancel()
            raise
        working.result()

    def _turn(self, journal: Journal, steps: Steps) -> bool:
        """Write what has come since the last turn; whether it was the last one."""
        turn = journal.take(_PACE_SECONDS, _LOOK_SECONDS)
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._look(steps)
        self._begin(turn, journal)
        for host, chunk in turn.output:
            self._gathered.add(host, chunk.stream, chunk.data)
        self._ended.extend(turn.ends)
        if turn.is_over or time.monotonic() - self._flushed > _PACE_SECONDS * 0.9:
            self._flush()
        journal.written(turn)
        return turn.is_over

    def _begin(self, turn: Turn, journal: Journal) -> None:
        for hosts, waits in turn.begins:
            if self._may_begin:
                RunHost.objects.filter(pk__in=hosts).update(status=HostStatus.RUNNING, started_at=now())
                self._count(HostStatus.WAITING, HostStatus.RUNNING, len(hosts))
            journal.answer(waits, self._may_begin)

    def _count(self, before: str, after: str, number: int) -> None:
        self._counts[before] -= number
        self._counts[after] += number

    def _look(self, steps: Steps) -> None:
        """Do what people, or the run's other shards, want by now; give a sign of life."""
        self._looked = time.monotonic()
        state = Run.objects.values_list("state", flat=True).get(pk=self._run.pk)
        if state != RunState.RUNNING:
            self._may_begin = False
        if state == RunState.CANCELLING:
            steps.halt()
        if _stopping_since:
            self._may_begin = False
            if time.monotonic() - _stopping_since[0] > _STOP_SECONDS:
                steps.halt(_("the worker was stopped"))
        if time.monotonic() - self._beaten > _BEAT_SECONDS:
            self._beaten = time.monotonic()
            if not self._mine().update(beat_at=now(), counts=+self._counts):
                steps.halt()
                raise OpsError(f"shard {self._shard.pk} was taken from this worker, which gave no sign of life")

    def _mine(self) -> QuerySet[Shard]:
        return Shard.objects.filter(pk=self._shard.pk, claimed_by=self._shard.claimed_by)

    def _flush(self) -> None:
        """Store output, and after it the ends of hosts."""
        self._flushed = time.monotonic()
        ended, self._ended = self._ended, []
        rows = list(self._gathered.take(one.host for one in ended))
        if not rows and not ended:
            return
        self._shard.blocks += 1
        if rows:
            self._store(rows)
        self._write(ended)
        if time.monotonic() - self._searchable > _SEARCHABLE_SECONDS:
            self._searchable = time.monotonic()
            make_searchable(self._shard)

    def _store(self, rows: Sequence[output.Row]) -> None:
        """Give output to the engine; while it does not answer, hosts are held back and nothing is lost."""
        deadline = time.monotonic() + _ENGINE_PATIENCE_SECONDS
        delay = 0.2
        while True:
            try:
                output.store(self._shard, self._names, rows)
                return
            except Unavailable as error:
                if time.monotonic() > deadline:
                    raise
                log.warning("output of run %d waits for the engine: %s", self._run.pk, error.message)
                time.sleep(delay)
                self._mine().update(beat_at=now())
                delay = min(delay * 2, 5)

    def _write(self, ended: Sequence[Ended]) -> None:
        printed = [(one, self._gathered.close(one.host)) for one in ended]
        for one in ended:
            self._count(self._before(one), one.end.status, 1)
        with transaction.atomic():
            store.update_where(RunHost, _ENDED, ["id"], [self._row(one, found) for one, found in printed])
            self._mine().update(beat_at=now(), counts=+self._counts, blocks=self._shard.blocks)
            if any(one.end.status in BAD for one in ended) and claiming.stop_when_exceeded(self._run):
                self._may_begin = False
        self._beaten = time.monotonic()

    def _before(self, one: Ended) -> str:
        """A host that was refused before its turn never ran."""
        return HostStatus.RUNNING if one.seconds else HostStatus.WAITING

    def _row(self, one: Ended, found: Printed) -> list[object]:
        end = one.end
        return [
            end.status.value, end.exit_code, end.error[:1000], end.error_code[:40], round(one.seconds, 3),
            found.stdout_bytes, found.stderr_bytes, end.is_cut, found.hash, dict(end.values), self._shard.blocks,
            one.host,
        ]  # fmt: skip
