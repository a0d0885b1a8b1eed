"""Host keys around a piece of work: the approved ones before it, what it saw after it.

host_keys = known(targets, accepts_new=False)
...                                              # the handshakes ask `host_keys`, never the database
keep(actor, host_keys, {("10.0.0.7", 22): 17})
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from django.db import transaction

from quarterdeck.audit.actor import Actor
from quarterdeck.audit.appending import gathered
from quarterdeck.core.clock import now
from quarterdeck.jobs.host_keys.deciding import CHUNK, keep_others_out
from quarterdeck.jobs.host_keys.keeping import Keeping
from quarterdeck.jobs.host_keys.known_hosts import line_of
from quarterdeck.jobs.host_keys.models import HostKey, HostKeyState
from quarterdeck.jobs.host_keys.places import place_of, places_of
from quarterdeck.remote.host_keys import HostKeys, Place
from quarterdeck.remote.target import Target

# An approved key that is shown all day is noted once an hour.
_NOTED_EVERY = timedelta(hours=1)


def known(targets: Iterable[Target], *, accepts_new: bool) -> HostKeys:
    """Return what is known of the places of `targets` and of their jump hosts: a query for each 500.

    Who asks with `accepts_new` approves keys by it, which takes `jobs.host_keys`: the caller requires it of the actor.
    """
    approved: dict[Place, list[str]] = {}
    refused: dict[Place, list[str]] = {}
    for place, row in _rows(targets):
        if row.state == HostKeyState.APPROVED:
            approved.setdefault(place, []).append(row.key)
        elif row.state == HostKeyState.REFUSED:
            refused.setdefault(place, []).append(row.key)
        elif row.is_change:
            # The place is known: no key of it is accepted as a first one.
            refused.setdefault(place, [])
    return HostKeys.of(approved, accepts_new=accepts_new, refused=refused)


def known_hosts_text(targets: Iterable[Target]) -> str:
    """Return the approved keys of the places as OpenSSH's known_hosts has them, refused ones marked as revoked."""
    lines = {
        line_of(row.address, row.port, row.key, is_revoked=row.state == HostKeyState.REFUSED): None
        for _place, row in _rows(targets)
        if row.state != HostKeyState.PENDING
    }
    return "".join(f"{line}\n" for line in lines if line)


def _rows(targets: Iterable[Target]) -> Iterator[tuple[Place, HostKey]]:
    """Yield each stored key with the place as the targets spell it."""
    spelled: dict[Place, set[Place]] = defaultdict(set)
    for place in places_of(targets):
        spelled[place_of(place)].add(place)
    addresses = list(dict.fromkeys(address for address, _port in spelled))
    for start in range(0, len(addresses), CHUNK):
        rows = HostKey.objects.filter(address__in=addresses[start : start + CHUNK]).order_by("pk")
        for row in rows.only("address", "port", "key", "state", "is_change"):
            for place in spelled.get((row.address, row.port), ()):
                yield place, row


def keep(actor: Actor, host_keys: HostKeys, items: Mapping[Place, int]) -> None:
    """Store what was shown, under the items of `items`: `{("10.0.0.7", 22): item id}`. Kept twice it is kept once.

    What was accepted at first contact is approved by `actor`, unless another key was approved there meanwhile: then,
    as with every changed key, it waits for a decision, and an alarm is raised.
    """
    if host_keys.seen:
        with transaction.atomic(), gathered():
            keep_others_out()
            Keeping(actor, items).keep(host_keys.seen)
    _note(host_keys)


def _note(host_keys: HostKeys) -> None:
    """Say that approved keys were shown just now."""
    at = now()
    shown = {(place_of(place), key) for place, key in host_keys.confirmed}
    addresses = list(dict.fromkeys(address for (address, _port), _key in shown))
    for start in range(0, len(addresses), CHUNK):
        part = addresses[start : start + CHUNK]
        stale = HostKey.objects.filter(address__in=part).exclude(last_seen__gte=at - _NOTED_EVERY)
        rows = stale.values_list("pk", "address", "port", "key")
        due = [pk for pk, address, port, key in rows if ((address, port), key) in shown]
        if due:
            HostKey.objects.filter(pk__in=due).update(last_seen=at)
