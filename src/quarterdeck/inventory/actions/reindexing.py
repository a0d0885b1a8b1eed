"""Make the side index, uniqueness and words of items true again after a definition changed."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from quarterdeck.core.errors import Conflict
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Item, ItemIndex, ItemText, ItemUnique, Observation
from quarterdeck.inventory.writing import store
from quarterdeck.inventory.writing.content import content_of_item
from quarterdeck.inventory.writing.derived import index_rows, search_words, unique_rows

_BATCH = 2000


def _batches(type_code: str | None) -> Iterator[list[Item]]:
    rows = Item.objects.order_by("pk")
    if type_code is not None:
        rows = rows.filter(type_id=catalogue().types[type_code].id)
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:_BATCH]):
        yield batch
        last = batch[-1].pk


def reindex(type_code: str | None, *, forget: str = "") -> None:
    """Write everything derived of all items of a type (None: of all types) again. `forget` drops an attribute's values.

    Raises Conflict when an attribute was made unique and values are not.
    """
    types = catalogue()
    for items in _batches(type_code):
        ids = [item.pk for item in items]
        if forget:
            _forget(items, forget)
        contents = [(item, types.by_id[item.type_id], content_of_item(item)) for item in items]
        ItemIndex.objects.filter(item_id__in=ids).delete()
        ItemUnique.objects.filter(item_id__in=ids).delete()
        store.insert(
            ItemIndex,
            ["item", "field", "text", "number", "name"],
            ((item.pk, *row) for item, spec, content in contents for row in index_rows(spec, content)),
        )
        store.upsert(
            ItemText,
            ["item", "words"],
            ["item"],
            ((item.pk, search_words(spec, content)) for item, spec, content in contents),
        )
        uniques = [(item.pk, spec.id, *row) for item, spec, content in contents for row in unique_rows(spec, content)]
        try:
            with transaction.atomic():
                store.insert(ItemUnique, ["item", "type", "field", "value"], uniques)
        except IntegrityError as error:
            raise Conflict(
                _("Values that exist are not unique."),
                hint=_("Correct the doubles first, then make it unique."),
                field="unique",
            ) from error


def _forget(items: list[Item], code: str) -> None:
    touched = [item for item in items if code in item.attributes or code in item.desired]
    for item in touched:
        item.attributes.pop(code, None)
        item.desired.pop(code, None)
    store.update(Item, ["attributes", "desired"], ((item.attributes, item.desired, item.pk) for item in touched))
    said = [
        row for row in Observation.objects.filter(item_id__in=[item.pk for item in items]) if code in row.attributes
    ]
    for row in said:
        del row.attributes[code]
    store.update(Observation, ["attributes"], ((row.attributes, row.pk) for row in said))
