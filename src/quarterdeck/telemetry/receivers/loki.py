"""Loki's push: protobuf in snappy, and JSON. Labels become columns and attributes.

See https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from quarterdeck.telemetry import protos
from quarterdeck.telemetry.canonical import LogRow, Sender, frame_of_logs
from quarterdeck.telemetry.decoding import snappy
from quarterdeck.telemetry.receiving import Answer, Client, Problem, Receiver, Refused, Request, Route, Taken

_CONTENT_MAX_BYTES = 128 << 20
_PUSH = protos.define(
    "loki",
    {
        "Timestamp": {"seconds": (1, "int64"), "nanos": (2, "int32")},
        "LabelPair": {"name": (1, "string"), "value": (2, "string")},
        "Entry": {"timestamp": (1, "Timestamp"), "line": (2, "string"), "metadata": (3, "repeated LabelPair")},
        "Stream": {"labels": (1, "string"), "entries": (2, "repeated Entry")},
        "PushRequest": {"streams": (1, "repeated Stream")},
    },
)["PushRequest"]
_LABEL = re.compile(r'\s*([^\s=,{}"]+)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|\Z)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_NS_MAX = (1 << 63) - 1

# Labels as Alloy, Promtail, Docker's driver and OpenTelemetry's exporters name them; the first that is there counts.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "service": ("service_name", "service", "app", "app_kubernetes_io_name", "job", "container_name", "container"),
    "host": ("host_name", "host", "hostname", "nodename", "node_name", "node", "instance"),
    "component": ("logger", "component", "filename", "unit"),
    "level": ("level", "severity", "detected_level", "severity_text", "loglevel"),
    "trace_id": ("trace_id", "traceid", "traceID", "traceId"),
    "span_id": ("span_id", "spanid", "spanID", "spanId"),
}
_RESOURCE = {
    "namespace": "k8s.namespace.name",
    "k8s_namespace_name": "k8s.namespace.name",
    "pod": "k8s.pod.name",
    "k8s_pod_name": "k8s.pod.name",
    "container_id": "container.id",
    "container_name": "container.name",
    "container": "container.name",
    "cluster": "k8s.cluster.name",
}

Entry = tuple[int, str, Mapping[str, str]]


class _JsonStream(msgspec.Struct):
    stream: dict[str, str] = {}
    values: list[list[str | int | dict[str, str | int | float | bool | None]]] = []


class _JsonPush(msgspec.Struct):
    streams: list[_JsonStream] = []


_json = msgspec.json.Decoder(_JsonPush, strict=False)


def _take(request: Request) -> Taken:
    streams = _from_json(request.body) if request.media_type == "application/json" else _from_protobuf(request)
    rows = [row for labels, entries in streams for row in _rows(labels, entries)]
    return Taken([frame_of_logs(rows)] if rows else [], Answer(status=204))


def _from_protobuf(request: Request) -> Iterator[tuple[Mapping[str, str], Iterator[Entry]]]:
    is_open = "snappy" in request.headers.get("content-encoding", "")
    body = request.body if is_open else snappy(request.body, _CONTENT_MAX_BYTES)
    for stream in protos.parsed(_PUSH, body).streams:
        yield (
            _labels(stream.labels),
            (
                (
                    _nanoseconds(entry.timestamp.seconds * 1_000_000_000 + entry.timestamp.nanos),
                    entry.line,
                    {pair.name: pair.value for pair in entry.metadata},
                )
                for entry in stream.entries
            ),
        )


def _from_json(body: bytes) -> Iterator[tuple[Mapping[str, str], Iterator[Entry]]]:
    try:
        push = _json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Refused(f"the body is no push request: {error}") from error
    for stream in push.streams:
        yield stream.stream, map(_json_entry, stream.values)


def _json_entry(value: Sequence[object]) -> Entry:
    """Return the entry in `["1700000000000000000", "line", {"trace_id": ...}]`."""
    if len(value) < 2 or not isinstance(value[1], str | int) or isinstance(value[0], dict):
        raise Refused('an entry is not ["<Unix time in ns>", "line"]')
    try:
        ts = _nanoseconds(int(str(value[0])[:40]))
    except ValueError:
        raise Refused(f"{str(value[0])[:40]!r} is no Unix time in nanoseconds") from None
    extra = value[2] if len(value) > 2 else {}
    metadata = {name: str(inner) for name, inner in extra.items()} if isinstance(extra, dict) else {}
    return ts, str(value[1]), metadata


def _nanoseconds(number: int) -> int:
    """What no clock of 64 bits tells is no time; the time of arrival takes its place."""
    return number if 0 <= number <= _NS_MAX else 0


@lru_cache(4096)
def _labels(text: str) -> Mapping[str, str]:
    """Return the labels in `{job="app", host="web-1"}`. Raises Refused."""
    inner = text.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        raise Refused(f"{text[:80]!r} are no labels")
    inner = inner[1:-1].strip()
    found: dict[str, str] = {}
    at = 0
    while at < len(inner):
        match = _LABEL.match(inner, at)
        if match is None:
            raise Refused(f"{text[:80]!r} are no labels")
        found[match[1]] = _ESCAPE.sub(lambda part: _ESCAPED.get(part[1], part[1]), match[2])
        at = match.end()
    return found


def _rows(labels: Mapping[str, str], entries: Iterator[Entry]) -> Iterator[LogRow]:
    shared = _columns(labels)
    for ts_ns, line, metadata in entries:
        columns = (
            {**shared, **{name: value for name, value in _columns(metadata).items() if value}} if metadata else shared
        )
        # The labels of a stream say what it is; of a line's own metadata a service or host is not its sender's.
        attributes = {**_rest(labels), **_rest(metadata)} if metadata else _rest(labels)
        resource = _resource(labels, shared)
        yield LogRow(ts_ns, line, **columns, attributes=attributes, resource=resource, sender=_sender(resource))


def _columns(labels: Mapping[str, str]) -> dict[str, str]:
    return {column: next((labels[name] for name in names if labels.get(name)), "") for column, names in _NAMES.items()}


_TAKEN = frozenset(name for names in _NAMES.values() for name in names[:3]) | frozenset(_RESOURCE)


def _rest(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that fill no column by themselves; `job`, `instance` and their likes stay visible."""
    return {name: value for name, value in labels.items() if value and name not in _TAKEN}


