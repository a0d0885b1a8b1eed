"""Drafts: items as they are about to be. Whatever changes an item makes drafts and saves them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.catalogue import TypeCatalogue, TypeSpec
from quarterdeck.inventory.models import ChangeSet, Item, Lifecycle, Observation
from quarterdeck.inventory.writing.content import Content, content_of_item
from quarterdeck.inventory.writing.effective import IMPORT, PEOPLE, Seen, effective, is_noise, keep_quiet

_DEFAULTS = {column.attname: column.get_default() for column in Item._meta.concrete_fields}
_item: Callable[..., Item] = Item
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
    """An item with everything that decides its content. `before` is {} for a new one. `imported` is what files said
    before this write, None when it does not touch that."""

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
    imported: Content | None = None

    def seen(self) -> list[Seen]:
        return [
            Seen(one.source, one.content, one.id or 2**62 + order, one.is_live)
            for order, one in enumerate(self.said.values())
        ]

    def work_out(self) -> None:
        """Compute the content in force and what changes by it. An item of which nobody says anything any more, since
        its observations went to another, keeps its last values to look at."""
        if self.is_new or self.said or self.desired:
            self.after = effective(self.spec, self.desired, self.seen())
            keep_quiet(self.spec, self.before, self.after)
        else:
            self.after = dict(self.before)
        self.is_changed = self.is_new or self.after != self.before or self.desired != self.item.desired
        self.changes = [] if self.is_new else _changes(self.spec, self.before, self.after)
        if self.lifecycle and self.lifecycle != self.item.lifecycle:
            self.is_changed = True
            if not self.is_new:
                self.changes.append(("lifecycle", self.item.lifecycle, self.lifecycle))


def _replaced(old: Content, new: Content) -> dict[str, dict[str, Any]]:
    """Return `{"owner": {"old": "a", "new": "b"}}` where the two differ; a side that has no value is left out."""
    return {
        name: {side: values[name] for side, values in (("old", old), ("new", new)) if name in values}
        for name in old.keys() | new.keys()
        if (name in old) != (name in new) or old.get(name) != new.get(name)
    }


def before_image(draft: Draft) -> dict[str, Any]:
    """Return what `BeforeImage.replaced` is to hold; call it before the draft's item takes the new values over."""
    imported = next((one.content for one in draft.said.values() if one.source == IMPORT), {})
    image: dict[str, Any] = {
        "desired": _replaced(draft.item.desired, draft.desired),
        "import": {} if draft.imported is None else _replaced(draft.imported, imported),
    }
    if draft.lifecycle and draft.lifecycle != draft.item.lifecycle:
        image["lifecycle"] = {"old": draft.item.lifecycle, "new": draft.lifecycle}
    return {name: content for name, content in image.items() if content}


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
    for row in Observation.objects.filter(item_id__in=list(drafts)).select_related("sighting").order_by("id"):
        drafts[row.item_id].said[(row.source, row.scope, row.external_id)] = said_of(row)
    return drafts


def new_draft(spec: TypeSpec, at: datetime) -> Draft:
    """Return the draft of an item that does not exist yet."""
    return Draft(_blank(spec.id, at), spec, {}, {}, {}, is_new=True, lifecycle=Lifecycle.ACTIVE.value)


def _blank(type_id: int, at: datetime) -> Item:
    """Return an empty item. Given in order, the values are taken four times as fast as by name."""
    values = {
        **_DEFAULTS, "type_id": type_id, "lifecycle_at": at, "first_seen": at, "updated_at": at,
        "labels": {}, "attributes": {}, "desired": {},
    }  # fmt: skip
    return _item(*values.values())


@dataclass(slots=True)
class Pen:
    """Who writes, when, why. The change set is made at the first change: a call that changes nothing leaves none.

    `reverts` is the change set that is taken back. What has a way back of its own, as a merge has, is not
    `is_revertible`.
    """

    actor: Actor
    source: str
    reason: str
    at: datetime
    change_set: ChangeSet | None = None
    reverts: int | None = None
    is_revertible: bool = True

    @property
    def keeps_images(self) -> bool:
        return self.is_revertible and self.source in PEOPLE

    def change_set_id(self) -> int:
        if self.change_set is None:
            self.change_set = ChangeSet.objects.create(
                at=self.at,
                actor=self.actor.name[:150],
                actor_kind=self.actor.kind.value,
                source=self.source[:64],
                request_id=self.actor.request_id[:64],
                reason=self.reason[:500],
                reverts_id=self.reverts,
            )
        return int(self.change_set.pk)


def changed(drafts: Sequence[Draft]) -> list[Draft]:
    return [draft for draft in drafts if draft.is_changed]
