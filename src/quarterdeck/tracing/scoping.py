"""Which rows of telemetry an actor may read: those of the items on which the actor holds `telemetry.query`.

As on an item's page: a service's rows are those that name it, whoever sent them; anything else's are those that it
sent. Who may read everything, and selects nothing, also reads what belongs to no item.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from django.utils.translation import gettext as _

from quarterdeck.access.checks import require, visible
from quarterdeck.access.grants import allowed
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import TooMany
from quarterdeck.inventory import queries
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry import client
from quarterdeck.telemetry.conditions import EVERYTHING, NOTHING, Sql
from quarterdeck.telemetry.owners import owners_of
from quarterdeck.tracing.limits import options

VERB = "telemetry.query"
# Their numbers stand in the statement, 21 characters each.
OWNERS_MAX = 100_000
_ITEMS_AT_ONCE = 10_000
_NAMES = "SELECT name FROM senders WHERE senders.kind = 'service'"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows: those of `owners` (item ids and keys of senders), everybody's for None."""

    owners: tuple[int, ...] | None = None

    @property
    def rows(self) -> Sql:
        """The condition on `spans`, `logs` and `error_events`."""
        if self.owners is None:
            return EVERYTHING
        return Sql(f"(service IN ({self._services()}) OR sender IN ({self._numbers()}))") if self.owners else NOTHING

    def service(self, column: str = "service") -> Sql:
        """The condition on a column that names a service."""
        if self.owners is None:
            return EVERYTHING
        return Sql(f"{column} IN ({self._services()})") if self.owners else NOTHING

    def edge(self) -> Sql:
        """The condition on `edges_1m`: both ends may be read; what is no known service is told by its caller."""
        if self.owners is None:
            return EVERYTHING
        return self.service("caller") & (self.service("callee") | Sql(f"callee NOT IN ({_NAMES})"))

    def _services(self) -> str:
        return f"{_NAMES} AND senders.sender IN ({self._numbers()})"

    def _numbers(self) -> str:
        # Whole numbers of our own, so they are safe in the text; as a parameter they would be cut off as too long.
        return ",".join(str(int(owner)) for owner in self.owners or ())


def scope_of(actor: Actor, selector: str = "") -> Scope:
    """Return what `actor` may read of the items that `selector` selects. Raises Denied, BadQuery, TooMany."""
    require(actor, VERB)
    if selector.strip():
        found = queries.items(actor, selector, verb=VERB).order_by()
    elif allowed(actor, VERB, Item):
        found = visible(actor, VERB, Item.objects.all())
    else:
        return Scope()
    return Scope(tuple(sorted(_owners(found.values_list("pk", flat=True)[: OWNERS_MAX + 1]))))


def _owners(items: Iterable[int]) -> set[int]:
    found: set[int] = set()
    left = iter(items)
    while some := list(islice(left, _ITEMS_AT_ONCE)):
        found.update(owners_of(some))
    if len(found) > OWNERS_MAX:
        raise TooMany(
            _("these are the senders of more than %(limit)d items") % {"limit": OWNERS_MAX},
            hint=_("select fewer items at the top of the page"),
        )
    return found


def items_of_services(actor: Actor) -> dict[str, Item]:
    """Return `{service name: item}` of the services that are items which `actor` may see."""
    services = {item.pk: item for item in queries.items(actor, "type:service").order_by()[:_ITEMS_AT_ONCE]}
    owners = owners_of(list(services))
    rows = client.query("SELECT DISTINCT name, sender FROM senders WHERE senders.kind = 'service'", options=options())
    return {str(name): services[owners[sender]] for name, sender in rows if sender in owners}
