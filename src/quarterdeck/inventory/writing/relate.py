"""Relations that a source reports: written after all items of the call exist, so that order does not matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext as _

from quarterdeck.access.checks import visible
from quarterdeck.access.grants import allowed
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.catalogue import TypeCatalogue
from quarterdeck.inventory.found import STRENGTHS, RowError
from quarterdeck.inventory.models import Change, Identity, Item, Lifecycle, Observation, Relation
from quarterdeck.inventory.writing import store
from quarterdeck.inventory.writing.drafts import Pen

Target = tuple[str, str]  # type code or identity kind, key

_GONE = (Lifecycle.RETIRED.value, Lifecycle.TRASHED.value)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The relations that one record reports. `observation` gets `content_hash` once all its targets are found."""

    row: int
    item_id: int
    type_id: int
    external_id: str
    content_hash: bytes
    relations: tuple[tuple[str, str, str], ...]


@dataclass(slots=True)
class Related:
    added: int = 0
    removed: int = 0
    item_ids: set[int] | None = None


def _by_observation(source: str, targets: set[Target], catalogue: TypeCatalogue) -> dict[Target, set[int]]:
    found: dict[Target, set[int]] = defaultdict(set)
    ids = {catalogue.types[kind].id: kind for kind, _key in targets if kind in catalogue.types}
    if ids:
        rows = Observation.objects.filter(
            source=source, type_id__in=list(ids), external_id__in={key for _kind, key in targets}, gone_at=None
        ).values_list("type_id", "external_id", "item_id")
        for type_id, key, item in rows:
            found[(ids[type_id], key)].add(item)
    return found


def _by_name(targets: set[Target], catalogue: TypeCatalogue) -> dict[Target, set[int]]:
    found: dict[Target, set[int]] = defaultdict(set)
    ids = {catalogue.types[kind].id: kind for kind, _key in targets if kind in catalogue.types}
    if ids:
        rows = Item.objects.filter(type_id__in=list(ids), name__in={key for _kind, key in targets})
        for type_id, name, item in rows.exclude(lifecycle__in=_GONE).values_list("type_id", "name", "id"):
            found[(ids[type_id], name)].add(item)
    return found


def _by_identity(targets: set[Target]) -> dict[Target, set[int]]:
    found: dict[Target, set[int]] = defaultdict(set)
    wanted = {(kind, key.strip().lower()): (kind, key) for kind, key in targets if kind in STRENGTHS}
    if wanted:
        rows = Identity.objects.filter(kind__in={k for k, _v in wanted}, value__in={v for _k, v in wanted})
        for kind, value, item in rows.exclude(item__lifecycle__in=_GONE).values_list("kind", "value", "item_id"):
            if (kind, value) in wanted:
                found[wanted[(kind, value)]].add(item)
    return found


def resolve(source: str, targets: set[Target], catalogue: TypeCatalogue) -> dict[Target, int]:
    """Return the item of each target that is found and unambiguous: three queries for any number of targets."""
    observed = _by_observation(source, targets, catalogue)
    missing = targets - observed.keys()
    named = _by_name(missing, catalogue) if missing else {}
    identified = _by_identity(missing) if missing else {}
    everything = {**identified, **named, **observed}
    return {target: next(iter(items)) for target, items in everything.items() if len(items) == 1}


def resolve_for(actor: Actor, source: str, targets: set[Target], catalogue: TypeCatalogue) -> dict[Target, int]:
    """Return `resolve` as far as the actor may edit the targets, which a relation needs at both of its ends."""
    found = resolve(source, targets, catalogue) if targets else {}
    mine = _editable(actor, set(found.values()))
    return {target: pk for target, pk in found.items() if pk in mine}


def _editable(actor: Actor, ids: set[int]) -> set[int]:
    if not ids or not allowed(actor, "inventory.edit", Item):
        return ids
    return set(visible(actor, "inventory.edit", Item.objects.filter(pk__in=ids)).values_list("pk", flat=True))


def write_relations(
    wanted: Sequence[Wanted], source: str, scope: str, catalogue: TypeCatalogue, pen: Pen
) -> tuple[Related, list[RowError]]:
    """Make the relations of these items from `source` exactly the wanted ones; return what could not be found.

    Relations to items that the writer may not edit are neither made nor removed.
    """
    targets = {(kind, key) for one in wanted for _type, kind, key in one.relations}
    found = resolve_for(pen.actor, source, targets, catalogue)
    warnings: list[RowError] = []
    rows: dict[tuple[int, int, str], None] = {}
    complete: list[Wanted] = []
    for one in wanted:
        lost = [(kind, key) for _type, kind, key in one.relations if (kind, key) not in found]
        warnings.extend(
            RowError(
                one.row, "relations", _('no item is known as %(kind)s "%(key)s"') % {"kind": kind, "key": key[:80]}
            )
            for kind, key in lost
        )
        if not lost:
            complete.append(one)
        for relation, kind, key in one.relations:
            target = found.get((kind, key))
            if target is not None and target != one.item_id:
                rows[(one.item_id, target, relation[:32])] = None
    related = _replace({one.item_id for one in wanted}, rows, source, pen)
    if complete:
        store.update_where(
            Observation,
            ["content_hash"],
            ["source", "scope", "type", "external_id"],
            ((one.content_hash, source, scope, one.type_id, one.external_id) for one in complete),
        )
    return related, warnings


def _replace(items: set[int], rows: dict[tuple[int, int, str], None], source: str, pen: Pen) -> Related:
    stored = {
        (row.src_id, row.dst_id, row.type): row
        for row in Relation.objects.filter(Q(src_id__in=items)).only("src_id", "dst_id", "type", "source")
    }
    over = [row for key, row in stored.items() if row.source == source and key not in rows]
    mine = _editable(pen.actor, {row.dst_id for row in over})
    over = [row for row in over if row.dst_id in mine]
    fresh = [key for key in rows if key not in stored]
    if over:
        Relation.objects.filter(pk__in=[row.pk for row in over]).delete()
    store.insert(
        Relation,
        ["src", "dst", "type", "source", "first_seen", "last_seen"],
        ((*key, source, pen.at, pen.at) for key in fresh),
    )
    changes: list[tuple[int, str, int | None, int | None]] = [(src, kind, None, dst) for src, dst, kind in fresh]
    changes.extend((row.src_id, row.type, row.dst_id, None) for row in over)
    write_changes(changes, pen)
    return Related(len(fresh), len(over), {change[0] for change in changes})


def write_changes(changes: Sequence[tuple[int, str, int | None, int | None]], pen: Pen) -> None:
    """Write history of relations, `(item, relation type, old target, new target)`; targets as `{"id", "name"}`."""
    if not changes:
        return
    ids = {target for _src, _kind, old, new in changes for target in (old, new) if target is not None}
    names = dict(Item.objects.filter(pk__in=ids).values_list("pk", "name"))

    def shown(target: int | None) -> dict[str, object] | None:
        return None if target is None else {"id": target, "name": names.get(target, "")}

    change_set = pen.change_set_id()
    store.insert(
        Change,
        ["change_set", "item", "field", "old", "new"],
        ((change_set, src, f"relation.{kind}", shown(old), shown(new)) for src, kind, old, new in changes),
    )
