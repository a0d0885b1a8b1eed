"""What monitoring does: measure this machine and its containers, ask passive agents."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime

from django.conf import settings

from quarterdeck.access.checks import action
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.later import later
from quarterdeck.inventory.models import Lifecycle, Observation
from quarterdeck.monitoring.collection.backlog import Backlog
from quarterdeck.monitoring.collection.containers import usages
from quarterdeck.monitoring.collection.intake import intake_readings
from quarterdeck.monitoring.collection.system import System
from quarterdeck.monitoring.queries import this_machine, zabbix_agents
from quarterdeck.monitoring.zabbix.polling import Round, poll
from quarterdeck.telemetry.actions import write_samples
from quarterdeck.telemetry.receivers.zabbix.catalogue import load
from quarterdeck.telemetry.samples import Sample

# Ten minutes at the default interval: the time an engine needs to come back, and some megabytes at the most.
BACKLOG_BATCHES = 60

_system = System()
_backlog: Backlog[Sample] = Backlog(BACKLOG_BATCHES)
_zabbix_backlog: Backlog[Sample] = Backlog(BACKLOG_BATCHES)


@action("monitoring.collect", atomic=False)
def collect(actor: Actor) -> int:
    """Measure this machine and its running containers once; return how many samples were stored.

    While the engine is away samples wait in this process, at most BACKLOG_BATCHES collections; then the oldest are
    dropped, with a warning that counts them. Before this machine is an item, the sources are asked to find it, and
    nothing is measured. Raises Denied.
    """
    host = this_machine()
    if host is None:
        later("inventory.sync_sources")
        return 0
    at = now()
    own = [Sample(reading.metric, reading.labels, host, at, reading.value) for reading in intake_readings(actor)]
    _backlog.add([*samples(host, at), *own])
    return _backlog.flush(write_samples)


def samples(host: int, at: datetime) -> Iterator[Sample]:
    for reading in _system.read():
        yield Sample(reading.metric, reading.labels, host, at, float(reading.value))
    items = {key: (item, scope) for key, item, scope in _containers()}
    for container, usage in usages({key: scope for key, (_item, scope) in items.items()}).items():
        for reading in usage.readings():
            yield Sample(reading.metric, reading.labels, items[container][0], at, reading.value)


def _containers() -> list[tuple[str, int, str]]:
    """Return `(container id, item, engine's URL)` of the containers that ran at the last pass."""
    running = Observation.objects.filter(
        source="docker_engine",
        type__code="container",
        gone_at=None,
        item__state="running",
        item__lifecycle=Lifecycle.ACTIVE,
    )
    return list(running.values_list("external_id", "item_id", "scope"))


@action("monitoring.collect", atomic=False)
def ask_zabbix_agents(actor: Actor) -> int:
    """Ask the passive Zabbix agents of the hosts that setting `zabbix_agents` selects; return how many samples came.

    An agent's address is its item's label `zabbix_agent` ("host:port", each may be left out), or the item's address and
    port 10050. Raises Denied, BadInput for a wrong file of items, BadQuery.
    """
    query = str(settings.QD["zabbix_agents"])
    if not query:
        return 0
    catalogue = load(str(settings.QD["zabbix_items"]))
    agents = list(zabbix_agents(query, catalogue))
    now_round = Round.at(now(), int(settings.QD["zabbix_poll_seconds"]))
    _zabbix_backlog.add(asyncio.run(poll(agents, catalogue, now_round)))
    return _zabbix_backlog.flush(write_samples)
