"""Whose host keys a person may see and decide on: those of the items of their roles.

Keys of places that no item is known for are for who is not limited to a query.
"""

from __future__ import annotations

from django.db.models import QuerySet

from quarterdeck.access.checks import require, visible
from quarterdeck.access.grants import allowed
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.host_keys.models import HostKey

SEE, DECIDE = "inventory.view", "jobs.host_keys"


def keys_of(actor: Actor, verb: str = SEE) -> QuerySet[HostKey]:
    """Return the host keys on which the actor may `verb`. Raises Denied."""
    require(actor, verb)
    if is_unlimited(actor, verb):
        return HostKey.objects.all()
    return HostKey.objects.filter(item__in=visible(actor, verb, Item.objects.all()))


def is_unlimited(actor: Actor, verb: str) -> bool:
    return not allowed(actor, verb, Item)
