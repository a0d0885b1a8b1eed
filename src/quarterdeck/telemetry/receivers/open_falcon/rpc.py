"""Falcon's JSON-RPC over TCP, as Go's net/rpc/jsonrpc speaks it: one JSON object after another, each answered by one.

Agents send their metrics to the transfer (port 8433) and ask the heartbeat server (port 6030) what to do: here they get
no plugins and no further metrics to collect, and nobody is trusted to run commands on them.
See https://pkg.go.dev/net/rpc/jsonrpc and modules/hbs/rpc/agent.go of https://github.com/open-falcon/falcon-plus
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson

from quarterdeck.telemetry import senders
from quarterdeck.telemetry.canonical import MetricRow, frame_of_metrics
from quarterdeck.telemetry.receivers.open_falcon.values import ENDPOINT_MAX, rows_of
from quarterdeck.telemetry.receiving import Answer, Peer, Refused, Taken

# An agent sends at most 200 metrics a call, a gateway some thousand.
_CALL_MAX_BYTES = 16 << 20
_OUTSIDE = re.compile(rb'["{}]')
_INSIDE = re.compile(rb'["\\]')


class Objects:
    """Cuts a stream into its top-level JSON objects, looking at each byte once."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._seen = 0
        self._depth = 0
        self._in_string = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the objects that are whole. Raises Refused for what is no object, or is too large."""
        self._data += data
        while True:
            end = self._end()
            if end < 0:
                break
            yield bytes(self._data[:end])
            del self._data[:end]
            self._seen = 0
        if len(self._data) > _CALL_MAX_BYTES:
            raise Refused("a call is larger than 16 MB", reason="too_large")
        if not self._depth and self._data.strip():
            raise Refused("no JSON object")

    def _end(self) -> int:
        """Return where the first object ends, -1 when it is not whole yet."""
        while match := (_INSIDE if self._in_string else _OUTSIDE).search(self._data, self._seen):
            at, found = match.start(), match[0]
            if found == b"\\":
                if at + 1 >= len(self._data):
                    self._seen = at
                    return -1
                self._seen = at + 2
                continue
            self._seen = at + 1
            if found == b'"':
                self._in_string = not self._in_string
            else:
                self._depth += 1 if found == b"{" else -1
                if self._depth < 0:
                    raise Refused("no JSON object")
                if self._depth == 0:
                    return self._seen
        self._seen = len(self._data)
        return -1


Parameter = Any
# What a method returns: its result and the samples that came with it.
Outcome = tuple[Any, list[MetricRow], Mapping[str, int]]


def _update(parameter: Parameter, peer: Peer, now_ms: int) -> Outcome:
    if not isinstance(parameter, list):
        raise Refused("the parameter of Transfer.Update is a list")
    rows, refused = rows_of(parameter, now_ms)
    return transfer_reply(len(parameter), refused.total()), rows, refused


def transfer_reply(total: int, invalid: int) -> dict[str, Any]:
    """What the transfer says of values that it got. The time that it took is not measured here."""
    return {"Message": "ok", "Total": total, "Invalid": invalid, "Latency": 0}


def _ping(parameter: Parameter, peer: Peer, now_ms: int) -> Outcome:
    return {"code": 0}, [], {}


def _report_status(parameter: Parameter, peer: Peer, now_ms: int) -> Outcome:
    """An agent is there: `falcon_agent_up{endpoint, ip, version}` is 1."""
    host = _host(parameter)
    if not host:
        return {"code": 1}, [], {}
    ip, version = parameter.get("IP") or peer.address, parameter.get("AgentVersion")
    labels = {name: str(value)[:64] for name, value in (("ip", ip), ("version", version)) if value}
    row = MetricRow("falcon_agent_up", {**labels, "endpoint": host}, [(now_ms, 1.0)], senders.host_named(host))
    return {"code": 0}, [row], {}


def _plugins(parameter: Parameter, peer: Peer, now_ms: int) -> Outcome:
    return {"Plugins": [], "Timestamp": now_ms // 1000 if _host(parameter) else 0}, [], {}


def _builtin_metrics(parameter: Parameter, peer: Peer, now_ms: int) -> Outcome:
    return {"Metrics": [], "Checksum": "", "Timestamp": now_ms // 1000 if _host(parameter) else 0}, [], {}


def _trustable_ips(parameter: Parameter, peer: Peer, now_ms: int) -> Outcome:
    return "", [], {}


def _host(parameter: Parameter) -> str:
    host = parameter.get("Hostname") if isinstance(parameter, Mapping) else ""
    return host if isinstance(host, str) and len(host) <= ENDPOINT_MAX else ""


Method = Callable[[Parameter, Peer, int], Outcome]
TRANSFER: Mapping[str, Method] = {"Transfer.Update": _update, "Transfer.Ping": _ping}
HEARTBEAT: Mapping[str, Method] = {
    "Agent.ReportStatus": _report_status,
    "Agent.MinePlugins": _plugins,
    "Agent.BuiltinMetrics": _builtin_metrics,
    "Agent.TrustableIps": _trustable_ips,
}


class _Session:
    def __init__(self, peer: Peer, methods: Mapping[str, Method]) -> None:
        self._peer = peer
        self._methods = methods
        self._objects = Objects()

    def feed(self, data: bytes) -> Iterable[Taken]:
        for content in self._objects.feed(data):
            yield self._call(content)

    def end(self) -> Iterable[Taken]:
        return ()

    def _call(self, content: bytes) -> Taken:
        try:
            call = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise Refused(f"no JSON: {error}") from error
        parameters = call.get("params")
        if not isinstance(parameters, list) or len(parameters) != 1:
            return _answer(call, None, "jsonrpc: request body missing params", {"malformed": 1})
        method = self._methods.get(str(call.get("method")))
        if method is None:
            name = str(call.get("method"))[:100]
            return _answer(call, None, f"rpc: can't find method {name}", {"method": 1})
        try:
            result, rows, refused = method(parameters[0], self._peer, int(self._peer.now().timestamp() * 1000))
        except Refused as error:
            return _answer(call, None, error.message, {error.reason: 1})
        frames = [frame_of_metrics(rows)] if rows else []
        return Taken(frames, _answer(call, result, None, {}).answer, refused)


def _answer(call: Mapping[str, Any], result: Any, error: str | None, refused: Mapping[str, int]) -> Taken:
    body = orjson.dumps({"id": call.get("id"), "result": result, "error": error}) + b"\n"
    return Taken((), Answer(body), refused)


def transfer(peer: Peer) -> _Session:
    return _Session(peer, TRANSFER)


def heartbeat(peer: Peer) -> _Session:
    return _Session(peer, HEARTBEAT)
