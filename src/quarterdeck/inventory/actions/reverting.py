"""Taking back what people did: an edit of one or many, an import, a way into the trash. Sources are not taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require, visible
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import Conflict, NotFound
from quarterdeck.inventory.actions.items import BATCH_ROWS, save_checked
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import (
    BeforeImage,
    Change,
    ChangeSet,
    Identity,
    Item,
    Observation,
    Relation,
)
from quarterdeck.inventory.writing import store
from quarterdeck.inventory.writing.drafts import Draft, Pen, drafts_of
from quarterdeck.inventory.writing.effective import IMPORT, PEOPLE
from quarterdeck.inventory.writing.putting_back import put_back, put_into_trash
from quarterdeck.inventory.writing.relate import write_changes
from quarterdeck.inventory.writing.saving import taken

_NAMED = 10


@dataclass(frozen=True, slots=True)
class Reverted:
    """What was taken back: items by id, those left alone since they changed, the change set of the way back."""

    ids: list[int]
    kept: list[int]
    change_set_id: int | None

    @property
    def count(self) -> int:
        return len(self.ids)


@dataclass(slots=True)
class _Way:
    """The way back of one change set while it is walked. `kept` are items that changed since."""

    actor: Actor
    change_set: ChangeSet
    pen: Pen
    done: dict[int, None] = field(default_factory=dict)
    kept: list[int] = field(default_factory=list)


@action("inventory.edit")
def revert(actor: Actor, change_set: int, *, untouched_only: bool = False, reason: str = "") -> Reverted:
    """Give every item of a change set back what that replaced; items that it made go into the trash.

    Refuses when something that it set was changed since, and names those items; with `untouched_only` they stay as they
    are. All or none, as a change set of its own that can be taken back the same way. Raises NotFound, Conflict, Denied.
    """
    stored = _stored(actor, change_set)
    # Under the same source, so that relations of files stay those of files, there and back.
    pen = Pen(actor, stored.source, reason, now(), reverts=stored.pk)
    way = _Way(actor, stored, pen)
    for ids in _batches(_touched(stored)):
        _revert_values(way, ids)
    _revert_relations(way)
    if way.kept and not untouched_only:
        raise _changed_since(way)
    if not way.done:
        raise _changed_since(way) if way.kept else _nothing_left()
    record(
        actor, "inventory.revert", ("change_set", str(pen.change_set_id()), stored.source),
        f"{len(way.done)} items of change set {stored.pk}",
        after={"reverts": stored.pk, "kept": len(way.kept), "ids": list(way.done)[:1000]}, reason=reason,
    )  # fmt: skip
    return Reverted(list(way.done), way.kept, pen.change_set_id())


def _stored(actor: Actor, pk: int) -> ChangeSet:
    """Return the change set, locked. What touches nothing that the actor may see does not exist."""
    from quarterdeck.inventory.queries import change_sets

    stored = ChangeSet.objects.select_for_update().filter(pk=pk).first()
    if stored is None or not change_sets(actor).filter(pk=pk).exists():
        raise NotFound(_("There is no change set %(id)d.") % {"id": pk}, hint=_("Its items may have been purged."))
    if stored.source not in PEOPLE:
        raise Conflict(
            _('The source "%(source)s" observed this; only what people did can be undone.') % {"source": stored.source},
            hint=_("Set the values by hand: that wins over what sources see."),
        )
    return stored


def _touched(stored: ChangeSet) -> QuerySet[Item]:
    """Every item of which the change set replaced a decision, that it made, or of which it changed relations."""
    changed = Change.objects.filter(Q(field="") | Q(field__startswith="relation."), change_set=stored)
    images = BeforeImage.objects.filter(change_set=stored)
    return Item.objects.filter(Q(pk__in=images.values("item")) | Q(pk__in=changed.values("item")))


def _batches(items: QuerySet[Item]) -> Iterator[list[int]]:
    ids = list(items.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), BATCH_ROWS):
        yield ids[start : start + BATCH_ROWS]


def _revert_values(way: _Way, ids: Sequence[int]) -> None:
    """Take the values of one batch back: a fixed number of statements, whatever its size."""
    chosen = Item.objects.filter(pk__in=ids)
    require(way.actor, "inventory.edit", chosen)
    images: dict[int, Mapping[str, Any]] = dict(
        BeforeImage.objects.filter(change_set=way.change_set, item_id__in=ids).values_list("item_id", "replaced")
    )
    made = set(
        Change.objects.filter(change_set=way.change_set, item_id__in=ids, field="").values_list("item", flat=True)
    )
    if moving := [*made, *(pk for pk, image in images.items() if "lifecycle" in image)]:
        require(way.actor, "inventory.delete", Item.objects.filter(pk__in=moving))
    edited = _edited_since(way.change_set, made)
    drafts = drafts_of(chosen.select_for_update().order_by("pk"), catalogue())
    for pk, draft in drafts.items():
        is_untouched = (pk not in made or put_into_trash(draft, is_edited=pk in edited)) and put_back(
            draft, images.get(pk, {})
        )
        draft.work_out()
        if not is_untouched:
            way.kept.append(pk)
    _save(way, [draft for pk, draft in drafts.items() if pk not in set(way.kept)])


def _edited_since(change_set: ChangeSet, made: set[int]) -> set[int]:
    """Return which of the items that the change set made were changed by people afterwards, and still are."""
    if not made:
        return set()
    later = Change.objects.filter(item_id__in=made, change_set_id__gt=change_set.pk, change_set__source__in=PEOPLE)
    edits = set(later.filter(change_set__reverts=None).values_list("item_id", "change_set_id"))
    if not edits:
        return set()
    ways_back: dict[int, list[int]] = {}
    for pk, target in ChangeSet.objects.filter(pk__gt=change_set.pk, reverts__gt=0).values_list("pk", "reverts_id"):
        ways_back.setdefault(target, []).append(pk)
    return {item for item, edit in edits if _is_in_force(edit, ways_back)}


def _is_in_force(pk: int, ways_back: Mapping[int, Sequence[int]]) -> bool:
    """Whether nothing that is itself in force took the change set back."""
    return not any(_is_in_force(one, ways_back) for one in ways_back.get(pk, ()))


def _save(way: _Way, drafts: Sequence[Draft]) -> None:
    clashing = taken(drafts)
    way.kept.extend(drafts[position].item.pk for position in clashing)
    moved = [draft for position, draft in enumerate(drafts) if draft.is_changed and position not in clashing]
    _forget_imports(moved)
    save_checked(moved, way.pen)
    if moved:
        require(way.actor, "inventory.edit", Item.objects.filter(pk__in=[draft.item.pk for draft in moved]))
    way.done.update(dict.fromkeys(draft.item.pk for draft in moved))


def _forget_imports(drafts: Sequence[Draft]) -> None:
    """Drop the records of files that the drafts no longer have: they would say nothing."""
    silent = [
        draft.item.pk
        for draft in drafts
        if draft.imported and not any(one.source == IMPORT for one in draft.said.values())
    ]
    Observation.objects.filter(item_id__in=silent, source=IMPORT).delete()
    Identity.objects.filter(item_id__in=silent, source=IMPORT).delete()


def _revert_relations(way: _Way) -> None:
    """Remove the relations that the change set made and put those back that it removed."""
    changes = Change.objects.filter(change_set=way.change_set, field__startswith="relation.").order_by("pk")
    kept = set(way.kept)
    rows = [row for row in changes.values_list("item_id", "field", "old", "new") if row[0] not in kept]
    for start in range(0, len(rows), BATCH_ROWS):
        _revert_edges(way, rows[start : start + BATCH_ROWS])


def _revert_edges(way: _Way, rows: Sequence[tuple[int, str, Any, Any]]) -> None:
    made = {(item, name.removeprefix("relation."), new["id"]) for item, name, _old, new in rows if new is not None}
    removed = {(item, name.removeprefix("relation."), old["id"]) for item, name, old, _new in rows if old is not None}
    source = way.change_set.source
    written = [*_remove(made, source), *_put(removed, source, way.pen)]
    ends = {end for src, _kind, old, new in written for end in (src, old, new) if end is not None}
    require(way.actor, "inventory.edit", Item.objects.filter(pk__in=ends))
    write_changes(written, way.pen)
    sources = {src for src, _kind, _old, _new in written}
    # The same file again is news again.
    Observation.objects.filter(item_id__in=sources, source=IMPORT).update(content_hash=b"")
    way.done.update(dict.fromkeys(sorted(sources)))


_RelationKey = tuple[int, str, int]  # item, relation type, target
_RelationChange = tuple[int, str, int | None, int | None]


def _remove(made: set[_RelationKey], source: str) -> list[_RelationChange]:
    rows = Relation.objects.filter(src_id__in={src for src, _kind, _dst in made}, source=source)
    over = [row for row in rows if (row.src_id, row.type, row.dst_id) in made]
    Relation.objects.filter(pk__in=[row.pk for row in over]).delete()
    return [(row.src_id, row.type, row.dst_id, None) for row in over]


def _put(removed: set[_RelationKey], source: str, pen: Pen) -> list[_RelationChange]:
    rows = Relation.objects.filter(src_id__in={src for src, _kind, _dst in removed})
    there = set(rows.values_list("src_id", "type", "dst_id"))
    ends = {end for src, _kind, dst in removed for end in (src, dst)}
    known = set(Item.objects.filter(pk__in=ends).values_list("pk", flat=True))
    fresh = [key for key in sorted(removed - there) if {key[0], key[2]} <= known]
    store.insert(
        Relation, ["src", "dst", "type", "source", "first_seen", "last_seen"],
        ((src, dst, kind, source, pen.at, pen.at) for src, kind, dst in fresh),
    )  # fmt: skip
    return [(src, kind, None, dst) for src, kind, dst in fresh]


def _changed_since(way: _Way) -> Conflict:
    rows = visible(way.actor, "inventory.view", Item.objects.filter(pk__in=way.kept))
    names = list(rows.order_by("name", "pk").values_list("name", flat=True)[: _NAMED + 1])
    shown = ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")
    return Conflict(
        _("%(count)d of the items changed since: %(names)s.") % {"count": len(way.kept), "names": shown},
        hint=_("Undo only the untouched ones, or edit these by hand."),
        field="untouched_only",
    )


def _nothing_left() -> Conflict:
    return Conflict(
        _("Nothing of this change is left to undo."),
        hint=_("It was undone already, or it is a merge or a split, which the item's Sources page undoes."),
    )
