"""A shard is worked on: its hosts on the loop of the connections, its records in the thread that claimed it.

It is on record that a host begins before anything is done there, and its output is stored before it is on record how it
ended. So after any crash the records tell no more than what happened.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any
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
from quarterdeck.jobs.runs.hosting import Prepared, around, fault, prepare, refusal
from quarterdeck.jobs.runs.journal import Ended, Journal, Turn
from quarterdeck.jobs.runs.models import BAD, ENDED, HostStatus, Run, RunHost, RunState, Shard
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
# Shards that prepare side by side would all begin late; one after the other, the first begins at once.
_one_prepares = threading.Lock()


def stop() -> None:
    """Let nothing more begin in this process; what runs has some seconds, and is ended then."""
    _stopping_since.append(time.monotonic())


def storable(value: Any) -> Any:
    """Return what any database keeps as text and JSON: a host's words may hold NUL, and bytes that are no UTF-8."""
    if isinstance(value, str):
        clean = value.encode(errors="replace").decode()
        return clean.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, dict):
        return {storable(name): storable(one) for name, one in value.items()}
    return [storable(one) for one in value] if isinstance(value, list | tuple) else value


class ClaimLost(Exception):
    """The shard was taken from this worker, which gave no sign of life for too long: it writes nothing more."""


