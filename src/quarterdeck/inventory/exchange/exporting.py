"""The inventory into files: what is written imports again unchanged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from django.db.models import Count, QuerySet

from quarterdeck.access.checks import action, visible
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory import queries
from quarterdeck.inventory.catalogue import TypeCatalogue, TypeSpec, catalogue
from quarterdeck.inventory.exchange.detect import format_named
from quarterdeck.inventory.exchange.records import LABEL, RELATION, Format, Record
from quarterdeck.inventory.exchange.rows import to_cell
from quarterdeck.inventory.exchange.shapes import ITEM_FIELDS
from quarterdeck.inventory.models import Identity, Item, Kind, Lifecycle, Relation

CHUNK_ITEMS = 1_000
_GONE = (Lifecycle.RETIRED, Lifecycle.TRASHED)


@action("inventory.export", atomic=False)
def export(actor: Actor, q: str, format: str, stream: BinaryIO) -> int:  # noqa: A002
    """Write the items that `q` selects, and `actor` may see and export, to `stream`; return how many.

    Values of secret attributes are left out. Raises BadQuery, BadInput for an unknown format or a value that the
    format cannot hold, Denied.
    """
    plugin = format_named(format)
    selected = visible(actor, "inventory.export", queries.items(actor, q, "id"))
    if plugin.type:
        selected = selected.filter(type__code=plugin.type)
    columns = _columns(selected, catalogue()) if plugin.flat else []
    count = 0

    def counted() -> Iterator[Record]:
        nonlocal count
        for count, one in enumerate(records(actor, selected, plugin), 1):  # noqa: B007 - the last one is the answer
            yield one

    plugin.write(counted(), columns, stream)
    record(
        actor,
        "inventory.export",
        None,
        f"{count} items as {format}: {q}".rstrip(": "),
        after={"items": count, "query": q},
    )
    return count


def records(actor: Actor, selected: QuerySet[Item], plugin: Format) -> Iterator[Record]:
    """Yield a record per item of a queryset of `queries.items(actor, q, "id")`: three queries per thousand items.

    An item that the actor may not see is not named: a relation to it is left out, a reference to it is its id.
    """
    types = catalogue()
    after, number = "", 0
    while True:
        items, cursor = queries.page(selected, after, CHUNK_ITEMS)
        relations = _relations(actor, [item.pk for item in items])
        names = _reference_names(actor, items, types)
        for item in items:
            number += 1
            yield Record(
                number, _fields(item, types.by_id[item.type_id], relations.get(item.pk, {}), names, plugin.flat)
            )
        if cursor is None:
            return
        after = cursor


def _fields(
    item: Item, spec: TypeSpec, relations: dict[str, list[str]], names: dict[int, str], is_flat: bool
) -> dict[str, Any]:
    fields: dict[str, Any] = {"id": item.pk, "type": spec.code}
    fields |= {name: getattr(item, name) for name in ITEM_FIELDS[2:] if getattr(item, name)}
    for code, value in item.attributes.items():
        attribute = spec.attributes.get(code)
        if attribute is None or attribute.kind == Kind.SECRET:
            continue
        if attribute.kind == Kind.REFERENCE:
            value = [names.get(one, one) for one in value] if isinstance(value, list) else names.get(value, value)
        fields[code] = to_cell(value, attribute.kind) if is_flat else value
    fields |= {LABEL + name: value for name, value in item.labels.items()}
    for relation, targets in relations.items():
        fields[RELATION + relation] = to_cell(targets, Kind.TEXT) if is_flat else targets
    return fields


def _columns(selected: QuerySet[Item], types: TypeCatalogue) -> list[str]:
    """All the columns that the items use, in the order people know: the item's own, attributes, labels, relations."""
    used: set[str] = set()
    labels: set[str] = set()
    rows = selected.order_by("id").values_list("attributes", "labels")
    for attributes, own_labels in rows.iterator(CHUNK_ITEMS):
        used.update(attributes)
        labels.update(own_labels)
    position = {code: min(spec.position for spec in specs) for code, specs in types.fields.items()}
    secret = {code for code, specs in types.fields.items() if all(spec.kind == Kind.SECRET for spec in specs)}
    ordered = sorted(used - secret, key=lambda code: (position.get(code, 0), code))
    relations = (
        Relation.objects.filter(src__in=selected.order_by().values("pk")).values_list("type", flat=True).distinct()
    )
    return [
        *ITEM_FIELDS,
        *ordered,
        *(LABEL + name for name in sorted(labels)),
        *(RELATION + name for name in sorted(set(relations))),
    ]


def _reference_names(actor: Actor, items: Sequence[Item], types: TypeCatalogue) -> dict[int, str]:
    """Return the names of the items that attributes refer to, where a name is enough to find its item again."""
    wanted: set[int] = set()
    for item in items:
        for code, attribute in types.by_id[item.type_id].attributes.items():
            if attribute.kind == Kind.REFERENCE and (value := item.attributes.get(code)):
                wanted.update(value if isinstance(value, list) else [value])
    return {pk: name for pk, (_type, name) in _told_apart(_seen(actor, wanted)).items() if not name.isdecimal()}


def _seen(actor: Actor, ids: set[int]) -> set[int]:
    """Return those of the items that the actor may see."""
    if not ids:
        return set()
    rows = visible(actor, "inventory.view", Item.objects.filter(pk__in=ids))
    return set(rows.order_by().values_list("pk", flat=True))


def _told_apart(ids: set[int]) -> dict[int, tuple[str, str]]:
    """Return `{id: (type code, name)}` of the items whose name no other item of their type has."""
    if not ids:
        return {}
    rows = list(Item.objects.filter(pk__in=ids).values_list("pk", "type_id", "type__code", "name"))
    alike = Item.objects.filter(type_id__in={row[1] for row in rows}, name__in={row[3] for row in rows})
    counted = alike.exclude(lifecycle__in=_GONE).order_by().values_list("type_id", "name").annotate(n=Count("pk"))
    shared = {(type_id, name) for type_id, name, n in counted if n > 1}
    return {pk: (code, name) for pk, type_id, code, name in rows if (type_id, name) not in shared}


def _relations(actor: Actor, ids: Sequence[int]) -> dict[int, dict[str, list[str]]]:
    """Return `{item: {"runs_on": ["host:kvm1"]}}`. A target that shares its name is named by its strongest key.

    One that has none cannot be told in a file, and its relation is left out; importing leaves it as it is.
    """
    edges = list(Relation.objects.filter(src_id__in=ids).values_list("src_id", "type", "dst_id").order_by("dst_id"))
    targets = _seen(actor, {dst for _src, _kind, dst in edges})
    names = {pk: f"{code}:{name}" for pk, (code, name) in _told_apart(targets).items()}
    names |= _keys(targets - names.keys())
    found: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for src, kind, dst in edges:
        if dst in names:
            found[src][kind].append(names[dst])
    return found


def _keys(ids: set[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    rows = Identity.objects.filter(item_id__in=ids, strength__lt=8).order_by("-strength", "value") if ids else ()
    for row in rows:
        found[row.item_id] = f"{row.kind}:{row.value}"
    return found
