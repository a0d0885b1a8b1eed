"""Who uses a type or an attribute, asked before either is changed or removed."""

from __future__ import annotations

from quarterdeck.audit.actor import Actor
from quarterdeck.inventory import queries
from quarterdeck.inventory.models import Item


def items_by_type(actor: Actor) -> dict[str, int]:
    """Return `{"host": 12}`: items per type that `actor` may see and that are not retired or in the trash."""
    by_type: dict[str, int] = queries.counts(actor)["by_type"]
    return by_type


def items_of(type_code: str) -> int:
    """Return how many items have the type, whatever became of them: each of them keeps the type from going."""
    return Item.objects.filter(type__code=type_code).count()


def items_with(type_code: str, attribute: str) -> int:
    """Return how many items have a value for the attribute."""
    items = Item.objects.filter(attributes__has_key=attribute)
    return (items.filter(type__code=type_code) if type_code else items).count()
