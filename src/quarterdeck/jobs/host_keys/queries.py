"""Reads of host keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Count, QuerySet

from quarterdeck.audit.actor import Actor
from quarterdeck.core.query import compile_q, parse
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.host_keys.deciding import stored
from quarterdeck.jobs.host_keys.fields import HostKeyFields
from quarterdeck.jobs.host_keys.models import HostKey, HostKeyState
from quarterdeck.jobs.host_keys.scope import SEE, keys_of


def host_keys(actor: Actor, q: str = "", *, verb: str = SEE) -> QuerySet[HostKey]:
    """Return the keys that the query selects and on which the actor may `verb`. Raises Denied, BadQuery."""
    found = keys_of(actor, verb).filter(compile_q(parse(q), HostKeyFields(actor)))
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
