"""A connection of an agent or a sender: requests in JSON, each with its answer.

See https://www.zabbix.com/documentation/current/en/manual/appendix/items/trapper and .../items/activepassive
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from quarterdeck.core.errors import OpsError
from quarterdeck.telemetry.canonical import MetricRow, frame_of_metrics
from quarterdeck.telemetry.receivers.zabbix.catalogue import FIRST_DISCOVERY_SECONDS, Catalogue, Item, item_id, load
from quarterdeck.telemetry.receivers.zabbix.framing import Decoder, frame
from quarterdeck.telemetry.receivers.zabbix.keys import quoted
from quarterdeck.telemetry.receivers.zabbix.memory import Memory
from quarterdeck.telemetry.receivers.zabbix.values import HOST_MAX_CHARACTERS, Batch, Reader
from quarterdeck.telemetry.receiving import Answer, Peer, Problem, Refused, Taken

# Of one process: an agent's connections come one after another.
_MEMORY = Memory()
_LOG_DELAY_SECONDS = 5
# From this version on agents are told of their items only when something has changed.
_INCREMENTAL = (6, 4)
_TOLD_MAX_CHARACTERS = 2048


def problem(problem: Problem) -> bytes:
    """What agents write into their log and `zabbix_sender` prints; both take it as a failure and keep their values."""
    return frame(orjson.dumps({"response": "failed", "info": problem.message}))


class Session:
    """One connection. Agents of 6.0 open one for each request, later ones may send several on one."""

    def __init__(self, peer: Peer, memory: Memory = _MEMORY) -> None:
        self._peer, self._memory = peer, memory
        self._catalogue = load_or_refuse(peer.settings)
        limit, unfolded = (int(peer.settings.get(f"intake_{name}_max_mb", 32)) << 20 for name in ("body", "content"))
        self._decoder = Decoder(limit, unfolded)
        self._requests: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Taken]]] = {
            "sender data": self._sender_data,
            "agent data": self._agent_data,
            "active checks": self._active_checks,
            "active check heartbeat": self._heartbeat,
        }

    def feed(self, data: bytes) -> Iterator[Taken]:
        for message in self._decoder.feed(data):
            request = _read(message)
            name = request.get("request")
            take = self._requests.get(name) if isinstance(name, str) else None
            if take is None:
                raise Refused(f"the request {str(name)[:60]!r} is not spoken here", reason="request")
            yield from take(request)

    def end(self) -> Iterator[Taken]:
        if not self._decoder.is_empty:
            raise Refused("the connection ended within a message", reason="truncated")
        return iter(())

    def _sender_data(self, request: Mapping[str, Any]) -> Iterator[Taken]:
        started = time.perf_counter()
        values = _values(request)
        batch = Reader(self._memory, self._catalogue).read(values, "", self._now_ns())
        yield _kept(batch, len(values), started)
        _learn(batch)

    def _agent_data(self, request: Mapping[str, Any]) -> Iterator[Taken]:
        started = time.perf_counter()
        values, host, token = _values(request), _text(request, "host"), _text(request, "session")
        session = (host or _text(values[0], "host") if values and isinstance(values[0], dict) else host, token)
        if token and session in self._memory.busy:
            raise Refused("values of this session are being kept right now", reason="busy")
        new = self._unseen(values, session) if token else values
        batch = Reader(self._memory, self._catalogue).read(new, host, self._now_ns())
        self._memory.busy.add(session)
        try:
            yield _kept(batch, len(values), started)
        finally:
            self._memory.busy.discard(session)
        _learn(batch)
        if token and (ids := [value["id"] for value in new if isinstance(value, dict) and _is_id(value.get("id"))]):
            self._memory.last_ids.set(session, max(ids))

    def _unseen(self, values: list[Any], session: tuple[str, str]) -> list[Any]:
        last = self._memory.last_ids.get(session)
        if last is None:
            return values
        return [
            value
            for value in values
            if not isinstance(value, dict) or not _is_id(value.get("id")) or value["id"] > last
        ]

    def _active_checks(self, request: Mapping[str, Any]) -> Iterator[Taken]:
        host = _host(request)
        told = self._told(request, host)
        if self._memory.identities.get(host) != told:
            self._memory.identities.set(host, told)
        row = MetricRow(
            "zabbix_agent_info",
            {"host": host, "version": told.get("zabbix.agent.version", "")},
            [(self._now_ns() // 1_000_000, 1.0)],
            self._memory.sender_of(host),
        )
        items = self._items(host)
        yield Taken([frame_of_metrics([row])], _answer(self._checks(request, host, items)))

    def _told(self, request: Mapping[str, Any], host: str) -> dict[str, str]:
        found = {
            "host.name": host,
            "host.ip": _text(request, "interface") or _text(request, "ip"),
            "network.peer.address": self._peer.address,
            "zabbix.host_metadata": _text(request, "host_metadata"),
            "zabbix.agent.version": _text(request, "version"),
        }
        return {name: value for name, value in found.items() if value}

    def _items(self, host: str) -> list[Item]:
        """Return what a host is to measure, each key once."""
        found: dict[str, Item] = {}
        for group in self._catalogue.groups:
            if group.query and not self._peer.is_selected(group.query, host):
                continue
            for item in group.items:
                found.setdefault(item.key, item)
            for discovery in group.discoveries:
                things = self._memory.found.get((host, discovery.key))
                delay = discovery.delay if things is not None else min(discovery.delay, FIRST_DISCOVERY_SECONDS)
                found.setdefault(discovery.key, Item(discovery.key, delay))
                for item in discovery.expanded(things or ()):
                    found.setdefault(item.key, item)
        for path in self._peer.settings.get("zabbix_logs", ()):
            # What was there before an agent's first start is not news.
            key = f"log[{quoted(path)},,,,skip]"
            found.setdefault(key, Item(key, _LOG_DELAY_SECONDS))
        return list(found.values())

    def _checks(self, request: Mapping[str, Any], host: str, items: list[Item]) -> dict[str, Any]:
        data: list[dict[str, Any]] = []
        for item in items:
            log_size, changed = self._memory.positions.get((host, item.key)) or (0, 0)
            number = item_id(item.key)
            self._memory.keys.set(number, item.key)
            # Agent 2 refuses the whole list without numbers, or with a delay that is no text; the older agent takes all.
            data.append(
                {"key": item.key, "itemid": number, "delay": str(item.delay), "lastlogsize": log_size, "mtime": changed}
            )
        if _version(request) < _INCREMENTAL:
            return {"response": "success", "data": data}
        revision = zlib.crc32(orjson.dumps([(item.key, item.delay) for item in items])) or 1
        if request.get("config_revision") == revision:
            return {"response": "success"}
        return {"response": "success", "config_revision": revision, "data": data}

    def _heartbeat(self, request: Mapping[str, Any]) -> Iterator[Taken]:
        """Zabbix' server does not answer it either."""
        host, every = _host(request), request.get("heartbeat_freq")
        if not isinstance(every, int) or not 0 < every < 1 << 32:
            raise Refused("a heartbeat says how many seconds it is to the next one")
        row = MetricRow(
            "zabbix_agent_heartbeat_interval_seconds",
            {"host": host},
            [(self._now_ns() // 1_000_000, float(every))],
            self._memory.sender_of(host),
        )
        yield Taken([frame_of_metrics([row])])

    def _now_ns(self) -> int:
        return int(self._peer.now().timestamp() * 1_000_000) * 1_000


def load_or_refuse(settings: Mapping[str, Any]) -> Catalogue:
    try:
        return load(str(settings.get("zabbix_items", "")))
    except OpsError as error:
        raise Refused(error.message, reason="items") from error


def _read(message: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(message)
    except orjson.JSONDecodeError:
        # A line of a log need not be UTF-8; an agent whose message is refused would send it for ever.
        try:
            found = orjson.loads(message.decode(errors="replace"))
        except orjson.JSONDecodeError as error:
            raise Refused(f"the message is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise Refused("the message is no JSON object")
    return found


def _values(request: Mapping[str, Any]) -> list[Any]:
    values = request.get("data")
    if not isinstance(values, list):
        raise Refused('the request has no list "data"')
    return values


def _text(request: Mapping[str, Any], name: str) -> str:
    value = request.get(name)
    return value[:_TOLD_MAX_CHARACTERS] if isinstance(value, str) else ""


def _host(request: Mapping[str, Any]) -> str:
    host = request.get("host")
    if not isinstance(host, str) or not 0 < len(host) <= HOST_MAX_CHARACTERS or not host.isprintable():
        raise Refused("the request names no host", reason="bad_host")
    return host


def _version(request: Mapping[str, Any]) -> tuple[int, int]:
    match = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", _text(request, "version"))
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _kept(batch: Batch, total: int, started: float) -> Taken:
    """Values that were kept before, under the same number, count as processed: the agent is to forget them."""
    failed = sum(batch.refused.values())
    seconds = time.perf_counter() - started
    # `zabbix_sender` reads this text: with failed ones it exits 2.
    info = f"processed: {total - failed}; failed: {failed}; total: {total}; seconds spent: {seconds:.6f}"
    return Taken(batch.frames(), _answer({"response": "success", "info": info}), batch.refused)


def _learn(batch: Batch) -> None:
    for remember in batch.learnt:
        remember()


def _answer(content: Mapping[str, Any]) -> Answer:
    return Answer(frame(orjson.dumps(content)))
