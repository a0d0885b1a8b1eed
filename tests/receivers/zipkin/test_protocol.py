"""What is taken as Zipkin's spans and what is refused, without a server."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, seed, settings
from tests.receivers.zipkin.fuzzing import fuzz_targets
from tests.receivers.zipkin.strategies import bodies

from quarterdeck.telemetry import protos
from quarterdeck.telemetry.receivers.zipkin import PLUGIN
from quarterdeck.telemetry.receivers.zipkin.statements import MESSAGES
from quarterdeck.telemetry.receiving import Refused, Request, Taken

AT = 1_795_694_400_000_000
SPAN = {"traceId": "5af7183fb1d4cf5f", "id": "352bff9a74ca9ad2", "timestamp": AT}
LIST = protos.define("zipkin_unit", MESSAGES)["ListOfSpans"]


def take(body: bytes, path: str = "/api/v2/spans", content_type: str = "application/json") -> Taken:
    [route] = [one for one in PLUGIN.routes if one.pattern == path]
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    return route.take(Request("POST", {}, {}, {"content-type": content_type}, body, "192.0.2.7", now))


def rows(taken: Taken) -> list[dict[str, Any]]:
    return [json.loads(line) for frame in taken.frames for line in frame.content.split(b"\n")]


def test_what_is_null_or_unknown_is_left_out() -> None:
    span = {
        **SPAN,
        "parentId": None,
        "tags": None,
        "x": [1, {"y": 2}],
        "localEndpoint": {"serviceName": "a", "port": None},
    }
    taken = take(json.dumps([span, SPAN]).encode())
    assert rows(taken) == [{**SPAN, "localEndpoint": {"serviceName": "a"}}, SPAN]
    assert (taken.frames[0].records, taken.answer and taken.answer.status) == (2, 202)


@pytest.mark.parametrize("body", [b"[]", b" [ ] "])
def test_an_empty_list_is_accepted(body: bytes) -> None:
    taken = take(body)
    assert (taken.frames, taken.answer and taken.answer.status) == ([], 202)


@pytest.mark.parametrize(
    "change",
    [
        {"traceId": "x"}, {"traceId": ""}, {"traceId": "0" * 33}, {"traceId": 7}, {"id": "0" * 17}, {"id": None},
        {"id": "1\n"}, {"parentId": "x"}, {"kind": "client"}, {"kind": "LOCAL"}, {"timestamp": -1}, {"timestamp": "1"},
        {"timestamp": 1.5}, {"timestamp": 1 << 60}, {"timestamp": 1 << 70}, {"duration": -1}, {"tags": {"a": 1}},
        {"tags": {"a": None}}, {"tags": []}, {"annotations": {}}, {"annotations": [{"timestamp": "x"}]},
        {"localEndpoint": "a"}, {"localEndpoint": {"port": 65536}}, {"localEndpoint": {"serviceName": 7}},
        {"shared": 1},
    ],
)  # fmt: skip
def test_it_refuses_spans_that_are_wrong(change: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="no list of Zipkin spans"):
        take(json.dumps([SPAN, {**SPAN, **change}]).encode())


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[7]", b"[", b'[{"traceId":"1","id":"2","name":"\xff"}]', b"[" * 100_000, b'[{"x":' * 10_000]
)
@pytest.mark.parametrize("path", ["/api/v2/spans", "/api/v1/spans"])
def test_it_refuses_what_is_no_list(body: bytes, path: str) -> None:
    with pytest.raises(Refused):
        take(body, path)


def test_ten_thousand_tags_are_taken() -> None:
    tags = {f"tag{number}": "x" for number in range(10_000)}
    assert rows(take(json.dumps([{**SPAN, "tags": tags}]).encode()))[0]["tags"] == tags


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": b"x" * 8}, "bad_id"), ({"trace_id": b"x" * 7, "id": b"x" * 8}, "bad_id"),
        ({"trace_id": b"x" * 16, "id": b"x" * 8, "parent_id": b"x"}, "bad_id"),
        ({"trace_id": b"x" * 16, "id": b"x" * 8, "timestamp": 1 << 63}, "bad_time"),
        ({"trace_id": b"x" * 16, "id": b"x" * 8, "duration": 1 << 63}, "bad_time"),
    ],
)  # fmt: skip
def test_it_refuses_protobuf_that_is_wrong(fields: dict[str, Any], reason: str) -> None:
    message: Any = LIST()
    message.spans.add(**fields)
    with pytest.raises(Refused) as caught:
        take(message.SerializeToString(), content_type="application/x-protobuf")
    assert caught.value.reason == reason


def test_it_refuses_what_is_no_protobuf() -> None:
    with pytest.raises(Refused, match="no ListOfSpans"):
        take(b"\xff\xff", content_type="application/x-protobuf")


def _version_1(*annotations: tuple[str, int], **more: Any) -> dict[str, Any]:
    endpoint = {"serviceName": "shop", "ipv4": "10.1.2.3", "port": 80}
    listed = [{"timestamp": at, "value": value, "endpoint": endpoint} for value, at in annotations]
    return {"traceId": "1", "id": "2", "name": "get", "annotations": listed, **more}


def test_version_1_tells_kind_and_times_by_annotations() -> None:
    told = [
        {"key": "sa", "value": True, "endpoint": {"serviceName": "pay"}},
        {"key": "error", "value": "boom"},
        {"key": "retry", "value": True},
    ]
    span = _version_1(("cs", AT), ("wire", AT + 5), ("cr", AT + 90), binaryAnnotations=told)
    [row] = rows(take(json.dumps([span]).encode(), "/api/v1/spans"))
    assert (row["kind"], row["timestamp"], row["duration"]) == ("CLIENT", AT, 90)
    assert (row["localEndpoint"]["serviceName"], row["remoteEndpoint"]) == ("shop", {"serviceName": "pay"})
    assert (row["annotations"], row["tags"]) == (
        [{"timestamp": AT + 5, "value": "wire"}],
        {"error": "boom", "retry": "true"},
    )


def test_a_span_of_version_1_with_both_halves_becomes_two() -> None:
    span = _version_1(("cs", AT), ("sr", AT + 10), ("ss", AT + 50), ("cr", AT + 90), timestamp=AT, duration=90)
    client, server = rows(take(json.dumps([span]).encode(), "/api/v1/spans"))
    assert (client["kind"], client["timestamp"], client["duration"], "shared" in client) == ("CLIENT", AT, 90, False)
    assert (server["kind"], server["timestamp"], server["duration"], server["shared"]) == ("SERVER", AT + 10, 40, True)


def test_thrift_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="Thrift") as caught:
        take(b"\x0c", "/api/v1/spans", "application/x-thrift")
    assert caught.value.status == 415


def test_it_reads_spans_fast_enough() -> None:
    """At 40,000 spans a second there are 25 µs of one core for each; the engine needs most of them."""
    span = {
        **SPAN, "kind": "CLIENT", "name": "get /api", "duration": 1234, "localEndpoint": {"serviceName": "shop"},
        "remoteEndpoint": {"serviceName": "pay", "ipv4": "10.1.2.4", "port": 8080},
        "tags": {"http.method": "GET", "a": "b"}, "annotations": [{"timestamp": AT, "value": "wire"}],
    }  # fmt: skip
    body = json.dumps([span] * 1000).encode()
    spent = []
    for _round in range(5):
        started = time.process_time()
        take(body)
        spent.append(time.process_time() - started)
    assert min(spent) < 0.012


@pytest.mark.parametrize("name", sorted(fuzz_targets()))
@seed(20261126)
@given(body=bodies())
@settings(max_examples=100, deadline=None)
def test_it_takes_or_refuses_whatever_comes(name: str, body: bytes) -> None:
    fuzz_targets()[name](body)