def _resource(labels: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, str]:
    found = {_RESOURCE[name]: value for name, value in labels.items() if name in _RESOURCE and value}
    named = (("service.name", columns["service"]), ("host.name", columns["host"]))
    return found | {name: value for name, value in named if value}


def _sender(resource: Mapping[str, str]) -> Sender:
    for kind, name in (("container", "container.id"), ("host", "host.name"), ("service", "service.name")):
        if resource.get(name):
            return Sender(kind, resource[name], resource)
    return Sender()


def _ready(request: Request) -> Taken:
    return Taken((), Answer(b"ready\n", 200, "text/plain; charset=utf-8"))


def _problem(problem: Problem) -> Answer:
    """Loki's clients log the body, and try again on 429 and 5xx."""
    return Answer(f"{problem.message}\n".encode(), problem.status, "text/plain; charset=utf-8")


_PYTHON = """\
import logging, logging_loki

logging_loki.emitter.LokiEmitter.level_tag = "level"
handler = logging_loki.LokiHandler(
    url="{url}/loki/api/v1/push", tags={"service": "my-service"}, auth=("quarterdeck", "{key}"), version="1"
)
logging.getLogger().addHandler(handler)
"""
_ALLOY = """\
loki.write "quarterdeck" {
  endpoint {
    url          = "{url}/loki/api/v1/push"
    bearer_token = "{key}"
  }
}
"""

PLUGIN = Receiver(
    title="Loki push",
    signals=("logs",),
    http_setting="intake_loki",
    routes=(
        Route(("POST",), "/loki/api/v1/push", _take),
        Route(("POST",), "/api/prom/push", _take),
        Route(("GET", "HEAD"), "/ready", _ready, is_probe=True),
    ),
    clients=(
        Client("Python (python-logging-loki)", _PYTHON, language="python"),
        Client("Alloy (not tried here)", _ALLOY, language="text"),
    ),
    problem=_problem,
)
