"""Zipkin with py-zipkin and OpenTelemetry's exporter, unchanged, and by hand where neither would send it."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from py_zipkin import Encoding, Kind
from py_zipkin.request_helpers import create_http_headers
from py_zipkin.zipkin import zipkin_span
from tests.lab.intake import IntakeLab

from quarterdeck.telemetry import protos
from quarterdeck.telemetry.receivers.zipkin.statements import MESSAGES

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]


def _transport(url: str, content_type: str = "application/json") -> Callable[[str | bytes], None]:
    def send(spans: str | bytes) -> None:
        body = spans.encode() if isinstance(spans, str) else spans
        request = urllib.request.Request(url, body, {"Content-Type": content_type})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 202

    return send


def _spans(intake: IntakeLab, service: str, count: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the spans of a service by name and kind, with their ids in hex."""
    statement = (
        "SELECT * EXCEPT (trace_id, span_id, parent_id, links), lower(hex(trace_id)) AS trace,"
        " lower(hex(span_id)) AS span, lower(hex(parent_id)) AS parent FROM spans WHERE service = {s:String}"
    )
    return {(row["name"], row["kind"]): row for row in intake.arrived(statement, count, s=service)}


@pytest.mark.parametrize(
    ("path", "encoding", "content_type"),
    [
        ("/api/v2/spans", Encoding.V2_JSON, "application/json"),
        ("/api/v2/spans", Encoding.V2_PROTO3, "application/x-protobuf"),
        ("/api/v1/spans", Encoding.V1_JSON, "application/json"),
    ],
)
def test_it_stores_spans_of_py_zipkin(intake: IntakeLab, path: str, encoding: Encoding, content_type: str) -> None:
    service = intake.unique("zip")
    with zipkin_span(
        service_name=service,
        span_name="GET /orders",
        transport_handler=_transport(intake.url + path, content_type),
        encoding=encoding,
        sample_rate=100,
        port=8080,
        kind=Kind.SERVER,
        use_128bit_trace_id=True,
    ) as root:
        with zipkin_span(service_name=service, span_name="select", kind=Kind.CLIENT) as child:
            child.add_sa_binary_annotation(port=5432, service_name="postgres", host="10.1.2.3")
            child.add_annotation("retry")
            child.update_binary_annotations({"error": "no such table", "rows": "2"})
        trace = root.zipkin_attrs.trace_id if root.zipkin_attrs else ""
    found = _spans(intake, service, 2)
    server, client = found["GET /orders", "server"], found["select", "client"]
    assert len(trace) == 32
    assert {server["trace"], client["trace"]} == {trace}
    assert client["parent"] == server["span"]
    assert (client["is_error"], client["status_message"]) == (True, "no such table")
    assert client["attributes"]["rows"] == "2"
    assert [event["name"] for event in client["events"]] == ["retry"]
    assert client["peer"] == "postgres"
    assert server["duration_ns"] >= client["duration_ns"] > 0


def test_it_stores_both_halves_of_a_call_that_share_their_id(intake: IntakeLab) -> None:
    caller, callee = intake.unique("web"), intake.unique("pay")
    send = _transport(f"{intake.url}/api/v2/spans")
    options: dict[str, Any] = {"transport_handler": send, "encoding": Encoding.V2_JSON, "sample_rate": 100}
    with zipkin_span(service_name=caller, span_name="pay", kind=Kind.CLIENT, **options) as call:
        headers = create_http_headers(context_stack=None)
        assert call.zipkin_attrs
        assert headers["X-B3-TraceId"] == call.zipkin_attrs.trace_id
        body = {
            "traceId": call.zipkin_attrs.trace_id,
            "id": headers["X-B3-SpanId"],
            "parentId": call.zipkin_attrs.span_id,
            "kind": "SERVER",
            "name": "pay",
            "shared": True,
            "timestamp": time.time_ns() // 1000,
            "duration": 7,
            "localEndpoint": {"serviceName": callee},
        }
        client = {**body, "kind": "CLIENT", "shared": None, "localEndpoint": {"serviceName": caller}, "name": "call"}
        send(json.dumps([body, client]).encode())
    server = _spans(intake, callee, 1)["pay", "server"]
    other = _spans(intake, caller, 2)["call", "client"]
    assert (server["span"], server["trace"]) == (other["span"], other["trace"])
    assert server["attributes"]["zipkin.shared"] == "true"
    # 64 bits of the trace's id stand in the lower half.
    assert server["trace"].startswith("0" * 16)


