"""Drafts: items as they are about to be. Whatever changes an item makes drafts and saves them together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.catalogue import TypeCatalogue, TypeSpec
from quarterdeck.inventory.models import ChangeSet, Item, Lifecycle, Observation
from quarterdeck.inventory.writing.content import Content, content_of_item
from quarterdeck.inventory.writing.effective import Seen, effective, is_noise, keep_quiet

ObservationKey = tuple[str, str, str]  # source, scope, external id


@dataclass(slots=True)
class Said:
    """A source's record of an item: what `Observation` holds. `id` is None until it is stored."""

    source: str
    scope: str
    external_id: str
    content: Content
    identities: list[list[str]]
    content_hash: bytes
    first_seen: datetime
    seen_at: datetime
    id: int | None = None
    is_live: bool = True
    is_changed: bool = False


@dataclass(slots=True)
class Draft:
    """An item with everything that decides its content. `before` is {} for a new one."""

    item: Item
    spec: TypeSpec
    before: Content
    desired: Content
    said: dict[ObservationKey, Said]
    is_new: bool = False
    after: Content = field(default_factory=dict)
    changes: list[tuple[str, Any, Any]] = field(default_factory=list)
    is_changed: bool = False
    row: int = 0
    secrets: dict[str, str] = field(default_factory=dict)
    lifecycle: str = ""

    def seen(self) -> list[Seen]:
        return [
            Seen(one.source, one.content, one.id or 2**62 + order, one.is_live)
            for order, one in enumerate(self.said.values())
        ]

    def work_out(self) -> None:
        """Compute the content in force and what changes by it."""
        self.after = effective(self.spec, self.desired, self.seen())
        keep_quiet(self.spec, self.before, self.after)
        self.is_changed = self.is_new or self.after != self.before or self.desired != self.item.desired
        self.changes = [] if self.is_new else _changes(self.spec, self.before, self.after)
        if self.lifecycle and self.lifecycle != self.item.lifecycle:
            self.is_changed = True
            if not self.is_new:
                self.changes.append(("lifecycle", self.item.lifecycle, self.lifecycle))


def _changes(spec: TypeSpec, before: Content, after: Content) -> list[tuple[str, Any, Any]]:
    changes = []
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        attribute = spec.attributes.get(name)
        if attribute is not None and (not attribute.track_history or is_noise(attribute, old, new)):
            continue
        changes.append((name, old, new))
    return sorted(changes, key=lambda change: change[0])


def said_of(row: Observation) -> Said:
    """Return the stored observation as drafts hold it."""
    return Said(
        row.source,
        row.scope,
        row.external_id,
        row.attributes,
        row.identities,
        bytes(row.content_hash),
        row.first_seen,
        row.seen_at,
        id=row.pk,
        is_live=row.gone_at is None,
    )


def drafts_of(items: Iterable[Item], catalogue: TypeCatalogue) -> dict[int, Draft]:
    """Return drafts of stored items by id: one query for the observations of all of them."""
    drafts: dict[int, Draft] = {}
    for item in items:
        drafts[item.pk] = Draft(item, catalogue.by_id[item.type_id], content_of_item(item), dict(item.desired), {})
    for row in Observation.objects.filter(item_id__in=list(drafts)).order_by("id"):
        drafts[row.item_id].said[(row.source, row.scope, row.external_id)] = said_of(row)
    return drafts


def new_draft(spec: TypeSpec, at: datetime) -> Draft:
    """Return the draft of an item that does not exist yet."""
    item = Item(
        type_id=spec.id,
        lifecycle=Lifecycle.ACTIVE.value,
        lifecycle_at=at,
        first_seen=at,
        last_seen=at,
        updated_at=at,
        version=1,
    )
    return Draft(item, spec, {}, {}, {}, is_new=True, lifecycle=Lifecycle.ACTIVE.value)


@dataclass(slots=True)
class Pen:
    """Who writes, when, why. The change set is made at the first change: a call that changes nothing leaves none."""

    actor: Actor
    source: str
    reason: str
    at: datetime
    change_set: ChangeSet | None = None

    def change_set_id(self) -> int:
        if self.change_set is None:
            self.change_set = ChangeSet.objects.create(
                at=self.at,
                actor=self.actor.name[:150],
                actor_kind=self.actor.kind.value,
                source=self.source[:64],
                request_id=self.actor.request_id[:64],
                reason=self.reason[:500],
            )
        return int(self.change_set.pk)


def changed(drafts: Sequence[Draft]) -> list[Draft]:
    return [draft for draft in drafts if draft.is_changed]
