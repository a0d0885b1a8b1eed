"""Asking passive Zabbix agents.

Agents of 6.0 are asked for real in tests/receivers/zabbix; what 7.0 answers is taken from its documentation.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from quarterdeck.monitoring.zabbix import asking
from quarterdeck.monitoring.zabbix.asking import NotAnswered, Value, ask, ask_for
from quarterdeck.monitoring.zabbix.polling import Agent, Round, address_of, poll
from quarterdeck.telemetry.receivers.zabbix.catalogue import Catalogue, Discovery, Group, Item
from quarterdeck.telemetry.receivers.zabbix.framing import Decoder, frame

Reply = Callable[[bytes], bytes]


@contextlib.asynccontextmanager
async def agent(reply: Reply) -> AsyncIterator[asking.Address]:
    """Serve one exchange for each connection, as agents do; an empty reply hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = Decoder(1 << 16, 1 << 16)
        messages: list[bytes] = []
        while not messages and (data := await reader.read(1 << 16)):
            messages += decoder.feed(data)
        writer.write(reply(messages[0]) if messages else b"")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[:2]


def version_7(request: bytes) -> bytes:
    [one] = json.loads(request)["data"]
    values = {
        "agent.ping": {"value": 1},
        "net.if.discovery": {"value": '[{"{#IFNAME}":"lo"}]'},
        "net.if.in[lo]": {"value": "9"},
    }
    found = values.get(one["key"], {"error": "Unsupported item key."})
    return frame(json.dumps({"version": "7.0.0", "variant": 2, "data": [found]}).encode())


def version_6(request: bytes) -> bytes:
    return frame(b"1" if request == b"agent.ping" else b"ZBX_NOTSUPPORTED\0Unsupported item key.")


@pytest.mark.parametrize("reply", [version_6, version_7])
def test_it_asks_agents_of_both_kinds(reply: Reply) -> None:
    async def both() -> tuple[Value, Value]:
        async with agent(reply) as address:
            return await ask(address, "agent.ping"), await ask(address, "nothing")

    ping, nothing = asyncio.run(both())
    assert (ping.text, ping.error) == ("1", "")
    assert (nothing.text, nothing.error) == ("", "Unsupported item key.")


def test_an_agent_that_speaks_in_bare_keys_is_remembered() -> None:
    requests: list[bytes] = []

    def reply(request: bytes) -> bytes:
        requests.append(request)
        return version_6(request)

    async def twice() -> list[Value]:
        async with agent(reply) as address:
            return await ask_for(address, ["agent.ping", "agent.ping"])

    assert [value.text for value in asyncio.run(twice())] == ["1", "1"]
    assert [request[:1] for request in requests] == [b"{", b"a", b"a"]


@pytest.mark.parametrize(
    ("reply", "said"),
    [(lambda _: b"", "Server="), (lambda _: b"HTTP/1.1 400\r\n", "ZBXD"), (lambda _: frame(b"x" * 9)[:15], "Server=")],
)
def test_an_agent_that_does_not_answer_says_why(reply: Reply, said: str) -> None:
    async def once() -> None:
        async with agent(reply) as address:
            await ask(address, "agent.ping")

    with pytest.raises(NotAnswered, match=said):
        asyncio.run(once())


def test_what_is_discovered_is_asked_for_in_the_same_round() -> None:
    discovery = Discovery("net.if.discovery", 5, [Item("net.if.in[{#IFNAME}]", 5)])
    group = Group("g", items=[Item("agent.ping", 5)], discoveries=[discovery])
    catalogue = Catalogue([group], {"net.if.in": ["interface"]})

    async def once() -> list[tuple[str, dict[str, str], float]]:
        async with agent(version_7) as address:
            samples = await poll([Agent(7, address, [group])], catalogue, Round(100, 5))
            return [(one.metric, dict(one.labels), one.value) for one in samples]

    assert sorted(asyncio.run(once()), key=str) == [
        ("agent_ping", {}, 1.0), ("net_if_in", {"interface": "lo"}, 9.0), ("zabbix_agent_up", {}, 1.0),
    ]  # fmt: skip


def test_each_key_is_asked_once_in_its_delay() -> None:
    rounds = [Round(number, 30) for number in range(1000)]
    for key in map(str, range(20)):
        assert sum(one.is_due(key, 7, 600) for one in rounds) == 50
        assert all(one.is_due(key, 7, 10) for one in rounds)
    assert Round.at(datetime.fromtimestamp(3000.4, UTC), 30) == Round(100, 30)


@pytest.mark.parametrize(
    ("told", "address"),
    [("", ("web1", 10050)), ("10.0.0.7", ("10.0.0.7", 10050)), (":20050", ("web1", 20050)), ("[::1]:1", ("::1", 1))],
)
def test_an_address_is_read(told: str, address: asking.Address) -> None:
    assert address_of(told, "web1") == address


@pytest.mark.parametrize("told", ["a:b", "a:0", "a:70000", "a b", "::1"])
def test_what_is_no_address_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        address_of(told, "web1")