def test_it_stores_spans_of_opentelemetry_s_exporter_on_a_port_of_its_own(intake: IntakeLab) -> None:
    service = intake.unique("otelzip")
    exporter = ZipkinExporter(endpoint=f"http://127.0.0.1:{intake.port('intake_zipkin')}/api/v2/spans")
    provider = TracerProvider(resource=Resource({"service.name": service, "service.version": "1.2.3"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with (
        tracer.start_as_current_span("GET /orders", kind=SpanKind.SERVER, attributes={"http.route": "/orders"}),
        tracer.start_as_current_span("work") as child,
    ):
        child.add_event("retry", {"attempt": 2})
        child.set_status(Status(StatusCode.ERROR, "it broke"))
    provider.shutdown()
    found = _spans(intake, service, 2)
    server, inner = found["GET /orders", "server"], found["work", "internal"]
    assert (server["http_route"], server["version"]) == ("/orders", "1.2.3")
    assert (inner["is_error"], inner["status_message"]) == (True, "it broke")
    assert inner["parent"] == server["span"]
    assert "retry" in inner["events"][0]["name"]


def test_it_stores_protobuf(intake: IntakeLab) -> None:
    service = intake.unique("proto")
    message: Any = protos.define("zipkin_test", MESSAGES)["ListOfSpans"]()
    span = message.spans.add(trace_id=bytes(range(16)), id=bytes(range(8)), kind=2, name="GET /", duration=1500)
    span.timestamp = time.time_ns() // 1000
    span.local_endpoint.service_name, span.local_endpoint.ipv4 = service, bytes((10, 1, 2, 3))
    span.remote_endpoint.ipv6, span.remote_endpoint.port = bytes.fromhex("20010db8" + "0" * 23 + "1"), 443
    span.annotations.add(timestamp=span.timestamp, value="wire")
    span.tags.add(key="http.route", value="/")
    body = message.SerializeToString()
    assert intake.post("/api/v2/spans", body, "application/x-protobuf") == (202, b"")
    row = _spans(intake, service, 1)["GET /", "server"]
    assert row["trace"] == bytes(range(16)).hex()
    assert (row["http_route"], row["duration_ns"]) == ("/", 1_500_000)
    assert (row["attributes"]["network.peer.address"], row["attributes"]["network.peer.port"]) == ("2001:db8::1", "443")
    assert row["resource"]["host.ip"] == "10.1.2.3"
    assert row["events"][0]["name"] == "wire"


def test_the_service_is_the_sender(intake: IntakeLab) -> None:
    service = intake.unique("who")
    span = {"traceId": "1", "id": "2", "localEndpoint": {"serviceName": service}, "timestamp": time.time_ns() // 1000}
    assert intake.post("/api/v2/spans", json.dumps([span]).encode())[0] == 202
    [sender] = intake.arrived("SELECT * FROM senders WHERE name = {s:String}", s=service)
    assert (sender["kind"], sender["protocol"], sender["identities"]) == (
        "service",
        "zipkin",
        {"service.name": service},
    )


@pytest.mark.parametrize("path", ["/api/v2/spans", "/api/v1/spans"])
def test_it_says_in_plain_text_what_is_wrong(intake: IntakeLab, path: str) -> None:
    status, answer = intake.post(path, b'[{"traceId": "x", "id": 7}]')
    assert status == 400
    assert b"no list of Zipkin spans" in answer
