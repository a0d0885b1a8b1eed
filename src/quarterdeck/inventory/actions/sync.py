"""The end of a source's pass: what it no longer sees goes missing, then absent, later retired; and never too much."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.later import later
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.found import Applied
from quarterdeck.inventory.models import Identity, Item, Lifecycle, Observation, Sighting, SyncRun, TimelineEvent
from quarterdeck.inventory.writing import store
from quarterdeck.inventory.writing.drafts import Pen, drafts_of
from quarterdeck.inventory.writing.saving import save

# Some providers answer an empty list, not an error, when a right is lacking: a sudden loss is not believed.
HELD_SHARE = 0.2
HELD_COUNT = 5
ABSENT_AFTER_MISSES = 2
ABSENT_AFTER = timedelta(hours=24)
RETIRED_AFTER = timedelta(days=90)
_BATCH = 2000


@action("inventory.edit")
def finish_sync(actor: Actor, source: str, scope: str, started_at: datetime, count: int, applied: Applied) -> SyncRun:
    """Close a complete pass over a scope: mark what was not seen since `started_at`, or hold if that is too much."""
    lost = list(_unseen(source, scope, started_at).filter(misses=0).values_list("pk", flat=True))
    total = Observation.objects.filter(source=source, scope=scope, gone_at=None).count()
    applied.held = _is_too_much(len(lost), total, count)
    message = ""
    if applied.held:
        message = _("%(lost)d of %(total)d items vanished at once: nothing was marked missing.") % {
            "lost": len(lost),
            "total": total,
        }
        TimelineEvent.objects.create(
            at=now(), kind="inventory.held", severity="warning", title=message[:255], actor=actor.name,
            detail={"source": source, "scope": scope, "lost": len(lost), "total": total},
        )  # fmt: skip
    else:
        _miss(actor, source, scope, started_at, applied)
    run = SyncRun.objects.create(
        source=source, scope=scope, started_at=started_at, ended_at=now(), counts=applied.counts(), message=message,
        outcome=SyncRun.Outcome.HELD if applied.held else SyncRun.Outcome.COMPLETE,
    )  # fmt: skip
    if applied.held or applied.missing or applied.gone:
        record(
            actor, "inventory.sweep", ("sync_run", str(run.pk), source), message or _swept(applied), after=run.counts
        )
    return run


@action("inventory.edit")
def note_sync(
    actor: Actor,
    source: str,
    scope: str,
    started_at: datetime,
    *,
    failed: str = "",
    partial: str = "",
    applied: Applied | None = None,
) -> SyncRun:
    """Note a pass that failed or saw only a part, with the reason: such a pass never marks anything missing."""
    run = SyncRun.objects.create(
        source=source, scope=scope, started_at=started_at, ended_at=now(), message=failed or partial,
        outcome=SyncRun.Outcome.FAILED if failed else SyncRun.Outcome.PARTIAL,
        counts=applied.counts() if applied else {},
    )  # fmt: skip
    record(
        actor,
        "inventory.sync",
        ("sync_run", str(run.pk), source),
        failed or partial,
        result="error",
        error=failed or partial,
    )
    return run


def _unseen(source: str, scope: str, started_at: datetime) -> QuerySet[Sighting]:
    """Return the live records of a scope that no pass has seen since `started_at`."""
    live = {"observation__source": source, "observation__scope": scope, "observation__gone_at": None}
    return Sighting.objects.filter(**live, seen_at__lt=started_at)


def _is_too_much(lost: int, total: int, count: int) -> bool:
    if lost and count == 0:
        return True
    return lost > HELD_COUNT and lost > HELD_SHARE * total


def _swept(applied: Applied) -> str:
    return f"{applied.missing} missing, {applied.gone} absent"


def _miss(actor: Actor, source: str, scope: str, started_at: datetime, applied: Applied) -> None:
    """Count a miss for each record that was not seen; decide for its item when no other source sees it."""
    unseen = _unseen(source, scope, started_at)
    unseen.update(misses=F("misses") + 1)
    rows = list(unseen.values_list("pk", "observation__item_id", "misses", "seen_at"))
    for start in range(0, len(rows), _BATCH):
        part = rows[start : start + _BATCH]
        items = {item for _pk, item, _misses, _at in part}
        seen_elsewhere = set(
            Observation.objects.filter(item_id__in=items, gone_at=None, sighting__misses=0).values_list(
                "item_id", flat=True
            )
        )
        over = {pk: item for pk, item, misses, at in part if misses >= ABSENT_AFTER_MISSES or at < now() - ABSENT_AFTER}
        Observation.objects.filter(pk__in=list(over)).update(gone_at=now())
        absent = set(over.values()) - seen_elsewhere
        applied.gone += _move(actor, absent, Lifecycle.ABSENT, source)
        applied.missing += _move(actor, items - seen_elsewhere - absent, Lifecycle.MISSING, source)


def _move(actor: Actor, ids: set[int], lifecycle: Lifecycle, source: str) -> int:
    """Move live items to a later stage of life, with history and an event on each; returns how many moved."""
    before = {Lifecycle.MISSING: [Lifecycle.ACTIVE], Lifecycle.ABSENT: [Lifecycle.ACTIVE, Lifecycle.MISSING]}
    stages = before.get(lifecycle, [Lifecycle.ABSENT])
    items = list(Item.objects.filter(pk__in=ids, lifecycle__in=stages)) if ids else []
    if not items:
        return 0
    pen = Pen(actor, source, "", now())
    drafts = list(drafts_of(items, catalogue()).values())
    for draft in drafts:
        draft.lifecycle = lifecycle.value
        draft.work_out()
    save(drafts, pen)
    add_events(items, f"lifecycle.{lifecycle.value}", _event_title(lifecycle, source), pen.at, actor.name)
    return len(items)


def _event_title(lifecycle: Lifecycle, source: str) -> str:
    titles = {
        Lifecycle.MISSING: _("Not seen in the last pass of %(source)s"),
        Lifecycle.ABSENT: _("No longer seen by %(source)s"),
        Lifecycle.RETIRED: _("Retired after a long absence"),
    }
    return titles[lifecycle] % {"source": source} if lifecycle is not Lifecycle.RETIRED else titles[lifecycle]


def add_events(items: Sequence[Item], kind: str, title: str, at: datetime, actor: str) -> None:
    """Write the same event to the timeline of many items."""
    store.insert(
        TimelineEvent,
        ["item", "at", "kind", "severity", "title", "detail", "actor"],
        ((item.pk, at, kind, "info", title[:255], {}, actor[:150]) for item in items),
    )


@action("inventory.edit")
def retire_absent(actor: Actor) -> int:
    """Retire what has been absent for 90 days: identities are released, history stays. Returns how many."""
    due = Item.objects.filter(lifecycle=Lifecycle.ABSENT, lifecycle_at__lt=now() - RETIRED_AFTER)
    ids = set(due.order_by("lifecycle_at").values_list("pk", flat=True)[:_BATCH])
    count = _move(actor, ids, Lifecycle.RETIRED, "inventory")
    if count:
        Identity.objects.filter(item_id__in=ids).delete()
        record(actor, "inventory.retire", None, f"{count} items retired", after={"count": count})
    return count


@action("inventory.edit")
def request_sync(actor: Actor) -> None:
    """Queue a pass over all sources now, as the schedule does every few minutes."""
    later("inventory.sync_sources")
    record(actor, "inventory.request_sync")
