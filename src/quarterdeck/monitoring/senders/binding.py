"""Binding senders to items: the source "intake" observes on an item that the sender belongs to it.

The binding is the observation itself. So merging two items joins what they sent, splitting parts it again, and
whatever people do is undone as any other change of an item.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import QuerySet

from quarterdeck.access.checks import action
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.inventory.actions import apply
from quarterdeck.inventory.found import Found
from quarterdeck.inventory.models import Item, Observation
from quarterdeck.inventory.writing.effective import INTAKE
from quarterdeck.monitoring.queries import this_machine
from quarterdeck.monitoring.senders.naming import Sender, found, match
from quarterdeck.telemetry import client

SOURCE = INTAKE
SCOPE = "senders"
# A sender that is silent for longer is not looked at again before it speaks.
_RECENT = timedelta(minutes=15)
# What one run binds at most; a fleet that appears at once takes a few runs.
_SENDERS_MAX = 10_000

_SPOKE = "SELECT DISTINCT sender FROM senders WHERE last_seen >= toDateTime({since:Int64}, 'UTC')"
_SENDERS = """
    SELECT sender, anyLast(senders.kind), anyLast(senders.name), anyLast(senders.identities), min(key) = 0
    FROM senders WHERE sender IN {keys:Array(UInt64)} GROUP BY sender"""


@action("monitoring.collect", atomic=False)
def bind(actor: Actor) -> int:
    """Bind senders that spoke lately and belong to no item yet; return how many.

    One that answers to exactly one item (by machine or container id, name, host name, address) is bound to it. Any
    other becomes an item of its own, labelled `claim=unclaimed`, for a person to adopt, ignore or merge.
    Raises Denied, Unavailable.
    """
    senders = _unbound()
    if not senders:
        return 0
    matched = match(senders, this_machine())
    kinds = dict(Item.objects.filter(pk__in=set(matched.values())).values_list("pk", "type__code"))
    batch = [_bound(sender, matched.get(sender.key), kinds) for sender in senders]
    apply(actor, batch, SOURCE, scope=SCOPE)
    return len(batch)


def _unbound() -> list[Sender]:
    spoke = {int(key) for (key,) in client.query(_SPOKE, {"since": int((now() - _RECENT).timestamp())})}
    known = Observation.objects.filter(source=SOURCE, scope=SCOPE).values_list("external_id", flat=True)
    keys = sorted(spoke.difference(map(int, known)))[:_SENDERS_MAX] if spoke else []
    if not keys:
        return []
    rows = client.query(_SENDERS, {"keys": keys})
    return [Sender(int(key), kind, name, dict(said), bool(keyless)) for key, kind, name, said, keyless in rows]


def _bound(sender: Sender, item: int | None, kinds: dict[int, str]) -> Found:
    """Return what is observed: on a known item no more than a name, else an item that nobody has claimed."""
    one = found(sender)
    if item is None:
        return one
    return Found(kinds[item], one.external_id, one.name, item_id=item)


def senders_of(items: Sequence[int]) -> dict[int, list[int]]:
    """Return `{item id: [sender keys]}`; see `telemetry.owners`."""
    bound: dict[int, list[int]] = {}
    rows = Observation.objects.filter(source=SOURCE, scope=SCOPE, item_id__in=items)
    for item, key in rows.values_list("item_id", "external_id"):
        bound.setdefault(item, []).append(int(key))
    return bound


def names_of_senders(items: QuerySet[Item]) -> tuple[tuple[int, str], ...]:
    """Return `(sender key, item's name)` of what is bound to one of the items."""
    rows = Observation.objects.filter(source=SOURCE, scope=SCOPE, item__in=items.order_by())
    return tuple((int(key), name) for key, name in rows.values_list("external_id", "item__name"))


__all__ = ["SCOPE", "SOURCE", "bind", "names_of_senders", "senders_of"]
