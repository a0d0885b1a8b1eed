"""Facts of reached hosts into the inventory, by its one write path, as the source "ssh"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.access.vault.using import Keys, use
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, NotFound, OpsError, TooMany
from quarterdeck.inventory.actions.apply import apply
from quarterdeck.inventory.connectors import this_machine
from quarterdeck.inventory.found import Found
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries import targets
from quarterdeck.jobs.facts import parsing
from quarterdeck.jobs.facts.models import InstalledPackages, packed
from quarterdeck.jobs.facts.packages import packages_of
from quarterdeck.jobs.facts.tree import Output
from quarterdeck.jobs.reaching import become_of, target_of
from quarterdeck.remote.target import Target

SOURCE = "ssh"
MAX_ITEMS = 1000
TYPE = "host"


@dataclass(frozen=True, slots=True)
class Gathered:
    """How one host's facts went; `error` is None when they are in the inventory."""

    item: Item
    error: OpsError | None = None
    packages: int = 0


@action("jobs.run", atomic=False)
def refresh_facts(actor: Actor, items: Sequence[Item], *, accepts_new: bool = False) -> list[Gathered]:
    """Ask hosts for their facts and write them; one that fails keeps what is known of it. In the order of `items`.

    Takes `jobs.run`, `credentials.use` and `inventory.edit` on every item, with `accepts_new` also `jobs.host_keys`.
    Raises Denied, TooMany, KeyLost, BadInput for what is no host.
    """
    _check(actor, items, accepts_new)
    keys = use(actor, items, "facts")
    said = _said(actor, items, keys, accepts_new=accepts_new)
    written = _write(actor, items, {pk: output for pk, output in said.items() if isinstance(output, Output)})
    done = [_gathered(item, said[item.pk], written) for item in items]
    failed = sum(one.error is not None for one in done)
    record(actor, "jobs.refresh_facts", None, f"{len(done) - failed} hosts, {failed} failed", after={"failed": failed})
    return done


@action("jobs.run", atomic=False)
def refresh_facts_of(actor: Actor, ids: Sequence[int], *, accepts_new: bool = False) -> list[Gathered]:
    """The same by the ids of items, in order of their names. Raises NotFound for one that the actor may not see."""
    known = targets(actor, ids, "jobs.run", limit=MAX_ITEMS)
    items = Item.objects.filter(pk__in=known).select_related("type").order_by("name", "pk")
    return refresh_facts(actor, list(items), accepts_new=accepts_new)


def _check(actor: Actor, items: Sequence[Item], accepts_new: bool) -> None:
    if len(items) > MAX_ITEMS:
        raise TooMany(
            _("More than %(limit)d items are selected.") % {"limit": MAX_ITEMS}, hint=_("Narrow the query and repeat.")
        )
    for verb in ("jobs.run", "inventory.edit", *(["jobs.host_keys"] if accepts_new else [])):
        require(actor, verb, items)
    for item in items:
        if item.type.code != TYPE:
            raise BadInput(
                _('"%(name)s" is no host') % {"name": item.name}, hint=_("choose hosts: type:host"), field="ids"
            )


def _said(
    actor: Actor, items: Sequence[Item], keys: Mapping[int, Keys], *, accepts_new: bool
) -> dict[int, Output | OpsError]:
    # asyncssh costs a third of a second at its import: who reaches hosts pays for it, not every process that starts.
    from quarterdeck.jobs.facts.gathering import Way, gather
    from quarterdeck.jobs.host_keys.using import keep, known

    ways: dict[int, Way] = {}
    said: dict[int, Output | OpsError] = {}
    for item in items:
        try:
            mine = keys[item.pk]
            ways[item.pk] = Way(target_of(item, mine), become_of(mine, is_asked=mine.become is not None))
        except BadInput as error:
            said[item.pk] = error
    host_keys = known((way.target for way in ways.values()), accepts_new=accepts_new)
    said |= gather(ways, host_keys)
    keep(actor, host_keys, {_place(way.target): pk for pk, way in ways.items()})
    return said


def _place(target: Target) -> tuple[str, int]:
    return target.address, target.port


def _write(actor: Actor, items: Iterable[Item], said: Mapping[int, Output]) -> dict[int, int | OpsError]:
    """Write what hosts said; return the number of packages by item, or why it was not taken."""
    written: dict[int, int | OpsError] = {}
    batch: list[Found] = []
    for item in items:
        if item.pk in said:
            batch.append(found_of(item, said[item.pk], len(batch) + 1))
    applied = apply(actor, batch, SOURCE, may_create=False, reason=_("facts of the host"))
    wrong = {error.row: error.message for error in applied.errors}
    for one in batch:
        if one.row in wrong:
            written[one.item_id or 0] = BadInput(wrong[one.row])
        else:
            written[one.item_id or 0] = _keep_packages(one.item_id or 0, said[one.item_id or 0])
    return written


def found_of(item: Item, output: Output, row: int = 1) -> Found:
    """Return what a host told of itself, as of this item, by whatever name it calls itself. Pure."""
    page = parsing.page_of(output)
    manager, packages = packages_of(output)
    attributes = parsing.attributes_of(output) | ({"packages": {manager: len(packages)}} if manager else {})
    return Found(
        type=TYPE,
        external_id=str(item.pk),
        name=item.name,
        attributes=attributes,
        identities=this_machine.identities(page),
        state="running",
        raw_state="running",
        row=row,
        item_id=item.pk,
    )


@transaction.atomic
def _keep_packages(item: int, output: Output) -> int:
    manager, packages = packages_of(output)
    if not manager:
        InstalledPackages.objects.filter(item=item).delete()
        return 0
    content, digest = packed(manager, packages)
    values = {"manager": manager, "count": len(packages), "packed": content, "digest": digest, "read_at": now()}
    InstalledPackages.objects.update_or_create(item_id=item, defaults=values)
    return len(packages)


def _gathered(item: Item, said: Output | OpsError, written: Mapping[int, int | OpsError]) -> Gathered:
    outcome = said if isinstance(said, OpsError) else written[item.pk]
    return Gathered(item, error=outcome) if isinstance(outcome, OpsError) else Gathered(item, packages=outcome)


def package_count(item: Item) -> int:
    """Return how many packages are known of an item that the caller may see, 0 when none are."""
    return InstalledPackages.objects.filter(item=item).values_list("count", flat=True).first() or 0


def packages_known(actor: Actor, item: Item) -> InstalledPackages:
    """Return the installed packages of an item that the actor may see. Raises Denied, NotFound when none are known."""
    require(actor, "inventory.view", item)
    found = InstalledPackages.objects.filter(item=item).first()
    if found is None:
        raise NotFound(
            _("the packages of %(name)s are not known") % {"name": item.name}, hint=f"qd hosts facts -q id:{item.pk}"
        )
    return found
