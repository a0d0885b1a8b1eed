"""What monitoring knows."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory import queries as inventory
from quarterdeck.inventory.connectors import this_machine as source
from quarterdeck.inventory.models import Observation
from quarterdeck.monitoring.zabbix.polling import Agent, address_of
from quarterdeck.telemetry.receivers.zabbix.catalogue import Catalogue

log = logging.getLogger(__name__)


def this_machine() -> int | None:
    """Return the item that this machine's own source keeps, wherever a merge has moved it; None before that."""
    seen = Observation.objects.filter(source="this_machine", scope=source.SCOPE, type__code="host", gone_at=None)
    return seen.order_by("-sighting__seen_at").values_list("item_id", flat=True).first()


def zabbix_agents(query: str, catalogue: Catalogue) -> Iterator[Agent]:
    """Yield the agents of the items that the query selects, each with its groups of items. Raises BadQuery."""
    hosts = inventory.items(SYSTEM, query)
    queries = {group.query for group in catalogue.groups if group.query}
    chosen = {one: set(inventory.items(SYSTEM, one).order_by().values_list("pk", flat=True)) for one in queries}
    for host in hosts:
        groups = [group for group in catalogue.groups if not group.query or host.pk in chosen[group.query]]
        try:
            address = address_of(str(host.labels.get("zabbix_agent", "")), host.primary_ip or host.name)
        except ValueError as error:
            log.warning("%s: %s", host.name, error)
        else:
            yield Agent(host.pk, address, groups)
