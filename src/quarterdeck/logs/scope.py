"""Whose lines a person may read, and what items sent: an item's lines are those of its senders, a service's also those
that name it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import require, visible
from quarterdeck.access.grants import allowed
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadQuery
from quarterdeck.core.query import And, Match, Node, Op, Or, Value
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries.items import compiled, items
from quarterdeck.telemetry import client
from quarterdeck.telemetry.conditions import NOTHING, Names, Sql
from quarterdeck.telemetry.owners import owners_of

VERB = "telemetry.query"
ITEMS_MAX = 20_000
_OPTIONS = {"max_execution_time": 10}
_SERVICES = """
    SELECT DISTINCT name FROM senders WHERE sender IN {owners:Array(UInt64)} AND kind = 'service' ORDER BY name"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an actor may read. `is_all`: every line, also those of senders that belong to no item."""

    actor: Actor
    names: Names
    is_all: bool

    def condition(self) -> Sql | None:
        """Return the SQL of the lines that the actor may read, None for all."""
        return None if self.is_all else self.of(visible(self.actor, VERB, Item.objects.all()))

    def of(self, found: QuerySet[Item]) -> Sql:
        """Return the SQL of what these items sent. Raises BadQuery for too many."""
        ids = list(found.order_by().values_list("pk", flat=True)[: ITEMS_MAX + 1])
        if len(ids) > ITEMS_MAX:
            raise BadQuery(
                _("More than %(limit)d items are selected.") % {"limit": ITEMS_MAX},
                hint=_("Narrow the query and repeat."),
            )
        return sent_by(self.names, ids) if ids else NOTHING

    def matched(self, match: Match) -> Sql:
        """Return the SQL of `item:web1`, `item:host/web1`, `item:7` or `item.env:prod`."""
        node = _items_node(match)
        return self.of(visible(self.actor, VERB, Item.objects.filter(compiled(node, self.actor))))

    def selected(self, query: str) -> Sql:
        """Return the SQL of what the items of an inventory query sent. Raises BadQuery."""
        return self.of(items(self.actor, query, verb=VERB))


def scope_of(actor: Actor, names: Names) -> Scope:
    """Raises Denied for who may query nothing at all."""
    require(actor, VERB)
    return Scope(actor, names, is_all=not allowed(actor, VERB, Item))


def sent_by(names: Names, ids: Iterable[int]) -> Sql:
    """Return the SQL of what the items sent, and of what names those of them that are services."""
    owners = list(owners_of(list(ids)))
    services = [str(name) for (name,) in client.query(_SERVICES, {"owners": owners}, options=_OPTIONS)]
    by_sender = names.sql("sender IN {}", ("Array(UInt64)", owners))
    return by_sender | names.sql("service IN {}", ("Array(String)", services)) if services else by_sender


def _items_node(match: Match) -> Node:
    name = match.field.partition(".")[2]
    if name:
        return Match(name, match.op, match.values, match.position)
    if match.op is not Op.EQ:
        return Match("name", match.op, match.values, match.position)
    nodes = [_one_item(value, match) for value in match.values]
    return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))


def _one_item(value: Value, match: Match) -> Node:
    kind, slash, name = value.raw.partition("/")
    named = Match("name", Op.EQ, (Value(name, value.quoted) if slash else value,), match.position)
    if slash:
        return And((Match("type", Op.EQ, (Value(kind, value.quoted),), match.position), named))
    if value.text.isdecimal() and len(value.text) < 19:
        return Or((Match("id", Op.EQ, (value,), match.position), named))
    return named
