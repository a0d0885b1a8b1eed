"""Bytes to begin with, and a seeded mutator: the same seed gives the same inputs on every machine."""

# ruff: noqa: E501 - samples read better in one line
from __future__ import annotations

import gzip
import json
import random
import struct
import zlib
from collections.abc import Iterator

import cramjam
import msgpack
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from quarterdeck.intake.spool.frames import Entry, encode
from quarterdeck.telemetry.receiving import Frame

_AT = 1_781_524_800
_RESOURCE = {
    "attributes": [{"key": "service.name", "value": {"stringValue": "s"}}, {"key": "n", "value": {"intValue": "1"}}]
}
_SPAN = {
    "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "n", "kind": 2,
    "startTimeUnixNano": f"{_AT}000000000", "endTimeUnixNano": f"{_AT}000001000",
    "events": [{"name": "e", "timeUnixNano": f"{_AT}000000001"}], "status": {"code": 2, "message": "m"},
}  # fmt: skip
_OTLP = {
    "resourceSpans": [{"resource": _RESOURCE, "scopeSpans": [{"spans": [_SPAN]}]}],
    "resourceLogs": [{"resource": _RESOURCE, "scopeLogs": [{"logRecords": [{"body": {"stringValue": "b"}, "severityNumber": 9}]}]}],
    "resourceMetrics": [{"resource": _RESOURCE, "scopeMetrics": [{"metrics": [
        {"name": "g", "gauge": {"dataPoints": [{"timeUnixNano": f"{_AT}000000000", "asDouble": 1.5}]}},
        {"name": "h", "histogram": {"aggregationTemporality": 2, "dataPoints": [
            {"timeUnixNano": f"{_AT}000000000", "count": "3", "sum": 4.5, "bucketCounts": ["1", "2"], "explicitBounds": [1.0]}
        ]}},
    ]}]}],
}  # fmt: skip
_DOCUMENTS: list[object] = [
    _OTLP,
    {"streams": [{"stream": {"app": "a"}, "values": [[f"{_AT}000000000", "line", {"k": "v"}]]}]},
    {"version": "1.1", "host": "h", "short_message": "m", "timestamp": _AT + 0.5, "level": 3, "_a": "b"},
    {"request": "sender data", "data": [{"host": "h", "key": "k", "value": "1.5", "clock": _AT, "ns": 1}], "clock": _AT},
    {"request": "active checks", "host": "h", "version": "7.0.0", "session": "0123456789abcdef0123456789abcdef"},
    [{"traceId": "0af7651916cd43dd", "id": "b7ad6b7169203331", "name": "n", "timestamp": _AT * 1_000_000, "duration": 5,
      "localEndpoint": {"serviceName": "s", "ipv4": "192.0.2.1"}, "tags": {"error": "e"}}],
    [{"metric": "m", "endpoint": "h", "timestamp": _AT, "step": 60, "value": 1.5, "counterType": "GAUGE", "tags": "a=b"}],
    {"method": "Transfer.Update", "params": [[{"metric": "m", "endpoint": "h", "value": 1}]], "id": 1},
    {"@timestamp": "2026-06-15T12:00:00Z", "message": "m", "level": "error", "host": {"name": "h"}, "trace": {"id": "x"}},
    {"event_id": "fc6d8c0c43fc4630ad850ee518f1b9d0", "timestamp": _AT, "platform": "python", "level": "error",
     "exception": {"values": [{"type": "E", "value": "v", "stacktrace": {"frames": [{"filename": "f", "lineno": 1}]}}]}},
]  # fmt: skip
_LINES = [
    b"<34>1 2026-06-15T12:00:00.003Z host app 123 ID47 [a@1 b=\"c\"] message\n",
    b"<13>Jun 15 12:00:00 host app[1]: message\n",
    b"57 <34>1 2026-06-15T12:00:00Z host app - - - octet counted line",
    b"servers.h.cpu.load 1.5 1781524800\nname;tag=v 2 1781524800\n",
    b"cpu,host=h usage=1.5,n=3i,s=\"x\" 1781524800000000000\n",
    b"requests:1|c|@0.1|#env:prod\ntime:320|ms\ng:+4|g\nset:a|s\n",
    b"# TYPE m counter\nm{a=\"b\"} 1.5 1781524800000\nm_bucket{le=\"+Inf\"} 2\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"/v1/traces\0key=a&b=%ff\0Basic /////w==",
    b'{"index":{"_index":"i"}}\n{"message":"m","@timestamp":"2026-06-15T12:00:00Z"}\n{"create":{}}\n{}\n',
    b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","dsn":"http://k@h/1"}\n{"type":"event","length":2}\n{}\n',
]  # fmt: skip


