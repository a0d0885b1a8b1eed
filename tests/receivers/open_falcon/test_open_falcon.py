"""Open-Falcon: by plain HTTP as its plugins push, and by a client that writes calls as Go's net/rpc/jsonrpc does.

The agent's own binary is in neither Debian nor a package registry: no test runs it.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from tests.lab.intake import IntakeLab
from tests.receivers.open_falcon.fuzzing import fuzz_targets
from tests.receivers.requests import NOW, NOW_MS, fed, peer, request, samples, take

from quarterdeck.telemetry.receivers.open_falcon import PLUGIN
from quarterdeck.telemetry.receiving import Refused, Session, Taken

SECONDS = int(NOW.timestamp())


def _value(**changed: Any) -> dict[str, Any]:
    value = {
        "endpoint": "web1", "metric": "cpu.idle", "value": 98.5, "step": 60, "counterType": "GAUGE", "tags": "core=0,x",
        "timestamp": SECONDS,
    }  # fmt: skip
    return {**value, **changed}


def _push(values: Any, path: str = "/v1/push") -> Taken:
    return take(PLUGIN, path, request(json.dumps(values).encode()))


def test_it_names_metrics_and_labels() -> None:
    taken = _push([
        _value(),
        _value(metric="net.if.in.bytes", counterType="COUNTER", tags="iface=eth0", value="12"),
        _value(metric="网络.错误", counterType="DERIVE", tags="", timestamp=0),
    ])  # fmt: skip
    assert samples(taken.frames) == {
        ("cpu_idle", (("core", "0"), ("endpoint", "web1"))): [(SECONDS * 1000, 98.5)],
        ("net_if_in_bytes_total", (("endpoint", "web1"), ("iface", "eth0"))): [(SECONDS * 1000, 12)],
        ("网络_错误_total", (("endpoint", "web1"),)): [(NOW_MS, 98.5)],
    }
    assert taken.answer is not None
    assert taken.answer.body == b"success"


@pytest.mark.parametrize(
    "changed",
    [
        {"metric": ""}, {"endpoint": ""}, {"endpoint": None}, {"counterType": "RATE"}, {"counterType": "gauge"},
        {"step": 0}, {"step": -1}, {"step": "60"}, {"value": ""}, {"value": "abc"}, {"value": None}, {"value": [1]},
        {"value": True}, {"value": "nan"}, {"value": "inf"}, {"tags": "k=" + "v" * 510}, {"metric": "kernel.hostname"},
        {"metric": "..."}, {"metric": 5}, {"tags": {"a": "b"}}, {"endpoint": "e" * 300}, {"counterType": ["GAUGE"]},
    ],
)  # fmt: skip
def test_it_leaves_out_what_falcon_leaves_out(changed: dict[str, Any]) -> None:
    taken = _push([_value(**changed), _value(), 5, None], "/api/push")
    assert taken.answer is not None
    reply = {"Message": "ok", "Total": 4, "Invalid": 3, "Latency": 0}
    assert json.loads(taken.answer.body) == {"msg": "success", "data": reply}
    assert len(samples(taken.frames)) == 1
    assert sum(taken.refused.values()) == 3


@pytest.mark.parametrize(
    ("at", "kept"),
    [(-1, NOW_MS), ("5", NOW_MS), (10**30, NOW_MS), (SECONDS * 3, NOW_MS), (SECONDS * 1000, SECONDS * 1000)],
)
def test_it_mends_times_as_falcon_does(at: Any, kept: int) -> None:
    [[(found, _value_of)]] = samples(_push([_value(timestamp=at)]).frames).values()
    assert found == kept


@pytest.mark.parametrize(
    ("path", "blank", "bad"),
    [("/v1/push", "body is blank", "connot decode body"), ("/api/push", "blank body", "decode error")],
)
def test_it_refuses_in_falcons_words(path: str, blank: str, bad: str) -> None:
    for body, words in ((b"", blank), (b"{", bad), (b"[" * 100_000, bad), (b"{}", bad), (b"[\xff]", bad)):
        with pytest.raises(Refused, match=words):
            take(PLUGIN, path, request(body))


def _call(method: str, parameter: Any, number: int = 0) -> bytes:
    # As Go's json.Encoder writes it.
    return json.dumps({"method": method, "params": [parameter], "id": number}, separators=(",", ":")).encode() + b"\n"


def _answers(found: list[Taken]) -> list[Any]:
    return [json.loads(taken.answer.body) for taken in found if taken.answer]


def test_it_answers_calls_in_pieces_and_several_at_once() -> None:
    calls = _call("Transfer.Update", [_value(tags='q="{}\\\\'), _value(step=0)], 7) + _call("Transfer.Ping", {}, 8)
    for size in (1, 3, 1000):
        parts = [calls[at : at + size] for at in range(0, len(calls), size)]
        found = fed(PLUGIN.listeners[0].open(peer()), *parts)
        assert _answers(found) == [
            {"id": 7, "result": {"Message": "ok", "Total": 2, "Invalid": 1, "Latency": 0}, "error": None},
            {"id": 8, "result": {"code": 0}, "error": None},
        ]
        assert len(samples(found[0].frames)) == 1


def test_it_answers_what_an_agent_asks_the_heartbeat_server() -> None:
    calls = [
        _call(
            "Agent.ReportStatus", {"Hostname": "web1", "IP": "10.0.0.7", "AgentVersion": "5.1", "PluginVersion": ""}, 1
        ),
        _call("Agent.MinePlugins", {"Hostname": "web1"}, 2),
        _call("Agent.BuiltinMetrics", {"Hostname": "web1", "Checksum": "x"}, 3),
        _call("Agent.TrustableIps", {}, 4),
        _call("Agent.ReportStatus", {}, 5),
    ]
    found = fed(PLUGIN.listeners[1].open(peer()), *calls)
    assert [answer["result"] for answer in _answers(found)] == [
        {"code": 0},
        {"Plugins": [], "Timestamp": SECONDS},
        {"Metrics": [], "Checksum": "", "Timestamp": SECONDS},
        "",
        {"code": 1},
    ]
    labels = (("endpoint", "web1"), ("ip", "10.0.0.7"), ("version", "5.1"))
    assert samples(found[0].frames) == {("falcon_agent_up", labels): [(NOW_MS, 1)]}


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (_call("Shell.Run", []), "rpc: can't find method Shell.Run"),
        (b'{"method":"Transfer.Update","id":1}', "jsonrpc: request body missing params"),
        (_call("Transfer.Update", {"metric": "x"}), "the parameter of Transfer.Update is a list"),
    ],
)
def test_it_says_what_is_wrong_with_a_call(call: bytes, error: str) -> None:
    [answer] = _answers(fed(PLUGIN.listeners[0].open(peer()), call))
    assert (answer["error"], answer["result"]) == (error, None)


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"}", b"[1]", b'{"a" 1}', b"\x00\x01\x02", b"{" * 2000 + b"}" * 2000]
)
def test_it_closes_on_what_is_no_call(data: bytes) -> None:
    with pytest.raises(Refused):
        fed(PLUGIN.listeners[0].open(peer()), data)


def _feed_without_end(session: Session) -> None:
    for _ in range(300):
        list(session.feed(b'{"a":"' + b"x" * 65_536))


def test_it_closes_on_a_call_without_end() -> None:
    session = PLUGIN.listeners[0].open(peer())
    started = time.monotonic()
    with pytest.raises(Refused, match="16 MB"):
        _feed_without_end(session)
    assert time.monotonic() - started < 5


@seed(8433)
@settings(max_examples=150, deadline=None, database=None)
@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,\\ aparms1', max_size=60).map(str.encode))
def test_it_takes_whatever_comes(data: bytes) -> None:
    for target in fuzz_targets().values():
        target(data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
)


@seed(1988)
@settings(max_examples=200, deadline=None, database=None)
@given(st.dictionaries(st.sampled_from(sorted(_value())), _JSON))
def test_it_takes_values_of_every_kind(changed: dict[str, Any]) -> None:
    body = json.dumps([_value(**changed)]).encode()
    for name in ("open_falcon agent", "open_falcon transfer"):
        fuzz_targets()[name](body)


class _AgentShaped:
    """A connection as falcon-agent's pool keeps it: one call, one answer, on and on."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._file = self._socket.makefile("rb")
        self._number = 0

    def call(self, method: str, parameter: Any) -> Any:
        self._socket.sendall(_call(method, parameter, self._number))
        answer = json.loads(self._file.readline())
        assert answer["id"] == self._number
        assert answer["error"] is None
        self._number += 1
        return answer["result"]

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
@pytest.mark.parametrize("path", ["/v1/push", "/api/push"])
def test_it_takes_pushes(intake: IntakeLab, path: str) -> None:
    endpoint = intake.unique("falcon")
    now = int(time.time())
    values = [_value(endpoint=endpoint, timestamp=now), _value(endpoint=endpoint, timestamp=now, step=0)]
    status, answer = intake.post(path, json.dumps(values).encode())
    assert status == 200
    assert answer == b"success" or json.loads(answer)["data"]["Invalid"] == 1
    [row] = intake.series_arrived("cpu_idle", endpoint=endpoint)
    assert (row["values"], row["labels"]) == ([98.5], {"core": "0", "endpoint": endpoint})
    assert intake.post(path, b"[", "application/json")[0] == 400


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
def test_it_takes_calls_over_tcp(intake: IntakeLab) -> None:
    endpoint = intake.unique("falcon-rpc")
    heartbeat = _AgentShaped(intake.port("intake_falcon_heartbeat"))
    assert heartbeat.call("Agent.ReportStatus", {"Hostname": endpoint, "IP": "10.9.8.7", "AgentVersion": "5.1.2"}) == {
        "code": 0
    }
    assert heartbeat.call("Agent.TrustableIps", {}) == ""
    transfer = _AgentShaped(intake.port("intake_falcon_rpc"))
    now = int(time.time())
    for number in range(3):
        values = [
            _value(endpoint=endpoint, metric="disk.io", counterType="COUNTER", value=number, timestamp=now + number - 3)
        ]
        assert transfer.call("Transfer.Update", values)["Invalid"] == 0
    heartbeat.close()
    transfer.close()
    intake.arrived(
        "SELECT timestamp FROM samples WHERE id IN"
        " (SELECT id FROM series WHERE labels['endpoint'] = {e:String} AND metric_name = 'disk_io_total')",
        3,
        e=endpoint,
    )
    [row] = intake.series("disk_io_total", endpoint=endpoint)
    assert row["values"] == [0, 1, 2]
    [up] = intake.series_arrived("falcon_agent_up", endpoint=endpoint)
    assert up["labels"] == {"endpoint": endpoint, "ip": "10.9.8.7", "version": "5.1.2"}
    [sender] = intake.arrived("SELECT kind, identities FROM senders WHERE name = {e:String}", e=endpoint)
    assert (sender["kind"], sender["identities"]) == ("host", {"host.name": endpoint})
