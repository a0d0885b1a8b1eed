"""The way to one host for a person who waits: its address, the credential in force for them, its host keys."""

from __future__ import annotations

from dataclasses import dataclass

from quarterdeck.access.vault.using import use
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.host_keys.using import keep, known
from quarterdeck.jobs.reaching import target_of
from quarterdeck.remote.host_keys import HostKeys
from quarterdeck.remote.target import Target


@dataclass(frozen=True, slots=True)
class Way:
    """Where a connection goes, with what is known of the host's keys: a new one is not accepted on the way."""

    target: Target
    host_keys: HostKeys


def way_to(actor: Actor, item: Item, purpose: str) -> Way:
    """Return the way with the credentials of the actor, whose use is audited for `purpose`. Raises OpsError."""
    target = target_of(item, use(actor, [item], purpose)[item.pk])
    return Way(target, known([target], accepts_new=False))


def note_host_keys(actor: Actor, item: Item, way: Way) -> None:
    """Store which keys were shown: an unknown one waits for a decision then."""
    keep(actor, way.host_keys, {(way.target.address, way.target.port): item.pk})
