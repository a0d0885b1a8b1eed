"""CAT (Central Application Tracking): message trees and metrics of its clients, and the router that they ask first.

See https://github.com/dianping/cat
"""

from __future__ import annotations

from quarterdeck.telemetry.receivers.cat import router
from quarterdeck.telemetry.receivers.cat.rows import RED
from quarterdeck.telemetry.receivers.cat.session import Session
from quarterdeck.telemetry.receiving import Answer, Client, Listener, Problem, Receiver, Route, Stream

_RED = Stream(
    table="red_in",
    format="JSONCompactEachRow",
    structure="service String, name String, kind String, at Int64, count UInt64, errors UInt64,"
    " duration_ns_sum UInt64, duration_ns_max UInt64, durations Map(Int16, UInt64)",
    select="SELECT service, name, kind, '' AS version, toDateTime(at, 'UTC') AS ts, count, errors, duration_ns_sum,"
    " duration_ns_max, durations FROM {input}",
)


def _problem(problem: Problem) -> Answer:
    """A client that finds no routers in the answer goes on with those of its client.xml."""
    return Answer(f"{problem.message}\n".encode(), problem.status, "text/plain; charset=utf-8")


_CLIENT_XML = """\
<!-- /data/appdatas/cat/client.xml; the one port tells clients where to send, and takes what they send -->
<config mode="client" xmlns:xsi="http://www.w3.org/2001/XMLSchema">
  <servers>
    <server ip="{host}" port="{port}" http-port="{port}" />
  </servers>
</config>
"""
_PYTHON = """\
import cat
cat.init("shop")
with cat.Transaction("URL", "/orders") as transaction:
    cat.log_event("Order", "created")
"""

PLUGIN = Receiver(
    title="CAT",
    signals=("traces", "metrics", "logs"),
    routes=(Route(("GET",), router.PATH, router.take, is_probe=True),),
    listeners=(
        Listener("intake_cat", "tcp", Session, silence_seconds=3600.0),
        Listener("intake_cat_http", "tcp", Session, silence_seconds=3600.0),
    ),
    streams={RED: _RED},
    clients=(
        Client("client.xml", _CLIENT_XML, setting="intake_cat", language="xml"),
        Client("Python (cat-sdk)", _PYTHON, setting="intake_cat", language="python"),
    ),
    problem=_problem,
)
