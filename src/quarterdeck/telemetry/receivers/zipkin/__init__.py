"""Zipkin: spans as JSON (version 2 and the older 1) and as protobuf.

See https://zipkin.io/zipkin-api/
"""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.telemetry import protos
from quarterdeck.telemetry.receivers.zipkin import spans
from quarterdeck.telemetry.receivers.zipkin.statements import JSON, MESSAGES, PROTOBUF
from quarterdeck.telemetry.receivers.zipkin.version1 import spans_of_version_1
from quarterdeck.telemetry.receiving import Answer, Client, Frame, Problem, Receiver, Refused, Request, Route, Taken

_LIST = protos.define("zipkin", MESSAGES)["ListOfSpans"]
_PROTOBUF_TYPES = frozenset({"application/x-protobuf", "application/protobuf"})
_ACCEPTED = Answer(status=202)


def _take(request: Request) -> Taken:
    if request.media_type in _PROTOBUF_TYPES:
        return _of_protobuf(request.body)
    return _of(spans.read(request.body))


def _take_version_1(request: Request) -> Taken:
    if request.media_type == "application/x-thrift":
        raise Refused("Thrift is not read; send JSON or use /api/v2/spans", reason="encoding", status=415)
    return _of(spans_of_version_1(request.body))


def _of(found: Sequence[spans.Span]) -> Taken:
    frames = [Frame("zipkin.json", spans.lines(found), len(found))] if found else []
    return Taken(frames, _ACCEPTED)


def _of_protobuf(body: bytes) -> Taken:
    message = protos.parsed(_LIST, body)
    for span in message.spans:
        if len(span.trace_id) not in (8, 16) or len(span.id) != 8 or len(span.parent_id) not in (0, 8):
            raise Refused("a span's trace_id has 8 or 16 bytes, its id and parent_id 8", reason="bad_id")
        if span.timestamp > spans.MICROSECONDS_MAX or span.duration > spans.MICROSECONDS_MAX:
            raise Refused("a span's timestamp or duration is no number of microseconds", reason="bad_time")
    frames = [Frame("zipkin.protobuf", protos.known(message), len(message.spans))] if message.spans else []
    return Taken(frames, _ACCEPTED)


def _problem(problem: Problem) -> Answer:
    """Zipkin says in plain text what is wrong."""
    return Answer(f"{problem.message}\n".encode(), problem.status, "text/plain; charset=utf-8")


_PY_ZIPKIN = """\
import requests
from py_zipkin import Encoding
from py_zipkin.zipkin import zipkin_span

def send(spans):
    requests.post("{url}/api/v2/spans?key={key}", spans, headers={"Content-Type": "application/json"}, timeout=5)

with zipkin_span(service_name="shop", span_name="checkout", transport_handler=send, encoding=Encoding.V2_JSON, sample_rate=100):
    ...
"""
_SPRING = """\
management.zipkin.tracing.endpoint={url}/api/v2/spans?key={key}
management.tracing.sampling.probability=1.0
"""

PLUGIN = Receiver(
    title="Zipkin",
    signals=("traces",),
    http_setting="intake_zipkin",
    routes=(Route(("POST",), "/api/v2/spans", _take), Route(("POST",), "/api/v1/spans", _take_version_1)),
    streams={"zipkin.json": JSON, "zipkin.protobuf": PROTOBUF},
    clients=(
        Client(
            "OpenTelemetry SDK", "export OTEL_EXPORTER_ZIPKIN_ENDPOINT={url}/api/v2/spans?key={key}\n", language="shell"
        ),
        Client("Python (py-zipkin)", _PY_ZIPKIN, language="python"),
        Client("Spring Boot", _SPRING, language="ini"),
    ),
    problem=_problem,
)