def work_shard(shard_id: int) -> None:
    """Claim a shard and do what waits in it. A message that comes twice does nothing the second time."""
    if _stopping_since:
        return
    worker = f"{platform.node()}:{os.getpid()}:{uuid4().hex[:8]}"
    shard = claiming.claim(shard_id, worker)
    if shard is None:
        return
    try:
        with override(shard.run.language or get_language()):
            _Work(shard).do()
    except ClaimLost:
        log.warning("shard %d of run %d was taken from this worker", shard_id, shard.run_id)
        return
    finally:
        claiming.release(shard_id, worker)
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
        self._may_begin = not _stopping_since
        self._steps: Steps | None = None
        # Something came that is not stored yet.
        self._is_behind = False
        self._looked = self._beaten = self._flushed = self._searchable = time.monotonic()

    def do(self) -> None:
        """Do what waits. Whatever goes wrong before a host's turn is how that host ended."""
        hosts = list(self._shard.hosts.select_related("item__type").order_by("pk"))
        self._counts.update(host.status for host in hosts)
        waiting = [host for host in hosts if host.status == HostStatus.WAITING]
        self._names = {host.pk: output.Named(host.item_id or 0, host.name) for host in waiting}
        prepared = self._prepare(waiting)
        if prepared is not None and prepared.hosts:
            shared = around(self._run, prepared)
            try:
                self._work(prepared, shared)
            finally:
                shared.files.close()
                keep(prepared.actor, shared.host_keys, prepared.places)

    def _prepare(self, waiting: Sequence[RunHost]) -> Prepared | None:
        """Return what the hosts need, and write down how those ended that are not worked on.

        What stands in the way of all of them is how each ended: else it would be tried again and again.
        """
        try:
            with _one_prepares:
                prepared = prepare(self._run, waiting)
        except Exception as error:
            log.exception("run %d cannot be prepared", self._run.pk)
            end = refusal(error) if isinstance(error, OpsError) else fault()
            self._write([Ended(host.pk, end, 0.0) for host in waiting])
            return None
        self._gathered = Gathering(masks(prepared.secrets))
        self._write([Ended(pk, end, 0.0) for pk, end in prepared.refused.items()])
        return prepared

    def _work(self, prepared: Prepared, shared: Circumstances) -> None:
        journal = Journal(loop.running())
        steps = self._steps = Steps(prepared, shared, journal, self._shard.hosts_at_once)
        working = loop.start(steps.work())
        try:
            while not self._turn(journal):
                pass
        except BaseException:
            steps.halt()
            working.cancel()
            raise
        working.result()

    def _turn(self, journal: Journal) -> bool:
        """Write what has come since the last turn; whether it was the last one."""
        turn = journal.take(_PACE_SECONDS, _PACE_SECONDS if self._is_behind else _LOOK_SECONDS)
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._look()
        self._begin(turn, journal)
        for host, chunk in turn.output:
            self._gathered.add(host, chunk.stream, chunk.data)
        self._ended.extend(turn.ends)
        self._is_behind = self._is_behind or bool(turn.output or turn.ends)
        if turn.is_over or time.monotonic() - self._flushed > _PACE_SECONDS * 0.9:
            self._flush()
        journal.written(turn)
        return turn.is_over

    def _begin(self, turn: Turn, journal: Journal) -> None:
        for hosts, waits in turn.begins:
            may = self._may_begin and self._put_down(hosts)
            journal.answer(waits, may)

    @transaction.atomic
    def _put_down(self, hosts: Sequence[int]) -> bool:
        """Write down that hosts begin; False when nothing is to begin any more. Raises ClaimLost.

        The run's row is held meanwhile: who cancels or pauses comes before it, or after it.
        """
        run = Run.objects.select_for_update().get(pk=self._run.pk)
        if not self._mine().select_for_update().exists():
            raise ClaimLost
        if run.state != RunState.RUNNING:
            self._may_begin = False
            return False
        waiting = RunHost.objects.filter(pk__in=hosts, status=HostStatus.WAITING)
        if waiting.update(status=HostStatus.RUNNING, started_at=now()) != len(hosts):
            raise ClaimLost
        self._count(HostStatus.WAITING, HostStatus.RUNNING, len(hosts))
        return True

    def _count(self, before: str, after: str, number: int) -> None:
        self._counts[before] -= number
        self._counts[after] += number

    def _look(self) -> None:
        """Do what people, or the run's other shards, want by now; give a sign of life. Raises ClaimLost."""
        self._looked = time.monotonic()
        state = Run.objects.values_list("state", flat=True).get(pk=self._run.pk)
        if state != RunState.RUNNING:
            self._may_begin = False
        if state == RunState.CANCELLING or state in ENDED:
            self._halt()
        if _stopping_since:
            self._may_begin = False
            if time.monotonic() - _stopping_since[0] > _STOP_SECONDS:
                self._halt(_("the worker was stopped"))
        if time.monotonic() - self._beaten > _BEAT_SECONDS:
            self._beat()

    def _halt(self, why: str = "") -> None:
        if self._steps is not None:
            self._steps.halt(why)

    def _beat(self, **more: object) -> None:
        """Give a sign of life, and write `more` fields of the shard. Raises ClaimLost."""
        if not self._mine().update(beat_at=now(), counts=+self._counts, **more):
            raise ClaimLost
        self._beaten = time.monotonic()

    def _mine(self) -> QuerySet[Shard]:
        return Shard.objects.filter(pk=self._shard.pk, claimed_by=self._shard.claimed_by)

    def _flush(self) -> None:
        """Store output, and after it the ends of hosts."""
        self._flushed = time.monotonic()
        ended, self._ended = self._ended, []
        self._is_behind = False
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
                self._look()
                delay = min(delay * 2, _BEAT_SECONDS)

    def _write(self, ended: Sequence[Ended]) -> None:
        printed = [(one, self._gathered.close(one.host)) for one in ended]
        for one in ended:
            self._count(self._before(one), one.end.status, 1)
        with transaction.atomic():
            self._beat(blocks=self._shard.blocks)
            store.update_where(RunHost, _ENDED, ["id"], [self._row(one, found) for one, found in printed])
        if any(one.end.status in BAD for one in ended) and claiming.stop_when_exceeded(self._run):
            self._may_begin = False

    def _before(self, one: Ended) -> str:
        """A host that was refused before its turn never ran."""
        return HostStatus.RUNNING if one.seconds else HostStatus.WAITING

    def _row(self, one: Ended, found: Printed) -> list[object]:
        end = one.end
        return [
            end.status.value, end.exit_code, storable(end.error)[:1000], end.error_code[:40], round(one.seconds, 3),
            found.stdout_bytes, found.stderr_bytes, end.is_cut, found.hash, storable(dict(end.values)),
            self._shard.blocks,
            one.host,
        ]  # fmt: skip