def _protobuf() -> Iterator[bytes]:
    from google.protobuf.json_format import ParseDict

    kinds = (("resourceSpans", ExportTraceServiceRequest), ("resourceLogs", ExportLogsServiceRequest),
             ("resourceMetrics", ExportMetricsServiceRequest))  # fmt: skip
    for name, kind in kinds:
        yield ParseDict({name: _OTLP[name]}, kind(), ignore_unknown_fields=True).SerializeToString()
    label, sample = (
        b"\x0a\x08__name__\x12\x01m",
        b"\x09" + struct.pack("<d", 1.5) + b"\x10" + b"\x80\xa0\xb5\xe1\xec\x33",
    )
    series = b"\x0a" + bytes((len(label),)) + label + b"\x12" + bytes((len(sample),)) + sample
    yield b"\x0a" + bytes((len(series),)) + series


def _binary() -> Iterator[bytes]:
    body = b'{"request":"sender data","data":[]}'
    yield b"ZBXD\x01" + struct.pack("<II", len(body), 0) + body
    packed = zlib.compress(body)
    yield b"ZBXD\x03" + struct.pack("<II", len(packed), len(body)) + packed
    yield msgpack.packb(
        ["tag", [[_AT, {"message": "m"}], [msgpack.ExtType(0, struct.pack(">II", _AT, 5)), {"a": 1}]], {"chunk": "x"}]
    )
    yield msgpack.packb(["tag", msgpack.packb([_AT, {"log": "l"}]), {"size": 1, "compressed": "gzip"}])
    text = b"PT1\td\th\t127.0.0.1\tg\t0\tm\tid\tp\tr\ts\n\nt2026-06-15 12:00:00.000\tURL\t/x\t\nT2026-06-15 12:00:00.005\tURL\t/x\t0\t5000us\t\t\n"
    yield struct.pack(">I", len(text)) + text
    yield b"".join(encode(Entry("p", 1, _AT * 1000, Frame("s", b"content", 1)))) * 2


def seeds() -> list[bytes]:
    plain = (
        [json.dumps(one).encode() for one in _DOCUMENTS] + _LINES + [*_protobuf(), *_binary(), b"", b"\0", b"\xff" * 8]
    )
    return (
        plain
        + [gzip.compress(one) for one in plain[:4]]
        + [bytes(cramjam.snappy.compress_raw(one)) for one in plain[:4]]
    )


_TOKENS = [
    b"\0", b"\xff", b"\xed\xa0\x80", b"\xc3\x28", b"\xf0\x9f\x98\x80", b"NaN", b"-Infinity", b"1e999", b"-1", b"null", b"{}",
    b"[]", b'""', b"true", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"4102444800", b"0",
    b"2100-01-01T00:00:00Z", b"1970-01-01T00:00:00Z", b"0000-00-00", b"\\ud800", b"\\u0000", b"\r\n", b"\n", b"\t", b"%ff",
    b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", b"[" * 300, b'{"a":' * 300,
]  # fmt: skip


def inputs(seed: int, count: int) -> Iterator[bytes]:
    """Yield the seeds themselves, then `count` of their mutations."""
    dice, start = random.Random(seed), seeds()
    yield from start
    for _ in range(count):
        data = bytearray(dice.choice(start))
        for _step in range(dice.choice((1, 1, 2, 4, 8))):
            _mutate(dice, data, start)
        yield bytes(data[: 1 << 20])


def _mutate(dice: random.Random, data: bytearray, start: list[bytes]) -> None:
    at = dice.randrange(len(data) + 1)
    kind = dice.randrange(6)
    if kind == 0 and data:
        data[at % len(data)] ^= 1 << dice.randrange(8)
    elif kind == 1:
        data[at:at] = dice.choice(_TOKENS)
    elif kind == 2:
        token = dice.choice(_TOKENS)
        data[at : at + len(token)] = token
    elif kind == 3:
        del data[at : at + dice.choice((1, 1, 4, 50))]
    elif kind == 4:
        piece = data[at : at + dice.choice((4, 20, 200))]
        data[at:at] = piece * dice.choice((1, 2, 30))
    else:
        other = dice.choice(start)
        data[at:] = other[dice.randrange(len(other) + 1) :]


def long_inputs() -> Iterator[bytes]:
    """Yield inputs of a quarter of a megabyte: what is cheap once may be dear when it comes ten thousands of times."""
    size = 1 << 18
    for one in (b"[", b'{"a":', b"\n", b"a=b,", b'"', b"\\", b"\x0a\x00", b"\x81", b"\xdf\x00", b"1", b"{}\n", b"<", b"\0", b"[a=b]", b" ",
                b"a:1|c\n", b"%", b"\x1f\x8b\x08", b'{"":0},'):  # fmt: skip
        yield (one * (size // len(one) + 1))[:size]
    for one in seeds():
        if one:
            yield (one * (size // len(one) + 1))[:size]
