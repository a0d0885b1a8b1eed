"""OTLP with OpenTelemetry's own SDK for Python, over HTTP and gRPC, and by hand where no SDK would send it."""

from __future__ import annotations

import json
import time

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from tests.lab.intake import IntakeLab

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]


def _resource(service: str) -> Resource:
    return Resource({"service.name": service, "host.name": f"{service}-host", "service.version": "1.2.3"})


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_it_stores_spans_of_the_sdk(intake: IntakeLab, transport: str) -> None:
    service = intake.unique("shop")
    exporter: SpanExporter = (
        HttpSpans(f"{intake.url}/v1/traces")
        if transport == "http"
        else GrpcSpans(f"http://127.0.0.1:{intake.port('intake_grpc')}", insecure=True)
    )
    provider = TracerProvider(resource=_resource(service))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span(
        "GET /orders", kind=SpanKind.SERVER, attributes={"http.route": "/orders"}
    ) as root:
        with tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT) as child:
            child.set_attributes({"db.system.name": "postgresql", "db.query.text": "SELECT 1", "rows": [1, 2]})
            child.set_status(Status(StatusCode.ERROR, "no such table"))
            child.add_event("retry", {"attempt": 2})
        trace_id = format(root.get_span_context().trace_id, "032x")
    provider.shutdown()
    rows = intake.arrived("SELECT *, lower(hex(trace_id)) AS trace FROM spans WHERE service = {s:String}", 2, s=service)
    by_name = {row["name"]: row for row in rows}
    assert {row["trace"] for row in rows} == {trace_id}
    assert (by_name["GET /orders"]["kind"], by_name["GET /orders"]["http_route"]) == ("server", "/orders")
    select = by_name["SELECT"]
    assert (select["is_error"], select["status_message"], select["db_system"]) == (True, "no such table", "postgresql")
    assert select["attributes"]["rows"] == "[1,2]"
    assert select["events"][0]["name"] == "retry"
    assert (select["host"], select["version"]) == (f"{service}-host", "1.2.3")


def test_it_stores_metrics_of_the_sdk(intake: IntakeLab) -> None:
    service = intake.unique("meter")
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{intake.url}/v1/metrics"), 3_600_000)
    provider = MeterProvider([reader], resource=_resource(service))
    meter = provider.get_meter("test")
    meter.create_counter("orders", unit="1").add(5, {"kind": "web"})
    meter.create_histogram("http.server.request.duration", unit="s").record(0.3)
    meter.create_observable_gauge("queue.length", [lambda _: [_observation(7)]])
    provider.shutdown()
    [orders] = intake.series_arrived("orders_total", job=service)
    assert orders["labels"]["kind"] == "web"
    assert orders["values"] == [5]
    buckets = intake.series_arrived("http_server_request_duration_seconds_bucket", job=service)
    counts = {row["labels"]["le"]: row["values"][-1] for row in buckets}
    assert counts["+Inf"] == 1
    assert (counts["0"], counts["5"]) == (0, 1)
    assert intake.series_arrived("queue_length", job=service)[0]["values"] == [7]


def _observation(value: int) -> object:
    from opentelemetry.metrics import Observation

    return Observation(value)


def test_it_stores_logs_of_the_sdk_without_secrets(intake: IntakeLab) -> None:
    service = intake.unique("logger")
    provider = LoggerProvider(resource=_resource(service))
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{intake.url}/v1/logs")))
    record = LogRecord(body="login failed: password=hunter22 支付失败", severity_text="ERROR", attributes={"order": 17})
    provider.get_logger("test").emit(record)
    provider.shutdown()
    [row] = intake.arrived("SELECT * FROM logs WHERE service = {s:String}", s=service)
    assert row["level"] == "error"
    assert row["message"] == "login failed: password=*** 支付失败"
    assert row["attributes"]["order"] == "17"


def test_it_counts_a_span_that_is_sent_again_once(intake: IntakeLab) -> None:
    service = intake.unique("again")
    body = _json_span(service, "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174")
    other = _json_span(service, "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b175")
    for sent in (body, body, other):
        assert intake.post("/v1/traces", sent) == (200, b"{}")
    rows = intake.arrived("SELECT name FROM spans WHERE service = {s:String}", 2, s=service)
    assert len(rows) == 2
    counted = "SELECT sum(count) AS n FROM red_1m WHERE service = {s:String} HAVING n >= 2"
    assert intake.arrived(counted, s=service) == [{"n": 2}]


def _json_span(service: str, trace: str, span: str) -> bytes:
    now = time.time_ns()
    found = {
        "traceId": trace,
        "spanId": span,
        "name": "GET /",
        "kind": 2,
        "startTimeUnixNano": str(now // 10**12 * 10**12),
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [found]}]}]}).encode()


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/metrics", "/v1/logs"])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/json", b'{"resourceSpans": 7, "x'), ("application/x-protobuf", b"\xff\xff")],
)
def test_it_refuses_what_is_no_request(intake: IntakeLab, path: str, content_type: str, body: bytes) -> None:
    status, answer = intake.post(path, body, content_type)
    assert status == 400
    assert b"no Export" in answer
