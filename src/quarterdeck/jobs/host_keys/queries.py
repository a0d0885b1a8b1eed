"""Reads of host keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Count, QuerySet

from quarterdeck.audit.actor import Actor
from quarterdeck.core.query import compile_q, parse
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries.items import condition
from quarterdeck.jobs.host_keys.deciding import MAX_AT_ONCE, stored
from quarterdeck.jobs.host_keys.fields import HostKeyFields
from quarterdeck.jobs.host_keys.models import HostKey, HostKeyState
from quarterdeck.jobs.host_keys.scope import DECIDE, SEE, keys_of


def host_keys(actor: Actor, q: str = "", *, selector: str = "", verb: str = SEE) -> QuerySet[HostKey]:
    """Return the keys that the query selects and on which the actor may `verb`. Raises Denied, BadQuery.

    `selector` is a query of the inventory: only keys of the items that it selects.
    """
    found = keys_of(actor, verb).filter(compile_q(parse(q), HostKeyFields(actor)))
    if selector.strip():
        found = found.filter(item__in=Item.objects.filter(condition(selector)))
    return found.select_related("item")


def counts(actor: Actor) -> dict[str, int]:
    """Return `{"pending": 3, "changed": 1, "approved": 50, "refused": 0}`; changed ones are pending as well."""
    rows = keys_of(actor).order_by().values_list("state", "is_change").annotate(n=Count("pk"))
    found = dict.fromkeys([*HostKeyState.values, "changed"], 0)
    for state, is_change, n in rows:
        found[state] += n
        found["changed"] += n if is_change and state == HostKeyState.PENDING else 0
    return found


def expected(rows: Iterable[HostKey]) -> dict[int, list[HostKey]]:
    """Return `{key: [the approved keys of its place]}` of those that are another than what was approved."""
    changed = [row for row in rows if row.is_alarm]
    by_place: dict[tuple[str, int], list[HostKey]] = defaultdict(list)
    for row in stored((row.address, row.port) for row in changed):
        if row.state == HostKeyState.APPROVED:
            by_place[row.address, row.port].append(row)
    return {row.pk: by_place[row.address, row.port] for row in changed}


def of_item(actor: Actor, item: Item) -> list[HostKey]:
    """Return the keys of an item, alarms first."""
    return sorted(keys_of(actor).filter(item=item), key=lambda row: (not row.is_alarm, row.pk))


def waiting(actor: Actor, q: str, *, with_changed: bool = False) -> list[int]:
    """Return the ids of what `approve` of a query means: keys that wait, changed ones only where that is said."""
    found = host_keys(actor, q, verb=DECIDE).filter(state=HostKeyState.PENDING)
    if not with_changed:
        found = found.filter(is_change=False)
    return list(found.order_by("pk").values_list("pk", flat=True)[: MAX_AT_ONCE + 1])


def selected(actor: Actor, q: str) -> list[int]:
    """Return the ids of all keys that a query selects, for `refuse` and `forget`."""
    found = host_keys(actor, q, verb=DECIDE)
    return list(found.order_by("pk").values_list("pk", flat=True)[: MAX_AT_ONCE + 1])
