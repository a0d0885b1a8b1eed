"""Open-Falcon: the agent's push, the transfer's push, and what agents call over JSON-RPC.

`cpu.idle` of type GAUGE with the tags `core=0` is `cpu_idle{core="0", endpoint="web1"}`; COUNTER and DERIVE only grow,
their names end in `_total`, and the rate is taken when it is read. The sender is the host that the endpoint names. Left
out is what falcon's transfer leaves out: no metric or endpoint, other types, a step of 0, no number (NaN and infinity as
well), more than 510 characters of metric and tags; a time that cannot be is the time of arrival. Agents that ask the
heartbeat server get no plugins, nothing more to collect and nobody to trust; `falcon_agent_up` tells that they asked.

Proven by plain HTTP, as falcon's plugins push, and by calls written as Go's net/rpc/jsonrpc writes them. The agent itself
is neither in Debian nor in a package registry and has not been tried. See https://github.com/open-falcon/falcon-plus
"""

from __future__ import annotations

from typing import Any

import orjson

from quarterdeck.telemetry.canonical import frame_of_metrics
from quarterdeck.telemetry.receivers.open_falcon import rpc
from quarterdeck.telemetry.receivers.open_falcon.values import rows_of
from quarterdeck.telemetry.receiving import Answer, Client, Listener, Problem, Receiver, Refused, Request, Route, Taken

_TEXT = "text/plain; charset=utf-8"


def _values(request: Request, blank: str, bad: str) -> list[Any]:
    """Return the body's list. Raises Refused in the words of the program that is asked."""
    if not request.body:
        raise Refused(blank)
    try:
        found = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise Refused(bad) from error
    if not isinstance(found, list):
        raise Refused(bad)
    return found


def _taken(request: Request, values: list[Any]) -> tuple[Taken, int]:
    rows, refused = rows_of(values, int(request.now.timestamp() * 1000))
    return Taken([frame_of_metrics(rows)] if rows else [], None, refused), refused.total()


def _agent_push(request: Request) -> Taken:
    """As the agent's port 1988: it says "success" before anybody looked at the values."""
    taken, _invalid = _taken(request, _values(request, "body is blank", "connot decode body"))
    return Taken(taken.frames, Answer(b"success", 200, _TEXT), taken.refused)


def _transfer_push(request: Request) -> Taken:
    """As the transfer's port 6060."""
    values = _values(request, "blank body", "decode error")
    taken, invalid = _taken(request, values)
    body = {"msg": "success", "data": rpc.transfer_reply(len(values), invalid)}
    return Taken(taken.frames, Answer(orjson.dumps(body), 200, "application/json; charset=UTF-8"), taken.refused)


def _problem(problem: Problem) -> Answer:
    """Go's http.Error."""
    return Answer(f"{problem.message}\n".encode(), problem.status, _TEXT)


_PUSH = """\
curl -X POST {url}/v1/push -H "Authorization: Bearer {key}" -d '[{"endpoint": "web1", "metric": "shop.orders",
  "value": 17, "step": 60, "counterType": "GAUGE", "tags": "region=cn", "timestamp": '$(date +%s)'}]'
"""
_TRANSFER = """\
"transfer": {
    "enabled": true,
    "addrs": ["{host}:{port}"],
    "interval": 60,
    "timeout": 1000
}
"""
_HEARTBEAT = """\
"heartbeat": {
    "enabled": true,
    "addr": "{host}:{port}",
    "interval": 60,
    "timeout": 1000
}
"""

PLUGIN = Receiver(
    title="Open-Falcon",
    signals=("metrics",),
    http_setting="intake_falcon_http",
    routes=(Route(("POST",), "/v1/push", _agent_push), Route(("POST",), "/api/push", _transfer_push)),
    listeners=(
        Listener("intake_falcon_rpc", "tcp", rpc.transfer),
        Listener("intake_falcon_heartbeat", "tcp", rpc.heartbeat),
    ),
    clients=(
        Client("curl", _PUSH, language="sh"),
        Client("falcon-agent: cfg.json, transfer (not tried here)", _TRANSFER, "intake_falcon_rpc", "json"),
        Client("falcon-agent: cfg.json, heartbeat (not tried here)", _HEARTBEAT, "intake_falcon_heartbeat", "json"),
    ),
    problem=_problem,
)
