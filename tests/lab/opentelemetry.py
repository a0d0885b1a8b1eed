"""A small program with OpenTelemetry's own SDK: a service on a host that answers, calls, logs and counts."""

from __future__ import annotations

from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode


def run_service(url: str, service: str, host: str, *, requests: int = 5) -> list[str]:
    """Send spans, lines and a metric to the OTLP address `url` and return the ids of the traces, in hex.

    The last request fails. When this returns, everything was acknowledged.
    """
    resource = Resource({"service.name": service, "host.name": host, "os.type": "linux"})
    tracing, logging = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    logging.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{url}/v1/logs")))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/v1/metrics"), 3_600_000)
    metering = MeterProvider([reader], resource=resource)
    tracer, logger = tracing.get_tracer("lab"), logging.get_logger("lab")
    counter = metering.get_meter("lab").create_counter("orders")
    traces = []
    for number in range(requests):
        with tracer.start_as_current_span("GET /orders", kind=SpanKind.SERVER) as span:
            span.set_attribute("http.response.status_code", 200)
            with tracer.start_as_current_span("SELECT orders", kind=SpanKind.CLIENT):
                logger.emit(LogRecord(body=f"order {number} is paid 已支付", severity_text="INFO"))
            counter.add(1)
            if number == requests - 1:
                span.set_status(Status(StatusCode.ERROR, "the card was refused"))
                logger.emit(LogRecord(body="\x1b[31mpayment failed\x1b[0m <b>!</b>", severity_text="ERROR"))
            traces.append(format(span.get_span_context().trace_id, "032x"))
    for provider in (tracing, logging, metering):
        provider.shutdown()
    return traces


__all__ = ["run_service"]
