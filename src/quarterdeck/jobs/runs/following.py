"""A run as it goes: what it does, which hosts ended, and what they print, in the order in which it can be told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Literal

from django.db.models import Q

from quarterdeck.audit.actor import Actor
from quarterdeck.core.streams import in_thread
from quarterdeck.jobs.runs import output
from quarterdeck.jobs.runs.models import HostStatus, Run, RunHost, Shard
from quarterdeck.jobs.runs.queries import hosts_of, run_of

# Workers write every 0.15 s. A short run is over before that is worth waiting for; a long one is asked less often.
_FIRST_PAUSE_SECONDS = 0.03
_PAUSE_SECONDS = 0.15
_FIRST_SECONDS = 2.0
_ALIVE_SECONDS = 10
# A block holds at most what one worker lets wait; of many that were missed so many are told at once, of so many shards.
_BLOCKS = 20
_SHARDS = 100
_OPEN = (HostStatus.WAITING, HostStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class News:
    """What one look found: the run, when anything of it changed; output; and then the hosts that ended."""

    kind: Literal["run", "output", "host"]
    run: Run | None = None
    counts: Counter[str] | None = None
    new: output.New | None = None
    host: RunHost | None = None


class Follower:
    """Looks again and again. What one may not see is left out, also when that changes on the way."""

    def __init__(self, actor: Actor, run_id: int, *, with_output: bool) -> None:
        self._actor = actor
        self._run_id = run_id
        self._with_output = with_output
        self._seen: dict[int, int] = {}
        # After a worker's death numbers are left out; where nothing is found the steps become longer.
        self._steps: dict[int, int] = {}
        self._told: tuple[object, ...] = ()
        self.is_over = False

    def poll(self) -> list[News]:
        """Return what is new since the last look. Raises NotFound, Unavailable."""
        # The run first: an end that it tells of has every host's end before it.
        run = run_of(self._actor, self._run_id)
        shards = list(Shard.objects.filter(run=run).only("number", "blocks", "counts"))
        blocks = self._due(shards)
        found = self._host_news(run, blocks)
        self._seen.update({number: until for number, (_after, until) in blocks.items()})
        left = self._due(shards)
        # The end is told when everything before it was.
        self.is_over = run.is_ended and not left
        return found if run.is_ended and left else [*found, *self._run_news(run, shards)]

    def _due(self, shards: list[Shard]) -> dict[int, tuple[int, int]]:
        """Return which blocks of which shards are looked at next: after this one, up to that one."""
        found: dict[int, tuple[int, int]] = {}
        for shard in shards:
            seen = self._seen.get(shard.number, 0)
            if seen < shard.blocks and len(found) < _SHARDS:
                found[shard.number] = (seen, min(shard.blocks, seen + self._steps.get(shard.number, _BLOCKS)))
        return found

    def _run_news(self, run: Run, shards: list[Shard]) -> list[News]:
        counts: Counter[str] = Counter()
        for shard in shards:
            counts.update(shard.counts)
        now = (run.state, run.batch, run.note, *sorted(counts.items()))
        if now == self._told:
            return []
        self._told = now
        return [News("run", run, counts)]

    def _host_news(self, run: Run, blocks: dict[int, tuple[int, int]]) -> list[News]:
        if not blocks:
            return []
        due = reduce(or_, (Q(shard__number=number, block__gt=after, block__lte=until)
                           for number, (after, until) in blocks.items()))  # fmt: skip
        ended = list(hosts_of(self._actor, run).filter(due).exclude(status__in=_OPEN).order_by("block", "pk"))
        printed = self._printed(run, blocks) if self._with_output else []
        for number in blocks:
            is_empty = not ended and not printed
            self._steps[number] = self._steps.get(number, _BLOCKS) * 4 if is_empty else _BLOCKS
        return [*(News("output", new=new) for new in printed), *(News("host", host=host) for host in ended)]

    def _printed(self, run: Run, blocks: dict[int, tuple[int, int]]) -> list[output.New]:
        new = output.news(run, blocks)
        mine = hosts_of(self._actor, run).filter(pk__in={one.host for one in new}).values_list("pk", flat=True)
        allowed = set(mine)
        return [one for one in new if one.host in allowed]


async def follow(actor: Actor, run_id: int, *, with_output: bool) -> AsyncIterator[list[News]]:
    """Yield what is new in groups until the run has ended; an empty group now and then is a sign of life.

    Raises NotFound, Denied, Unavailable.
    """
    follower = Follower(actor, run_id, with_output=with_output)
    began = told = time.monotonic()
    while not follower.is_over:
        found = await in_thread(follower.poll)
        if found or time.monotonic() - told > _ALIVE_SECONDS:
            told = time.monotonic()
            yield found
        if not follower.is_over:
            is_new = time.monotonic() - began < _FIRST_SECONDS
            await asyncio.sleep(_FIRST_PAUSE_SECONDS if is_new else _PAUSE_SECONDS)
