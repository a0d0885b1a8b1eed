"""OpenTelemetry's protocol: traces, metrics and logs over HTTP (protobuf and JSON) and gRPC.

See https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

from quarterdeck.telemetry.receivers.otlp.exchange import SIGNALS, problem, take
from quarterdeck.telemetry.receivers.otlp.metric_statements import METRICS
from quarterdeck.telemetry.receivers.otlp.statements import LOGS, TRACES
from quarterdeck.telemetry.receiving import Client, Method, Receiver, Route

_ENVIRONMENT = """\
export OTEL_EXPORTER_OTLP_ENDPOINT={url}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer {key}"
export OTEL_SERVICE_NAME=my-service
"""
_GRPC = """\
export OTEL_EXPORTER_OTLP_ENDPOINT=http://{host}:{port}
export OTEL_EXPORTER_OTLP_PROTOCOL=grpc
export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer {key}"
export OTEL_SERVICE_NAME=my-service
"""
_COLLECTOR = """\
exporters:
  otlphttp:
    endpoint: {url}
    headers:
      authorization: "Bearer {key}"
"""

PLUGIN = Receiver(
    title="OpenTelemetry (OTLP)",
    signals=("traces", "metrics", "logs"),
    routes=tuple(Route(("POST",), f"/v1/{signal}", take(signal)) for signal in SIGNALS),
    methods=tuple(Method(kind.grpc, take(signal)) for signal, kind in SIGNALS.items()),
    streams={"otlp.traces": TRACES, "otlp.metrics": METRICS, "otlp.logs": LOGS},
    clients=(
        Client("SDK over HTTP", _ENVIRONMENT, language="shell"),
        Client("SDK over gRPC", _GRPC, setting="intake_grpc", language="shell"),
        Client("Collector", _COLLECTOR, language="yaml"),
    ),
    problem=problem,
)
