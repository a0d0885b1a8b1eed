"""Reads of runs: what an actor may see of them is what ran on items that they may see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, Min, OuterRef, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import require, visible
from quarterdeck.access.grants import allowed
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.runs.models import HostStatus, Run, RunHost, RunState, Shard

VERB = "jobs.view"


def runs(
    actor: Actor, *, states: Sequence[str] = (), runner: str = "", text: str = "", template: str = ""
) -> QuerySet[Run]:
    """Return runs, newest first. Raises Denied, BadInput."""
    require(actor, VERB)
    _check_states(states)
    found = Run.objects.order_by("-pk")
    if allowed(actor, VERB, Item):
        mine = RunHost.objects.filter(run=OuterRef("pk"), item__in=visible(actor, VERB, Item.objects.all()))
        found = found.filter(Exists(mine))
    if states:
        found = found.filter(state__in=states)
    if runner:
        found = found.filter(runner=runner)
    if template:
        found = found.filter(template=template)
    return found.filter(title__icontains=text) if text else found


def _check_states(states: Iterable[str]) -> None:
    for state in states:
        if state not in RunState.values:
            raise BadInput(
                _('"%(state)s" is no state of a run') % {"state": state[:40]},
                hint=", ".join(RunState.values),
                field="state",
            )


def run_of(actor: Actor, run_id: int) -> Run:
    """Raises NotFound."""
    found = runs(actor).filter(pk=run_id).first()
    if found is None:
        raise NotFound(_("there is no run %(id)d that you may see") % {"id": run_id}, hint="qd runs list")
    return found


def hosts_of(actor: Actor, run: Run, *, statuses: Sequence[str] = (), text: str = "") -> QuerySet[RunHost]:
    """Return a run's hosts that the actor may see, by name. Raises BadInput."""
    found = RunHost.objects.filter(run=run).order_by("name", "pk")
    for status in statuses:
        if status not in HostStatus.values:
            raise BadInput(
                _('"%(status)s" is no status of a host') % {"status": status[:40]},
                hint=", ".join(HostStatus.values),
                field="status",
            )
    if statuses:
        found = found.filter(status__in=statuses)
    if text:
        found = found.filter(name__icontains=text)
    if allowed(actor, VERB, Item):
        found = found.filter(item__in=visible(actor, VERB, Item.objects.all()))
    return found


def of_item(actor: Actor, item: Item) -> QuerySet[RunHost]:
    """Return what was run on an item, newest first. Raises Denied."""
    require(actor, VERB, item)
    return RunHost.objects.filter(item=item).select_related("run").order_by("-pk")


def host_of(actor: Actor, run: Run, host_id: int) -> RunHost:
    """Raises NotFound."""
    found = hosts_of(actor, run).filter(pk=host_id).first()
    if found is None:
        raise NotFound(_("run %(id)d has no such host") % {"id": run.pk}, hint=f"qd runs show {run.pk}")
    return found


def counts_by_run(found: Iterable[Run]) -> dict[int, Counter[str]]:
    """Return `{run id: {"ok": 3, ...}}`, from the few rows of their shards."""
    totals: dict[int, Counter[str]] = {run.pk: Counter() for run in found}
    rows = Shard.objects.filter(run__in=list(totals)).values_list("run_id", "counts")
    for run_id, counts in rows:
        totals[run_id].update(counts)
    return totals


@dataclass(frozen=True, slots=True)
class Group:
    """Hosts that ended alike and printed the same. `first` is the id of one of them."""

    status: str
    exit_code: int | None
    error: str
    output_hash: str
    count: int
    first: int
    name: str


def groups_of(actor: Actor, run: Run, limit: int = 100) -> list[Group]:
    """Return the hosts that ended, folded by how, the rarest first: the odd one out is on top."""
    ended = hosts_of(actor, run).exclude(status__in=(HostStatus.WAITING, HostStatus.RUNNING, HostStatus.SKIPPED))
    rows = (
        ended.order_by()
        .values("status", "exit_code", "error", "output_hash")
        .annotate(count=Count("pk"), first=Min("pk"), name=Min("name"))
        .order_by("count", "name")[:limit]
    )
    return [Group(**row) for row in rows]
