"""OTLP's requests and answers. See https://opentelemetry.io/docs/specs/otlp/#otlphttp"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from quarterdeck.telemetry import protos
from quarterdeck.telemetry.receiving import Answer, Frame, Problem, Refused, Request, Taken

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
# What google.rpc.Code says for an HTTP status; the rest is INTERNAL.
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}


@dataclass(frozen=True, slots=True)
class _Kind:
    request: Callable[[], Any]
    grpc: str
    count: Callable[[Any], int]


def _spans(request: Any) -> int:
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)


def _lines(request: Any) -> int:
    return sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs)


def _points(request: Any) -> int:
    return sum(
        len(getattr(metric, kind).data_points)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if (kind := metric.WhichOneof("data"))
    )


def _service(package: str, name: str) -> str:
    return f"/opentelemetry.proto.collector.{package}.v1.{name}Service/Export"


SIGNALS: Mapping[str, _Kind] = {
    "traces": _Kind(ExportTraceServiceRequest, _service("trace", "Trace"), _spans),
    "metrics": _Kind(ExportMetricsServiceRequest, _service("metrics", "Metrics"), _points),
    "logs": _Kind(ExportLogsServiceRequest, _service("logs", "Logs"), _lines),
}


def take(signal: str) -> Callable[[Request], Taken]:
    """Return what takes requests of "traces", "metrics" or "logs"."""
    kind = SIGNALS[signal]

    def taken(request: Request) -> Taken:
        is_json = request.media_type == _JSON
        message = kind.request()
        content = _from_json(request.body, message) if is_json else _checked(request.body, message)
        records = kind.count(message)
        frames = [Frame(f"otlp.{signal}", content, records)] if records else []
        # An empty answer of either kind: everything was taken.
        return Taken(frames, Answer(b"{}" if is_json else b"", 200, _JSON if is_json else _PROTOBUF))

    return taken


def _checked(body: bytes, message: Message) -> bytes:
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise Refused(f"the body is no {type(message).__name__}: {error}") from error
    return protos.known(message)


def _from_json(body: bytes, message: Message) -> bytes:
    """Return the request as protobuf. OTLP's JSON writes ids in hex, where protobuf's JSON has base64."""
    try:
        found = orjson.loads(body)
        if not isinstance(found, dict):
            raise ParseError("it is no object")
        ParseDict(_with_base64_ids(found), message, ignore_unknown_fields=True, max_recursion_depth=64)
    except (orjson.JSONDecodeError, ParseError, ValueError, RecursionError) as error:
        raise Refused(f"the body is no {type(message).__name__} in JSON: {str(error)[:300]}") from error
    return message.SerializeToString()


_IDS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})


def _with_base64_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: base64.b64encode(bytes.fromhex(inner)).decode()
            if name in _IDS and isinstance(inner, str)
            else _with_base64_ids(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_with_base64_ids(inner) for inner in value]
    return value


def problem(problem: Problem) -> Answer:
    """Return the failure as OTLP wants it, a google.rpc.Status in protobuf."""
    status = Status(code=_CODES.get(problem.status, 13), message=problem.message)
    return Answer(status.SerializeToString(), problem.status, _PROTOBUF)
