"""Items that appeared because something sent telemetry: a person says whether they belong to the fleet."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.actions.items import MAX_BULK, Bulk, bulk_update, trash
from quarterdeck.inventory.models import Item

# Selects them in every query box. Without "label." it would be an unknown field while no item carries the label.
UNCLAIMED = "label.claim:unclaimed"


def is_unclaimed(item: Item) -> bool:
    """Whether a person still has to say what the item is."""
    return bool(item.labels.get("claim") == "unclaimed")


@action("inventory.edit")
def adopt(actor: Actor, target: str | Sequence[int], *, reason: str = "") -> Bulk:
    """Make the unclaimed ones of `target` ordinary items; others stay as they are. `revert` takes it back.

    Raises Denied.
    """
    ids = _unclaimed(actor, target, "inventory.edit")
    return bulk_update(actor, ids, {"label.claim": None}, reason=reason or "adopted")


@action("inventory.delete")
def ignore(actor: Actor, target: str | Sequence[int], *, reason: str = "") -> Bulk:
    """Put the unclaimed ones of `target` into the trash; others stay as they are.

    What they send is kept, and no item appears for it again. `revert` takes it back. Raises Denied.
    """
    return trash(actor, _unclaimed(actor, target, "inventory.delete"), reason=reason or "ignored")


def _unclaimed(actor: Actor, target: str | Sequence[int], verb: str) -> list[int]:
    """Return the ids of the target that nobody has claimed; a query that is too wide must not trash a fleet."""
    from quarterdeck.inventory.queries import condition, items, targets

    if isinstance(target, str):
        rows = items(actor, target, "id", verb=verb)
    else:
        rows = Item.objects.filter(pk__in=targets(actor, target, verb, limit=MAX_BULK))
        require(actor, verb, rows)
    return sorted(rows.filter(condition(UNCLAIMED)).values_list("pk", flat=True)[: MAX_BULK + 1])
