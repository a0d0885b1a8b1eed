"""Spans sent by real clients, read back as Zipkin's and Jaeger's readers read them, and by `qd`."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from py_zipkin import Encoding, Kind
from py_zipkin.zipkin import zipkin_span
from tests.lab.intake import IntakeLab
from tests.lab.parts import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]


def ask(intake: IntakeLab, path: str, token: str | None = None, **asked: str | int) -> tuple[int, Any]:
    """Return status and answer, JSON or text."""
    bearer = intake.instance.token if token is None else token
    headers = {"Authorization": bearer if " " in bearer else f"Bearer {bearer}"} if bearer else {}
    request = urllib.request.Request(f"{intake.instance.url}{path}?{urlencode(asked)}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            body, status, kind = answer.read(), answer.status, answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        body, status, kind = error.read(), error.code, error.headers["Content-Type"]
    return status, json.loads(body) if "json" in kind else body.decode()


def _arrived(intake: IntakeLab, service: str) -> None:
    """Wait for both spans, and for what every minute counts of them: the engine fills that a moment later."""
    for table in ("spans", "red_1m"):
        intake.arrived(f"SELECT DISTINCT name FROM {table} WHERE service = {{s:String}}", 2, s=service)


@pytest.fixture(scope="module")
def zipkin_service(intake: IntakeLab) -> str:
    """A server that calls a database which sends nothing itself; the call failed. Sent by py-zipkin."""
    service = intake.unique("front")

    def send(body: str | bytes) -> None:
        content = body.encode() if isinstance(body, str) else body
        assert intake.post("/api/v2/spans", content)[0] == 202

    with zipkin_span(
        service_name=service, span_name="GET /orders", transport_handler=send, encoding=Encoding.V2_JSON,
        sample_rate=100, port=8080, kind=Kind.SERVER,
    ), zipkin_span(service_name=service, span_name="select", kind=Kind.CLIENT) as child:  # fmt: skip
        child.add_sa_binary_annotation(port=5432, service_name="postgres", host="10.1.2.3")
        child.add_annotation("retry")
        child.update_binary_annotations({"error": "no such table", "rows": "2"})
        time.sleep(0.02)
    _arrived(intake, service)
    return service


@pytest.fixture(scope="module")
def otlp_service(intake: IntakeLab) -> str:
    """The same by OpenTelemetry's SDK."""
    service = intake.unique("shop")
    provider = TracerProvider(resource=Resource.create({"service.name": service, "host.name": "web-7"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{intake.url}/v1/traces")))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("POST /pay", kind=SpanKind.SERVER, attributes={"http.route": "/pay"}) as root:
        with tracer.start_as_current_span(
            "SELECT", kind=SpanKind.CLIENT, attributes={"db.system": "postgresql"}
        ) as call:
            call.record_exception(ValueError("no row"))
            time.sleep(0.01)
        root.set_status(Status(StatusCode.ERROR, "declined"))
    provider.shutdown()
    _arrived(intake, service)
    return service


def test_zipkins_readers_find_what_py_zipkin_sent(intake: IntakeLab, zipkin_service: str) -> None:
    status, traces = ask(
        intake, "/zipkin/api/v2/traces", serviceName=zipkin_service, annotationQuery="error and rows=2"
    )
    assert (status, len(traces)) == (200, 1)
    by_kind = {one["kind"]: one for one in traces[0]}
    server, client = by_kind["SERVER"], by_kind["CLIENT"]
    assert set(server) <= {
        "traceId",
        "id",
        "kind",
        "name",
        "timestamp",
        "duration",
        "localEndpoint",
        "tags",
        "annotations",
    }
    assert (server["name"], server["localEndpoint"]["serviceName"], len(server["traceId"])) == (
        "get /orders",
        zipkin_service,
        16,
    )
    assert client["parentId"] == server["id"]
    assert client["remoteEndpoint"] == {"serviceName": "postgres", "ipv4": "10.1.2.3", "port": 5432}
    assert (client["tags"], client["annotations"][0]["value"]) == ({"error": "no such table", "rows": "2"}, "retry")
    assert abs(server["timestamp"] / 1e6 - time.time()) < 600
    assert 20_000 <= client["duration"] < 10_000_000
    trace = server["traceId"]
    assert ask(intake, f"/zipkin/api/v2/trace/{trace}") == (200, traces[0])
    many = ask(intake, "/zipkin/api/v2/traceMany", traceIds=f"{trace},abcd")
    assert many == (200, traces)


def test_zipkins_menus_and_what_it_refuses(intake: IntakeLab, zipkin_service: str) -> None:
    assert zipkin_service in ask(intake, "/zipkin/api/v2/services")[1]
    assert ask(intake, "/zipkin/api/v2/spans", serviceName=zipkin_service) == (200, ["get /orders", "select"])
    assert ask(intake, "/zipkin/api/v2/remoteServices", serviceName=zipkin_service)[0] == 200
    assert "rows" in ask(intake, "/zipkin/api/v2/autocompleteKeys")[1]
    assert "2" in ask(intake, "/zipkin/api/v2/autocompleteValues", key="rows")[1]
    for asked, found in (
        ({"minDuration": "1"}, 1), ({"minDuration": "999999999"}, 0), ({"spanName": "get /orders"}, 1),
        ({"spanName": "x"}, 0), ({"annotationQuery": "rows=3"}, 0), ({"lookback": "1", "endTs": "1000"}, 0),
        ({"remoteServiceName": "postgres"}, 1),
    ):  # fmt: skip
        status, traces = ask(intake, "/zipkin/api/v2/traces", serviceName=zipkin_service, **asked)
        assert (status, len(traces)) == (200, found), asked
    assert ask(intake, "/zipkin/api/v2/trace/dead") == (404, "000000000000dead not found")
    assert ask(intake, "/zipkin/api/v2/trace/0x1") == (400, "0x1 should be lower-hex encoded with no prefix")
    assert ask(intake, "/zipkin/api/v2/traceMany", traceIds="") == (400, "traceIds parameter is empty")
    assert ask(intake, "/zipkin/api/v2/traceMany", traceIds="a")[0] == 400
    assert ask(intake, "/zipkin/api/v2/traces", limit="many")[0] == 400
    assert ask(intake, "/zipkin/api/v2/dependencies")[0] == 400
    assert ask(intake, "/zipkin/api/v2/services", token="")[0] == 401
    assert ask(intake, "/jaeger/api/services", token="qd_wrong")[0] == 401
    # Grafana's sources of these kinds send a user and a password.
    basic = "Basic " + base64.b64encode(f"grafana:{intake.instance.token}".encode()).decode()
    for path in ("/zipkin/api/v2/services", "/jaeger/api/services"):
        assert ask(intake, path, token=basic)[0] == 200
        assert ask(intake, path, token="Basic Og==")[0] == 401


def test_jaegers_readers_find_what_opentelemetry_sent(intake: IntakeLab, otlp_service: str) -> None:
    status, answer = ask(intake, "/jaeger/api/traces", service=otlp_service, tags='{"error":"true"}', minDuration="1ms")
    assert (status, set(answer)) == (200, {"data", "total", "limit", "offset", "errors"})
    [trace] = answer["data"]
    assert set(trace) == {"traceID", "spans", "processes", "warnings"}
    spans = {one["operationName"]: one for one in trace["spans"]}
    call, root = spans["SELECT"], spans["POST /pay"]
    assert call["references"] == [{"refType": "CHILD_OF", "traceID": trace["traceID"], "spanID": root["spanID"]}]
    assert root["references"] == []
    tags = {tag["key"]: tag for tag in root["tags"]}
    assert tags["http.route"] == {"key": "http.route", "type": "string", "value": "/pay"}
    assert (tags["span.kind"]["value"], tags["error"]) == ("server", {"key": "error", "type": "bool", "value": True})
    fields = {field["key"]: field["value"] for field in call["logs"][0]["fields"]}
    assert (fields["event"], fields["exception.type"]) == ("exception", "ValueError")
    process = trace["processes"][root["processID"]]
    assert process["serviceName"] == otlp_service
    assert {"key": "host.name", "type": "string", "value": "web-7"} in process["tags"]
    assert abs(root["startTime"] / 1e6 - time.time()) < 600
    assert ask(intake, f"/jaeger/api/traces/{trace['traceID']}")[1]["data"] == [trace]
    assert ask(intake, "/jaeger/api/traces", traceID=trace["traceID"])[1]["data"] == [trace]


def test_jaegers_menus_and_what_it_refuses(intake: IntakeLab, otlp_service: str) -> None:
    answer = ask(intake, "/jaeger/api/services")[1]
    assert otlp_service in answer["data"]
    assert answer["total"] == len(answer["data"])
    assert ask(intake, f"/jaeger/api/services/{otlp_service}/operations")[1]["data"] == ["POST /pay", "SELECT"]
    found = ask(intake, "/jaeger/api/operations", service=otlp_service, spanKind="server")[1]["data"]
    assert found == [{"name": "POST /pay", "spanKind": "server"}]
    for asked, count in (
        ({"operation": "SELECT"}, 1), ({"operation": "x"}, 0), ({"tag": "http.route:/pay"}, 1),
        ({"tag": "http.route:/x"}, 0),
        ({"minDuration": "1h"}, 0), ({"maxDuration": "1m30s"}, 1), ({"start": "0", "end": "1000000"}, 0),
    ):  # fmt: skip
        status, answer = ask(intake, "/jaeger/api/traces", service=otlp_service, **asked)
        assert (status, len(answer["data"])) == (200, count), asked
    status, answer = ask(intake, "/jaeger/api/traces")
    assert (status, answer["errors"]) == (400, [{"code": 400, "msg": "parameter 'service' is required"}])
    assert ask(intake, "/jaeger/api/traces/dead")[1]["errors"] == [{"code": 404, "msg": "trace not found"}]
    for asked in ({"tags": "{"}, {"tag": "x"}, {"minDuration": "soon"}, {"limit": "-1"}):
        assert ask(intake, "/jaeger/api/traces", service=otlp_service, **asked)[0] == 400
    assert ask(intake, "/jaeger/api/dependencies", endTs=str(int(time.time() * 1000)), lookback="60000")[0] == 200


def test_the_commands_find_and_show_a_trace(intake: IntakeLab, otlp_service: str) -> None:
    qd = intake.instance.qd
    [found] = json.loads(qd("traces", "list", "-q", f"service:{otlp_service} status:error", "-o", "json").stdout)
    assert found["root_name"] == "POST /pay"
    shown = qd("traces", "show", found["trace_id"]).stdout
    assert [line.split()[-1] for line in shown.splitlines()[1:]] == ["declined", "SELECT"]
    assert "*!" in shown
    assert "+0.00 ms" in qd("traces", "compare", found["trace_id"], found["trace_id"]).stdout
    wait_until(lambda: otlp_service in qd("services", "list").stdout, "the service in the list")
    assert "POST /pay" in qd("services", "show", otlp_service).stdout
    assert qd("services", "map").returncode == 0
    assert qd("services", "statements", "--service", otlp_service).returncode == 0
    assert qd("traces", "show", "dead", check=False).returncode != 0
    assert "duration" in qd("traces", "list", "-q", "duration:>x", check=False).stderr
