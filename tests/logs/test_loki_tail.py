"""Loki's live tail: what is sent of a backlog, and the whole way with a WebSocket client on a running instance."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.lab.instances import Instance
from tests.lab.parts import wait_until
from tests.logs.lines import ago, line, load
from tests.logs.test_follow import push
from tests.telemetry.engines import Engine
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from quarterdeck.api.loki import backlog
from quarterdeck.api.loki.backlog import Backlog, message
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import BadQuery, Denied
from quarterdeck.logs.logql import tailing
from quarterdeck.logs.logql.tailing import Entry

NS = 1_000_000_000


def entry(number: int, text: str = "x", **labels: str) -> Entry:
    return Entry(number, f"{number:016x}", text, labels)


def test_a_message_has_streams_of_lines_in_their_order() -> None:
    waiting = Backlog()
    waiting.put([entry(2, "b", a="1"), entry(1, "a", a="1"), entry(3, "c", a="2")])
    assert message(*waiting.take()) == {
        "streams": [
            {"stream": {"a": "1"}, "values": [["1", "a"], ["2", "b"]]},
            {"stream": {"a": "2"}, "values": [["3", "c"]]},
        ]
    }
    assert waiting.take() == ([], [])


def test_what_a_slow_reader_does_not_take_is_told_and_not_kept() -> None:
    waiting = Backlog()
    waiting.put(entry(number) for number in range(backlog.ENTRIES_MAX + backlog.DROPPED_MAX + 500))
    first, dropped = waiting.take()
    assert (len(first), len(dropped)) == (backlog.MESSAGE_ENTRIES, backlog.DROPPED_MAX)
    assert message(first, dropped)["dropped_entries"][0] == {"labels": {}, "timestamp": str(backlog.ENTRIES_MAX + 500)}
    left = 0
    while (taken := waiting.take()) != ([], []):
        left += len(taken[0])
    assert left == backlog.ENTRIES_MAX - backlog.MESSAGE_ENTRIES


def test_long_lines_are_few_in_a_message_and_bounded_together() -> None:
    waiting = Backlog()
    waiting.put(entry(number, "x" * (backlog.LINES_BYTES // 10)) for number in range(12))
    taken, dropped = waiting.take()
    assert (len(taken), len(dropped)) == (1, 2)


def test_waiting_ends_when_something_is_put() -> None:
    async def waited() -> list[Entry]:
        waiting = Backlog()
        asyncio.get_running_loop().call_later(0.01, waiting.put, [entry(7)])
        await asyncio.wait_for(waiting.wait(), 20)
        return waiting.take()[0]

    assert [one.ts_ns for one in asyncio.run(waited())] == [7]


@pytest.mark.slow
@pytest.mark.django_db
def test_a_tail_goes_through_the_stages_and_tells_each_line_once(
    logs: Engine, stranger: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(line("status=500 before", ago(seconds=5)))
    query = '{} | logfmt | status >= 500 | line_format "{{.status}} on {{.host}}"'
    follower = tailing.tail(SYSTEM, query)
    assert follower.poll() == []
    load(line("status=503"), line("status=200"), line("other"), line("status=504", ago(minutes=30), host="web9"))
    found = follower.poll()
    assert [one.line for one in found] == ["504 on web9", "503 on web1"]
    assert found[0].labels["status"] == "504"
    assert follower.poll() == []
    now = time.time_ns()
    assert [one.line for one in tailing.newest(SYSTEM, query, now - 3600 * NS, now, limit=2)] == [
        "500 on web1", "503 on web1",
    ]  # fmt: skip
    for wrong in ("rate({}[1m])", "{", "{} | line_format `{{ . }}`"):
        with pytest.raises(BadQuery):
            tailing.tail(SYSTEM, wrong)
    with pytest.raises(Denied):
        tailing.tail(stranger, "{}")
    monkeypatch.setattr(tailing, "ENTRIES_MAX", 2)
    load(*(line(f"status=500 {number}") for number in range(5)))
    found = follower.poll()
    assert sorted((one.is_dropped, bool(one.line)) for one in found) == [(False, True)] * 2 + [(True, False)] * 3


@contextmanager
def tailed(instance: Instance, query: str, **more: Any) -> Iterator[ClientConnection]:
    address = f"{instance.url.replace('http', 'ws', 1)}/loki/api/v1/tail?{urlencode({'query': query, **more})}"
    headers = {"Authorization": f"Bearer {instance.token}"}
    with connect(address, additional_headers=headers, open_timeout=60, proxy=None) as one:
        yield one


def lines_of(one: ClientConnection, last: str) -> list[tuple[int, str, dict[str, str]]]:
    """Receive until the line `last`; return (time in ns, line, labels)."""
    found: list[tuple[int, str, dict[str, str]]] = []
    while not any(text == last for _ts, text, _labels in found):
        told = json.loads(one.recv(60))
        assert set(told) == {"streams"}
        for stream in told["streams"]:
            found += [(int(ts), text, stream["stream"]) for ts, text in stream["values"]]
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_client_sees_what_is_there_and_then_what_comes(instance: Instance) -> None:
    push(instance, "there one", "there two", "not this", service_name="loki-tail")
    known = '{service_name="loki-tail"} |= "there"'
    search = "service:loki-tail there"
    wait_until(lambda: len(json.loads(instance.qd("logs", search, "-o", "json").stdout)) >= 2, "the lines", seconds=60)
    with tailed(instance, known, limit=1) as one:
        assert [text for _ts, text, _labels in lines_of(one, "there two")] == ["there two"]
        push(instance, "there three", "nor this", service_name="loki-tail")
        [(ts, text, labels)] = lines_of(one, "there three")
        assert (labels["service_name"], labels["host"]) == ("loki-tail", "web7")
        assert abs(time.time_ns() - ts) < 120 * NS
    with tailed(instance, known, start=time.time_ns(), delay_for=1) as one:
        push(instance, "there four", service_name="loki-tail")
        assert [text for _ts, text, _labels in lines_of(one, "there four")] == ["there four"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"query": "{"}, "parse error at line 1"),
        ({"query": "rate({}[1m])"}, "only a query of lines"),
        ({"query": "{}", "limit": "no"}, 'could not parse "limit"'),
        ({"query": "{}", "limit": 5001}, "at most 5000 lines"),
        ({"query": "{}", "delay_for": 6}, "at most 5"),
        ({"query": "{}", "start": "yesterday"}, 'could not parse "start"'),
    ],
)
def test_what_cannot_be_asked_is_answered_in_text(instance: Instance, asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidStatus) as refused, tailed(instance, **asked):
        raise AssertionError("it was opened")
    assert refused.value.response.status_code == 400
    assert sentence in refused.value.response.body.decode()


@pytest.mark.slow
def test_a_tail_needs_a_token(instance: Instance) -> None:
    address = f"{instance.url.replace('http', 'ws', 1)}/loki/api/v1/tail?query=%7B%7D"
    with pytest.raises(InvalidStatus) as refused, connect(address, open_timeout=60, proxy=None):
        raise AssertionError("it was opened")
    assert refused.value.response.status_code == 401
