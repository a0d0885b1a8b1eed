"""Which agents are asked for what, and what becomes of their values."""

from __future__ import annotations

import asyncio
import logging
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from quarterdeck.monitoring.zabbix.asking import PORT, Address, NotAnswered, Value, ask_for
from quarterdeck.telemetry.receivers.zabbix import keys
from quarterdeck.telemetry.receivers.zabbix.catalogue import Catalogue, Discovery, Group, Item, found_in
from quarterdeck.telemetry.receivers.zabbix.values import number_of
from quarterdeck.telemetry.receiving import Refused
from quarterdeck.telemetry.samples import Sample

log = logging.getLogger(__name__)
_AGENTS_AT_ONCE = 200
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]*)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Agent:
    """An item's agent and the groups of items that are for it."""

    item_id: int
    address: Address
    groups: Sequence[Group]


@dataclass(frozen=True, slots=True)
class Round:
    """One look at what is due: every `seconds`, now for the `number`th time since 1970."""

    number: int
    seconds: int

    @classmethod
    def at(cls, now: datetime, seconds: int) -> Round:
        return cls(round(now.timestamp() / seconds), seconds)

    def is_due(self, key: str, item_id: int, delay: int) -> bool:
        """Whether a key is asked in this round. Agents take turns, so that not all are asked for all at once."""
        shift = zlib.crc32(f"{item_id} {key}".encode()) % delay
        now, before = (number * self.seconds + shift for number in (self.number, self.number - 1))
        return now // delay != before // delay


def address_of(told: str, default_host: str) -> Address:
    """Return the address that the label `zabbix_agent` gives: "10.0.0.7", "db1:20050", ":20050". Raises ValueError."""
    match = _ADDRESS.fullmatch(told.strip())
    port = int(match["port"] or PORT) if match else 0
    host = (match["host"].strip("[]") if match else "") or default_host
    if not 0 < port < 65536 or not host:
        raise ValueError(f'"{told}" is no address of a Zabbix agent')
    return host, port


async def poll(agents: Sequence[Agent], catalogue: Catalogue, now: Round) -> list[Sample]:
    """Ask every agent for what is due. Those that are not reached within the round are left out."""
    places = asyncio.Semaphore(_AGENTS_AT_ONCE)
    found: list[Sample] = []

    async def one(agent: Agent) -> None:
        async with places:
            found.extend(await _poll_one(agent, catalogue, now))

    tasks = [asyncio.create_task(one(agent)) for agent in agents]
    _done, late = await asyncio.wait(tasks, timeout=now.seconds * 0.9) if tasks else (set(), set())
    for task in late:
        task.cancel()
    if late:
        log.warning("%d of %d Zabbix agents were not asked in time", len(late), len(tasks))
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _poll_one(agent: Agent, catalogue: Catalogue, now: Round) -> list[Sample]:
    items = {item.key: item for group in agent.groups for item in group.items}
    due = [key for key, item in items.items() if now.is_due(key, agent.item_id, item.delay)]
    try:
        for discovery in _discoveries(agent, now):
            due += await _found(agent, discovery, now)
        values = await ask_for(agent.address, list(dict.fromkeys(due)))
    except NotAnswered as error:
        log.info("Zabbix agent at %s port %d: %s", *agent.address, error)
        return [_sample(agent, "zabbix_agent_up", {}, datetime.now(UTC), 0.0)]
    up = [_sample(agent, "zabbix_agent_up", {}, datetime.now(UTC), 1.0)] if values else []
    return [*up, *_samples(agent, catalogue, values)]


def _discoveries(agent: Agent, now: Round) -> Iterator[Discovery]:
    """Yield those of which something may be due; what they find is asked for in the same round."""
    for group in agent.groups:
        for discovery in group.discoveries:
            if any(now.is_due(item.key, agent.item_id, item.delay) for item in discovery.items):
                yield discovery


async def _found(agent: Agent, discovery: Discovery, now: Round) -> list[str]:
    due = [item for item in discovery.items if now.is_due(item.key, agent.item_id, item.delay)]
    only = Discovery(discovery.key, discovery.delay, [Item(item.key, item.delay) for item in due], discovery.keep)
    for value in await ask_for(agent.address, [discovery.key]):
        try:
            return [item.key for item in only.expanded(found_in(value.text))] if not value.error else []
        except Refused as error:
            log.info("Zabbix agent at %s port %d, %s: %s", *agent.address, discovery.key, error.message)
    return []


def _samples(agent: Agent, catalogue: Catalogue, values: Sequence[Value]) -> Iterator[Sample]:
    """Yield the numbers; an agent that is asked has no logs, and text is left to active agents."""
    for value in values:
        name, parameters = keys.parse(value.key)
        number = number_of(value.text) if not value.error and name not in catalogue.texts else None
        if number is not None:
            labels = keys.labels_of(parameters, catalogue.parameters.get(name, ()))
            yield _sample(agent, keys.metric_of(name), labels, datetime.fromtimestamp(value.at, UTC), number)


def _sample(agent: Agent, metric: str, labels: Mapping[str, str], at: datetime, value: float) -> Sample:
    return Sample(metric, labels, agent.item_id, at, value)
