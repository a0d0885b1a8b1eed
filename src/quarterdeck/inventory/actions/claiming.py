"""Items that appeared because something sent telemetry: a person says whether they belong to the fleet."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.access.checks import action
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.actions.items import Bulk, bulk_update, trash

# Selects them in every query box.
UNCLAIMED = "claim:unclaimed"


@action("inventory.edit")
def adopt(actor: Actor, target: str | Sequence[int], *, reason: str = "") -> Bulk:
    """Make unclaimed items ordinary ones; `revert` takes it back. Raises Denied."""
    return bulk_update(actor, target, {"label.claim": None}, reason=reason or "adopted")


@action("inventory.delete")
def ignore(actor: Actor, target: str | Sequence[int], *, reason: str = "") -> Bulk:
    """Put unclaimed items into the trash: what they send is kept, and no item appears for it again. Raises Denied."""
    return trash(actor, target, reason=reason or "ignored")
