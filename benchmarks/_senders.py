"""What senders send, made beforehand, so that the generator's own cost is known and small."""

from __future__ import annotations

import json
import math
import random
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import cramjam

from quarterdeck.conf.options import OPTIONS

# How long the intake gathers for people; the tests' lab is set to less.
GATHER_MS = next(option.default for option in OPTIONS if option.name == "intake_gather_ms")
START_MS = int(time.time() * 1000) - 3_600_000


@dataclass(frozen=True, slots=True)
class Load:
    """Bodies for one path; `records` are in all of them together."""

    name: str
    path: str
    bodies: list[bytes]
    records: int
    headers: dict[str, str]


def node_exporter_series(url: str) -> list[tuple[str, dict[str, str], float]]:
    """Return what a real node_exporter says: `[(metric, labels, value)]`."""
    from prometheus_client.parser import text_string_to_metric_families

    with urllib.request.urlopen(f"{url}/metrics") as answer:
        text = answer.read().decode()
    return [
        (sample.name, dict(sample.labels), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not math.isnan(sample.value)
    ]


class _Moving:
    """A series that goes on as its kind does: counters grow, gauges wander, and most of an exporter never changes."""

    def __init__(self, name: str, value: float, dice: random.Random) -> None:
        self.value = value
        self._dice = dice
        is_counter = name.endswith(("_total", "_count", "_sum", "_bucket"))
        moves = (is_counter and value > 0) or (not is_counter and dice.random() < 0.3 and value not in (0.0, 1.0))
        self._kind = ("counter" if is_counter else "gauge") if moves else "constant"
        self._step = max(1.0, abs(value) * 1e-5)

    def next(self) -> float:
        if self._kind == "counter":
            self.value += round(self._step * self._dice.random() * 2, 2 if self._step < 10 else 0)
        elif self._kind == "gauge":
            self.value = round(self.value + self._step * (self._dice.random() - 0.5) * 20, 0 if self._step > 1 else 3)
        return self.value


def remote_write(series: list[tuple[str, dict[str, str], float]], hosts: int, samples: int, per_series: int) -> Load:
    """Return some `samples` samples of `hosts` node_exporters, 15 s apart, `per_series` of a series in a request."""
    from quarterdeck.telemetry.receivers.prometheus_remote_write.messages import WRITE_REQUEST

    dice = random.Random(7)
    fleet = [
        (name, [("__name__", name), *sorted({**labels, "instance": f"node{host}:9100", "job": "node"}.items())],
         _Moving(name, value, dice))
        for host in range(hosts)
        for name, labels, value in series
    ]  # fmt: skip
    bodies: list[bytes] = []
    count, at = 0, START_MS
    in_request = max(1, 2000 // per_series)
    while count < samples:
        for start in range(0, len(fleet), in_request):
            request = WRITE_REQUEST()
            for _name, labels, moving in fleet[start : start + in_request]:
                one = request.timeseries.add()
                for key, text in labels:
                    label = one.labels.add()
                    label.name, label.value = key, text
                for number in range(per_series):
                    sample = one.samples.add()
                    sample.value, sample.timestamp = moving.next(), at + number * 15_000
                count += per_series
            bodies.append(bytes(cramjam.snappy.compress_raw(request.SerializeToString())))
        at += per_series * 15_000
    headers = {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    return Load(f"remote write, {per_series} of a series", "/api/v1/write", bodies, count, headers)


_ROUTES = ("/", "/cart", "/checkout", "/orders/{id}", "/login", "/search", "/api/items", "/healthz")


def otlp_spans(count: int, in_request: int = 1000) -> Load:
    """Return spans of eight services with ten attributes each, in traces of ten."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    dice = random.Random(8)
    bodies = []
    now = time.time_ns()
    for start in range(0, count, in_request):
        request = ExportTraceServiceRequest()
        one = request.resource_spans.add()
        service = f"service-{start // in_request % 8}"
        for key, text in (("service.name", service), ("host.name", f"host-{start % 20}"), ("service.version", "1.4.2")):
            attribute = one.resource.attributes.add()
            attribute.key, attribute.value.string_value = key, text
        spans = one.scope_spans.add().spans
        for number in range(in_request):
            span = spans.add()
            if number % 10 == 0:
                trace, parent = dice.randbytes(16), b""
            span.trace_id, span.span_id, span.parent_span_id = trace, dice.randbytes(8), parent
            parent = span.span_id
            route = dice.choice(_ROUTES)
            span.name, span.kind = f"GET {route}", 2 + number % 2
            span.start_time_unix_nano = now - dice.randrange(60 * 10**9)
            span.end_time_unix_nano = span.start_time_unix_nano + int(dice.lognormvariate(14, 1.5))
            for key, value in _attributes(route, number, dice):
                attribute = span.attributes.add()
                attribute.key = key
                if isinstance(value, int):
                    attribute.value.int_value = value
                else:
                    attribute.value.string_value = value
        bodies.append(request.SerializeToString())
    return Load("OTLP spans", "/v1/traces", bodies, count, {"Content-Type": "application/x-protobuf"})


def _attributes(route: str, number: int, dice: random.Random) -> Iterator[tuple[str, str | int]]:
    yield "http.route", route
    yield "http.request.method", "GET"
    yield "http.response.status_code", dice.choice((200, 200, 200, 200, 304, 404, 500))
    yield "url.scheme", "https"
    yield "server.address", f"shop-{number % 4}.internal"
    yield "network.peer.address", f"10.0.{number % 16}.{dice.randrange(256)}"
    yield "user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
    yield "enduser.id", f"u{dice.randrange(5000)}"
    yield "thread.name", f"worker-{number % 8}"
    yield "code.function.name", f"handle_{route.strip('/{}') or 'root'}"


def otlp_metrics(count: int, in_request: int = 1000) -> Load:
    """Return points of one service's gauges and counters, one point of each series in a request."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    dice = random.Random(13)
    bodies = []
    now = time.time_ns()
    for start in range(0, count, in_request):
        request = ExportMetricsServiceRequest()
        one = request.resource_metrics.add()
        for key, text in (("service.name", f"service-{start % 3}"), ("host.name", "host-0")):
            attribute = one.resource.attributes.add()
            attribute.key, attribute.value.string_value = key, text
        metrics = one.scope_metrics.add().metrics
        for number in range(in_request):
            metric = metrics.add()
            metric.name, metric.unit = f"process.figure{number % 12}", "By"
            point = metric.gauge.data_points.add()
            point.time_unix_nano, point.as_double = now + start * 10**6, dice.random() * 1e6
            attribute = point.attributes.add()
            attribute.key, attribute.value.string_value = "state", f"s{number // 12}"
        bodies.append(request.SerializeToString())
    return Load("OTLP metrics", "/v1/metrics", bodies, count, {"Content-Type": "application/x-protobuf"})


def zipkin_spans(count: int, in_request: int = 1000) -> Load:
    dice = random.Random(9)
    bodies = []
    now = time.time_ns() // 1000
    for start in range(0, count, in_request):
        spans = []
        for number in range(in_request):
            if number % 10 == 0:
                trace, parent = dice.randbytes(16).hex(), ""
            span_id = dice.randbytes(8).hex()
            route = dice.choice(_ROUTES)
            tags = {key: str(value) for key, value in _attributes(route, number, dice)}
            span = {
                "traceId": trace, "id": span_id, "name": f"get {route}", "kind": ("CLIENT", "SERVER")[number % 2],
                "timestamp": now - dice.randrange(60 * 10**6), "duration": int(dice.lognormvariate(7, 1.5)) + 1,
                "localEndpoint": {"serviceName": f"service-{start % 8}", "ipv4": "10.0.0.7"}, "tags": tags,
            }  # fmt: skip
            if parent:
                span["parentId"] = parent
            parent = span_id
            spans.append(span)
        bodies.append(json.dumps(spans).encode())
    return Load("Zipkin JSON spans", "/api/v2/spans", bodies, count, {"Content-Type": "application/json"})


_MESSAGES = (
    "GET {route} 200 {n}ms user={user}",
    "connection to {ip} closed after {n} seconds",
    "Accepted publickey for deploy from {ip} port {n} ssh2: RSA SHA256:{hex}",
    "cache miss for key item:{user}:{hex}",
    "worker {n} finished job {hex} in {n} ms",
    "login failed for {user}: password=secret{n}",
    "订单 {n} 支付成功 user={user}",
    "slow query ({n} ms): SELECT * FROM orders WHERE user_id = {n} AND state = 'open'",
)


def _message(dice: random.Random) -> str:
    return dice.choice(_MESSAGES).format(
        route=dice.choice(_ROUTES[:3]), n=dice.randrange(10_000), user=f"u{dice.randrange(500)}",
        ip=f"10.0.{dice.randrange(32)}.{dice.randrange(256)}", hex=f"{dice.getrandbits(64):016x}",
    )  # fmt: skip


def bulk_lines(count: int, in_request: int = 2000) -> Load:
    dice = random.Random(10)
    bodies = []
    action = '{"create":{"_index":"logs-app-default"}}'
    now_ms = int(time.time() * 1000)
    for _start in range(0, count, in_request):
        lines = []
        for number in range(in_request):
            document = {
                "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_ms / 1000 - dice.randrange(60)))
                + f".{dice.randrange(1000):03d}Z",
                "message": _message(dice), "log": {"level": dice.choice(("info", "info", "warn", "error"))},
                "service": {"name": f"service-{number % 8}"}, "host": {"name": f"host-{number % 20}"},
                "process": {"pid": 100 + number % 50}, "event": {"dataset": "app.log"},
            }  # fmt: skip
            lines += [action, json.dumps(document, ensure_ascii=False)]
        bodies.append(("\n".join(lines) + "\n").encode())
    return Load("log lines by _bulk", "/_bulk", bodies, count, {"Content-Type": "application/x-ndjson"})


def otlp_lines(count: int, in_request: int = 2000) -> Load:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    dice = random.Random(11)
    bodies = []
    now = time.time_ns()
    for start in range(0, count, in_request):
        request = ExportLogsServiceRequest()
        one = request.resource_logs.add()
        for key, text in (("service.name", f"service-{start % 8}"), ("host.name", f"host-{start % 20}")):
            attribute = one.resource.attributes.add()
            attribute.key, attribute.value.string_value = key, text
        records = one.scope_logs.add().log_records
        for number in range(in_request):
            record = records.add()
            record.time_unix_nano = now - dice.randrange(60 * 10**9)
            record.severity_number = dice.choice((9, 9, 13, 17))
            record.body.string_value = _message(dice)
            attribute = record.attributes.add()
            attribute.key, attribute.value.int_value = "process.pid", 100 + number % 50
        bodies.append(request.SerializeToString())
    return Load("log lines by OTLP", "/v1/logs", bodies, count, {"Content-Type": "application/x-protobuf"})


def syslog_lines(count: int, in_packet: int = 1000) -> list[bytes]:
    """Return lines of RFC 5424 ended by newlines, `in_packet` together, for a TCP connection."""
    dice = random.Random(12)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return [
        "".join(
            f"<{dice.choice((14, 30, 86))}>1 {stamp}.{dice.randrange(10**6):06d}Z host-{n % 20} app-{n % 8} {n} - - "
            f"{_message(dice)}\n"
            for n in range(in_packet)
        ).encode()
        for _ in range(count // in_packet)
    ]
