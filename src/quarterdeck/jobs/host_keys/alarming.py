"""A changed host key is told: on the item's timeline at once, and as a metric for as long as nobody decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.later import later
from quarterdeck.inventory.models import TimelineEvent
from quarterdeck.jobs.host_keys.models import HostKey, HostKeyState
from quarterdeck.telemetry.actions import write_samples
from quarterdeck.telemetry.samples import Sample

METRIC = "quarterdeck_host_key_changed"
# How long a zero is written after the decision: PromQL looks five minutes back.
_ENDED = timedelta(minutes=10)
_CHUNK = 500


def raise_alarm(
    changed: Sequence[HostKey], approved: Callable[[HostKey], list[str]], at: datetime, actor: Actor
) -> None:
    """Put changed keys on the timelines of their items, of the fleet where no item is known; samples follow."""
    title = _("Shows another host key than the approved one")
    rows = [
        _event(row, "host_key.changed", "critical", title, at, actor.name, approved=approved(row)) for row in changed
    ]
    TimelineEvent.objects.bulk_create(rows, batch_size=_CHUNK)
    later("jobs.watch_host_keys")


def end_alarm(decided: Iterable[HostKey], title: str, at: datetime, actor: Actor) -> None:
    """Say on the timelines what was decided on changed keys."""
    rows = [_event(row, "host_key.decided", "notice", title, at, actor.name) for row in decided]
    if rows:
        TimelineEvent.objects.bulk_create(rows, batch_size=_CHUNK)
        later("jobs.watch_host_keys")


def _event(
    row: HostKey, kind: str, severity: str, title: str, at: datetime, actor: str, **more: list[str]
) -> TimelineEvent:
    return TimelineEvent(
        item_id=row.item_id, at=at, kind=kind, severity=severity, title=f"{title}: {row.fingerprint}"[:255],
        detail={"place": row.place, "fingerprint": row.fingerprint, **more}, actor=actor[:150],
    )  # fmt: skip


def watch() -> int:
    """Write 1 for each changed key that waits for a decision, 0 for those decided just now; return how many.

    What is written comes from the records, so that a sample which got lost is there a minute later.
    """
    at = now()
    ended = Q(decided_at__gte=at - _ENDED) & ~Q(state=HostKeyState.PENDING)
    rows = HostKey.objects.filter(Q(state=HostKeyState.PENDING) | ended, is_change=True)
    values: dict[tuple[int, str, int], bool] = {}
    for row in rows:
        series = (row.item_id or 0, row.address, row.port)
        values[series] = values.get(series, False) or row.is_alarm
    return write_samples(
        Sample(METRIC, {"address": address, "port": str(port)}, item, at, float(is_alarm))
        for (item, address, port), is_alarm in values.items()
    )
