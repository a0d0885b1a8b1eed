"""How a run is laid out: which hosts, in which batches, in which shards, within which bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from quarterdeck.access.checks import require
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries.items import items
from quarterdeck.inventory.writing import store
from quarterdeck.jobs.runs.models import HostStatus, Run, RunHost, Shard

MAX_HOSTS = 50_000
MAX_AT_ONCE = 2000
_MAX_TIMEOUT_SECONDS = 7 * 86400
_MAX_BATCHES = 10_000
# A worker does a shard of about this many hosts, and at least so many of them at once.
_SHARD_HOSTS = 250
_SHARD_AT_ONCE = 25
_SIZE = re.compile(r"(\d{1,6})(?:\.\d{1,3})?(%?)")
_VERB = "jobs.run"


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is done, and by which words of whom. `batch` is "1,10%,50%": sizes that follow each other, the last
    one again and again; "" for all hosts at once.

    `max_fail` is "5%" of a batch or a number of its hosts: when more have failed, nothing more begins. `at_once` hosts
    are worked on at the same time. Work that `is_repeatable` is done again where a worker died on it.
    """

    batch: str = ""
    max_fail: str = ""
    pauses_after_first: bool = False
    timeout_seconds: float | None = None
    at_once: int = 200
    becomes: bool = False
    credential: str = ""
    accepts_new_host_keys: bool = False
    is_repeatable: bool = False
    is_check: bool = False
    reason: str = ""

    def check(self) -> None:
        """Raise BadInput for what cannot be meant."""
        sizes_of(self.batch, 1)
        if self.max_fail and not _SIZE.fullmatch(self.max_fail):
            raise BadInput(
                _('"%(text)s" is no limit of failures') % {"text": self.max_fail[:40]}, hint="5%", field="max_fail"
            )
        if self.timeout_seconds is not None and not 0 < self.timeout_seconds <= _MAX_TIMEOUT_SECONDS:
            raise BadInput(_("a time for a host is between 0 and 7 days"), field="timeout_seconds")
        if not 1 <= self.at_once <= MAX_AT_ONCE:
            raise BadInput(_("from 1 to %(most)d hosts at once") % {"most": MAX_AT_ONCE}, field="at_once")
        if self.pauses_after_first and not self.batch:
            raise BadInput(
                _("there is only one batch, so nothing to pause after"),
                hint="--batch 1,10%",
                field="pauses_after_first",
            )


def sizes_of(text: str, hosts: int) -> list[int]:
    """Return the sizes of the batches of so many hosts: `sizes_of("1,50%", 10)` is [1, 5, 4]. Raises BadInput.

    As `serial` of Ansible: a percentage is of all hosts, rounded down, at least 1; the last size is used again.
    """
    wanted = [_size(part.strip(), hosts) for part in text.split(",")] if text.strip() else [hosts]
    found: list[int] = []
    while hosts > 0:
        size = min(wanted[min(len(found), len(wanted) - 1)], hosts)
        found.append(size)
        hosts -= size
        if len(found) > _MAX_BATCHES:
            raise BadInput(_("more than %(most)d batches") % {"most": _MAX_BATCHES}, hint="--batch 10%", field="batch")
    return found


def _size(text: str, hosts: int) -> int:
    match = _SIZE.fullmatch(text)
    if match is None or float(text.rstrip("%")) <= 0 or (match[2] and float(text[:-1]) > 100):
        raise BadInput(_('"%(text)s" is no size of a batch') % {"text": text[:40]}, hint="1,10%,50%", field="batch")
    return max(1, int(hosts * float(text[:-1]) / 100)) if match[2] else int(float(text))


def chosen(actor: Actor, query: str) -> list[Item]:
    """Return the hosts of a query, in the order of their names. Raises BadQuery, BadInput, Denied.

    Of what the query selects only what can be signed in on is a host: its type has the attribute `ssh_port`.
    """
    if not query.strip():
        raise BadInput(
            _("the query is empty"), hint=_("`type:host` selects every host; say so when it is meant"), field="query"
        )
    found = items(actor, query).filter(type__attributes__code="ssh_port")
    hosts = list(found[: MAX_HOSTS + 1])
    if not hosts:
        raise BadInput(
            _("the query selects no host"),
            hint=_("`qd items list` with the same query tells what it selects"),
            field="query",
        )
    if len(hosts) > MAX_HOSTS:
        raise BadInput(_("more than %(most)d hosts") % {"most": MAX_HOSTS}, field="query")
    require(actor, _VERB, hosts)
    return hosts


def lay_out(run: Run, hosts: Sequence[Item]) -> None:
    """Store the run's shards and hosts, inside the transaction that made the run."""
    columns = (
        "run", "shard", "item", "name", "status", "error", "error_code", "stdout_bytes", "stderr_bytes", "is_cut",
        "output_hash", "values", "block",
    )  # fmt: skip
    # Stored before the hosts: PostgreSQL answers nothing else while rows are copied in.
    shards = list(_shards(run, hosts))
    rows: Iterator[store.Row] = (
        (run.pk, shard.pk, item.pk, item.name[:255], HostStatus.WAITING.value, "", "", 0, 0, False, "", {}, 0)
        for shard, part in shards
        for item in part
    )
    store.insert(RunHost, columns, rows)


def _shards(run: Run, hosts: Sequence[Item]) -> Iterator[tuple[Shard, Sequence[Item]]]:
    start, number = 0, 0
    for batch, size in enumerate(run.batches):
        count = max(1, min(math.ceil(size / _SHARD_HOSTS), run.hosts_at_once // _SHARD_AT_ONCE))
        for part in range(count):
            # Sizes that differ by one at most.
            first, last = start + size * part // count, start + size * (part + 1) // count
            yield _shard(run, number, batch, last - first, count), hosts[first:last]
            number += 1
        start += size


def _shard(run: Run, number: int, batch: int, size: int, beside: int) -> Shard:
    return Shard.objects.create(
        run=run,
        number=number,
        batch=batch,
        counts={HostStatus.WAITING.value: size},
        hosts_at_once=max(1, run.hosts_at_once // beside),
    )
