"""What people do about drift: know of it, or take the observation as the wish."""

from __future__ import annotations

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import Conflict
from quarterdeck.inventory.actions.items import update_item
from quarterdeck.inventory.models import Drift, Item


@action("inventory.edit")
def acknowledge_drift(actor: Actor, drift: Drift, *, note: str = "") -> Drift:
    """Note that somebody knows of a drift; it comes up again when its values change."""
    require(actor, "inventory.edit", drift.item)
    drift.acknowledged_by = actor.name[:150]
    drift.acknowledged_at = now()
    drift.note = note[:500]
    drift.save(update_fields=["acknowledged_by", "acknowledged_at", "note"])
    record(actor, "inventory.acknowledge_drift", drift.item, drift.field, reason=note)
    return drift


@action("inventory.edit")
def accept_drift(actor: Actor, drift: Drift, *, reason: str = "") -> Item:
    """Take what is observed as what is wished: the value set by hand is taken back, or the observed one is set."""
    if not Drift.objects.filter(pk=drift.pk).exists():
        raise Conflict(_("This drift is over."), hint=_("Load the page again."))
    value = None if drift.kind == "wish" else drift.observed
    return update_item(actor, drift.item, {drift.field: value}, reason=reason)


@action("inventory.secrets")
def reveal_secret(actor: Actor, item: Item, field: str, *, reason: str) -> str:
    """Return a secret's plain text; who read it, when and why stands in the audit log. Raises NotFound, BadInput."""
    from quarterdeck.core.errors import BadInput, NotFound
    from quarterdeck.inventory.models import ItemSecret
    from quarterdeck.inventory.writing.secret import unseal

    require(actor, "inventory.secrets", item)
    if not reason.strip():
        raise BadInput(_("A reason is needed to read a secret."), hint=_("Say what it is for."), field="reason")
    row = ItemSecret.objects.filter(item=item, field=field, digest=item.attributes.get(field, "")).first()
    if row is None:
        raise NotFound(_('"%(name)s" has no secret "%(field)s".') % {"name": item.name, "field": field})
    record(actor, "inventory.reveal_secret", item, field, reason=reason)
    return unseal(row.sealed)
