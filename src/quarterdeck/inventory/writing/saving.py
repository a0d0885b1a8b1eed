"""Save drafts: a constant number of statements for any number of items."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from django.utils.translation import gettext as _

from quarterdeck.inventory.catalogue import HOT_FIELDS
from quarterdeck.inventory.found import STRENGTHS
from quarterdeck.inventory.models import (
    BeforeImage,
    Change,
    Drift,
    Identity,
    Item,
    ItemIndex,
    ItemSecret,
    ItemSeen,
    ItemText,
    ItemUnique,
    Lifecycle,
    Observation,
    Sighting,
)
from quarterdeck.inventory.writing import secret, store
from quarterdeck.inventory.writing.content import Complaint, put_into
from quarterdeck.inventory.writing.derived import index_rows, search_words, unique_rows
from quarterdeck.inventory.writing.drafts import Draft, Pen, before_image
from quarterdeck.inventory.writing.effective import differences

_ITEM_COLUMNS = [
    "type", *HOT_FIELDS, "lifecycle", "lifecycle_at", "labels", "attributes", "desired", "first_seen",
    "updated_at", "version",
]  # fmt: skip
_UPDATED_COLUMNS = [name for name in _ITEM_COLUMNS if name not in ("type", "first_seen")]
_inserted = attrgetter("id", *(f"{name}_id" if name == "type" else name for name in _ITEM_COLUMNS))
_updated = attrgetter(*_UPDATED_COLUMNS, "id")
_OBSERVATION_COLUMNS = [
    "item", "source", "scope", "external_id", "type", "attributes", "identities", "content_hash", "first_seen",
    "gone_at",
]  # fmt: skip


def taken(drafts: Sequence[Draft]) -> dict[int, Complaint]:
    """Return, by position, the drafts whose unique values are taken by another item or an earlier draft."""
    wanted = [(number, draft, unique_rows(draft.spec, draft.after)) for number, draft in enumerate(drafts)]
    keys = {(draft.spec.id, field, value) for _number, draft, rows in wanted for field, value in rows}
    if not keys:
        return {}
    held: dict[tuple[int, str, str], int | None] = {
        (row.type_id, row.field, row.value): row.item_id
        for row in ItemUnique.objects.filter(
            type_id__in={key[0] for key in keys}, field__in={key[1] for key in keys}, value__in={key[2] for key in keys}
        )
    }
    # A value that its holder gives up in this same batch is free for another.
    kept = {draft.item.pk: set(rows) for _number, draft, rows in wanted if not draft.is_new}
    complaints: dict[int, Complaint] = {}
    claimed: dict[tuple[int, str, str], int] = {}
    for number, draft, rows in wanted:
        for field, value in rows:
            key = (draft.spec.id, field, value)
            holder = held.get(key)
            gives_up = holder in kept and (field, value) not in kept[holder]
            if (holder is not None and holder != draft.item.pk and not gives_up) or key in claimed:
                complaints[number] = (field, _('"%(value)s" is taken by another item') % {"value": value[:60]})
        if number not in complaints:
            claimed.update({(draft.spec.id, field, value): number for field, value in rows})
    return complaints


def save(drafts: Sequence[Draft], pen: Pen) -> None:
    """Write what changed of every draft: item, history, indexes, identities, observations and drift."""
    images = _before_images(drafts) if pen.keeps_images else {}
    for draft in drafts:
        if draft.is_changed:
            _finish(draft, pen)
    new = [draft for draft in drafts if draft.is_new]
    old = [draft for draft in drafts if draft.is_changed and not draft.is_new]
    _write_items(new, old)
    _write_history(new, old, pen)
    if images:
        change_set = pen.change_set_id()
        rows = ((change_set, pk, image) for pk, image in images.items())
        store.insert(BeforeImage, ["change_set", "item", "replaced"], rows)
    _write_derived(new, old)
    _write_secrets([draft for draft in drafts if draft.secrets])
    _write_observations(drafts)
    _write_identities(drafts)
    _write_drift(drafts, pen)


def _before_images(drafts: Sequence[Draft]) -> dict[int, dict[str, object]]:
    """Return images by item. The way back from a creation needs none: its history tells it."""
    changed = [draft for draft in drafts if draft.is_changed and not draft.is_new]
    return {draft.item.pk: image for draft in changed if (image := before_image(draft))}


def _finish(draft: Draft, pen: Pen) -> None:
    item = draft.item
    put_into(item, draft.after)
    item.desired = draft.desired
    item.updated_at = pen.at
    if draft.lifecycle and draft.lifecycle != item.lifecycle:
        item.lifecycle = draft.lifecycle
        item.lifecycle_at = pen.at
    if not draft.is_new:
        item.version += 1


def _write_items(new: Sequence[Draft], old: Sequence[Draft]) -> None:
    if new:
        for draft, key in zip(new, store.allocate(Item, len(new)), strict=True):
            draft.item.pk = key
        store.insert(Item, ["id", *_ITEM_COLUMNS], (_inserted(draft.item) for draft in new))
        store.insert(ItemSeen, ["item", "last_seen"], ((draft.item.pk, draft.item.first_seen) for draft in new))
    store.update(Item, _UPDATED_COLUMNS, (_updated(draft.item) for draft in old))


def _write_history(new: Sequence[Draft], old: Sequence[Draft], pen: Pen) -> None:
    rows: list[tuple[int, str, object, object]] = [(draft.item.pk, "", None, None) for draft in new]
    rows.extend((draft.item.pk, *change) for draft in old for change in draft.changes)
    if rows:
        change_set = pen.change_set_id()
        store.insert(Change, ["change_set", "item", "field", "old", "new"], ([change_set, *row] for row in rows))


def _write_derived(new: Sequence[Draft], old: Sequence[Draft]) -> None:
    touched = [draft for draft in old if index_rows(draft.spec, draft.before) != index_rows(draft.spec, draft.after)]
    ids = [draft.item.pk for draft in touched]
    if ids:
        ItemIndex.objects.filter(item_id__in=ids).delete()
    written = [(draft, draft.item.pk) for draft in (*new, *touched)]
    rows = [(*row, key) for draft, key in written for row in index_rows(draft.spec, draft.after)]
    # Rows sorted by key go to neighbouring places of the B-trees, which SQLite rewards.
    texts = sorted(row for row in rows if row[1] is not None)
    numbers = sorted(row for row in rows if row[1] is None)
    store.insert(ItemIndex, ["field", "text", "number", "name", "item"], texts + numbers)
    store.insert(ItemText, ["item", "words"], ((draft.item.pk, search_words(draft.spec, draft.after)) for draft in new))
    store.upsert(
        ItemText,
        ["item", "words"],
        ["item"],
        ((draft.item.pk, search_words(draft.spec, draft.after)) for draft in touched),
    )
    _write_unique(new, old)


def _write_unique(new: Sequence[Draft], old: Sequence[Draft]) -> None:
    moved = [
        draft
        for draft in old
        if set(unique_rows(draft.spec, draft.before)) != set(unique_rows(draft.spec, draft.after))
    ]
    if moved:
        ItemUnique.objects.filter(item_id__in=[draft.item.pk for draft in moved]).delete()
    rows = (
        (draft.item.pk, draft.spec.id, field, value)
        for draft in [*new, *moved]
        for field, value in unique_rows(draft.spec, draft.after)
    )
    store.insert(ItemUnique, ["item", "type", "field", "value"], rows)


def _write_secrets(drafts: Sequence[Draft]) -> None:
    rows = [
        (draft.item.pk, field, secret.digest(plain), secret.seal(plain))
        for draft in drafts
        for field, plain in draft.secrets.items()
    ]
    store.upsert(ItemSecret, ["item", "field", "digest", "sealed"], ["item", "field", "digest"], rows)


def _write_observations(drafts: Sequence[Draft]) -> None:
    rows = [
        (
            one.id,
            (draft.item.pk, one.source, one.scope, one.external_id, draft.spec.id, one.content, one.identities,
            one.content_hash, one.first_seen, None if one.is_live else one.seen_at),
            one.seen_at,
        )
        for draft in drafts
        for one in draft.said.values()
        if one.is_changed
    ]  # fmt: skip
    fresh = [(row, seen_at) for known, row, seen_at in rows if known is None]
    keys = store.allocate(Observation, len(fresh)) if fresh else []
    store.insert(
        Observation,
        ["id", *_OBSERVATION_COLUMNS],
        ((key, *row) for key, (row, _seen_at) in zip(keys, fresh, strict=True)),
    )
    store.update(Observation, _OBSERVATION_COLUMNS, ((*row, known) for known, row, _at in rows if known is not None))
    seen = ((key, seen_at, 0) for key, (_row, seen_at) in zip(keys, fresh, strict=True))
    store.insert(Sighting, ["observation", "seen_at", "misses"], seen)
    store.update(
        Sighting, ["seen_at", "misses"], ((seen_at, 0, known) for known, _row, seen_at in rows if known is not None)
    )


def _write_identities(drafts: Sequence[Draft]) -> None:
    """Write the identities of changed records again; those of other sources stay as they are."""
    touched = [draft for draft in drafts if any(one.is_changed for one in draft.said.values())]
    stale = [draft.item.pk for draft in touched if not draft.is_new]
    if stale:
        Identity.objects.filter(item_id__in=stale).delete()
    rows = {
        (draft.item.pk, kind, value, one.source): STRENGTHS[kind]
        for draft in touched
        if draft.item.lifecycle != Lifecycle.RETIRED
        for one in draft.said.values()
        for kind, value in one.identities
    }
    store.insert(
        Identity, ["item", "kind", "value", "source", "strength"], ((*key, strength) for key, strength in rows.items())
    )


def _write_drift(drafts: Sequence[Draft], pen: Pen) -> None:
    """Keep `since` and the acknowledgement of a drift whose values stay the same; drop drift that is gone."""
    known = [draft for draft in drafts if not draft.is_new]
    found = {
        (draft.item.pk, one.field): one
        for draft in drafts
        if len(draft.said) > 1 or draft.desired
        for one in differences(draft.spec, draft.desired, draft.seen(), draft.after)
    }
    stored = Drift.objects.filter(item_id__in=[draft.item.pk for draft in known]) if known else ()
    over = []
    for row in stored:
        now = found.get((row.item_id, row.field))
        if now is not None and (row.desired, row.observed, row.source) == (now.desired, now.observed, now.source):
            del found[(row.item_id, row.field)]
        else:
            over.append(row.pk)
    if over:
        Drift.objects.filter(pk__in=over).delete()
    rows = (
        (item, one.field, one.kind, one.desired, one.observed, one.source, pen.at, "", "")
        for (item, _field), one in found.items()
    )
    columns = ["item", "field", "kind", "desired", "observed", "source", "since", "acknowledged_by", "note"]
    store.insert(Drift, columns, rows)
