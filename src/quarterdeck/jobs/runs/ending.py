"""The end of a run: its state, and what is left of it on each host's timeline."""

from __future__ import annotations

from collections import Counter

from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import SYSTEM, Actor, ActorKind
from quarterdeck.core.clock import now
from quarterdeck.inventory.models import TimelineEvent
from quarterdeck.inventory.writing import store
from quarterdeck.jobs.runs.models import BAD, HostStatus, Run, RunState

_EVENT = ("item", "at", "kind", "severity", "title", "detail", "actor")
_SEVERITY = {HostStatus.FAILED: "error", HostStatus.UNREACHABLE: "error", HostStatus.LOST: "warning"}


def actor_of(run: Run) -> Actor:
    """Return who started the run, with the rights that they have by now."""
    return Actor(ActorKind(run.actor_kind), run.actor, run.actor_id, auth_method="queued")


def counts_of(run: Run) -> Counter[str]:
    """Return how many hosts have which status."""
    total: Counter[str] = Counter()
    for counts in run.shards.values_list("counts", flat=True):
        total.update(counts)
    return total


def end_run(run: Run) -> None:
    """Close a run whose hosts have all ended or do not begin any more; inside the transaction that found that out."""
    counts = counts_of(run)
    run.state = _final_state(run, counts)
    run.ended_at = now()
    run.save(update_fields=["state", "ended_at"])
    _tell_items(run)
    shown = {status: count for status, count in sorted(counts.items()) if count}
    record(SYSTEM.named("system:runs"), "jobs.run.end", run, run.state, after=shown)


def _final_state(run: Run, counts: Counter[str]) -> RunState:
    if run.state == RunState.APPROVAL:
        return RunState.REFUSED
    if run.state == RunState.CANCELLING:
        return RunState.CANCELLED
    if run.state == RunState.STOPPING:
        return RunState.STOPPED
    return RunState.FAILED if any(counts[status] for status in BAD) else RunState.SUCCEEDED


def _tell_items(run: Run) -> None:
    """A run is an event on each host that it began on."""
    ended = run.hosts.exclude(item=None).exclude(status__in=(HostStatus.SKIPPED, HostStatus.WAITING))
    # Read whole before the first is written: PostgreSQL answers nothing else while rows are copied in.
    rows = list(ended.order_by().values_list("item_id", "status", "exit_code", "started_at", "pk"))
    store.insert(
        TimelineEvent,
        _EVENT,
        (
            (
                item, at or run.ended_at, "run.finished", _SEVERITY.get(HostStatus(status), "info"), run.title[:255],
                {"run": run.pk, "host": pk, "status": status, "exit_code": code}, run.actor,
            )
            for item, status, code, at, pk in rows
        ),
    )  # fmt: skip
