"""Adding hosts: the credential is attached by a label, and the hosts go into the inventory by its one write path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quarterdeck.access.checks import action, visible
from quarterdeck.access.vault.actions import attach
from quarterdeck.access.vault.queries import credential_of
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.exchange.importing import import_records
from quarterdeck.inventory.exchange.records import Record
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.onboarding.planning import LABEL, Planned, Wanted, planned

TYPE = "host"
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Added:
    """What was done: `result` as an import tells it, with "change_set" when something was written."""

    hosts: list[Planned]
    result: dict[str, Any]


@action("inventory.import", atomic=False)
def add_hosts(actor: Actor, wanted: Wanted, *, dry_run: bool = False) -> Added:
    """Add hosts; those that are there already by name are changed. One `revert` takes it back.

    With a credential they get the label `sign_in`, and the credential is attached to it, once: that takes
    `credentials.manage`. A dry run does neither, and tells what would be. Raises BadInput, NotFound, Denied.
    """
    hosts = planned(wanted)
    if wanted.credential:
        _attach(actor, wanted.credential, dry_run)
    title = " ".join(wanted.names)[:200]
    rows = (Record(number, host.fields) for number, host in enumerate(hosts, 1))
    result = import_records(actor, rows, type=TYPE, title=title, dry_run=dry_run)
    if not dry_run:
        counts = {name: result[name] for name in ("create", "update", "unchanged")}
        record(actor, "jobs.add_hosts", None, title, after={**counts, "sign_in": wanted.credential})
    return Added(hosts, result)


def _attach(actor: Actor, name: str, dry_run: bool) -> None:
    credential = credential_of(actor, name)
    query = f"type:{TYPE} label.{LABEL}:{credential.name}"
    if not dry_run and not credential.attachments.filter(query=query).exists():
        attach(actor, credential.name, query)


def known_names(actor: Actor, hosts: list[Planned]) -> set[str]:
    """Return the names that the actor sees hosts of already: they are changed, not made."""
    found: set[str] = set()
    items = visible(actor, "inventory.view", Item.objects.filter(type__code=TYPE, merged_into=None))
    for start in range(0, len(hosts), _CHUNK):
        names = [host.name for host in hosts[start : start + _CHUNK]]
        found.update(items.filter(name__in=names).values_list("name", flat=True))
    return found
