"""CAT's formats and what becomes of them, without a server."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, seed, settings
from tests.receivers.cat.fuzzing import fuzz_targets
from tests.receivers.cat.strategies import connections, text, varint

from quarterdeck.telemetry.receivers.cat import router
from quarterdeck.telemetry.receivers.cat.counting import bucket_of, calls_of, events_of
from quarterdeck.telemetry.receivers.cat.heartbeats import readings_of
from quarterdeck.telemetry.receivers.cat.rows import role_of
from quarterdeck.telemetry.receivers.cat.session import Session
from quarterdeck.telemetry.receiving import Peer, Refused

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
AT = int(NOW.timestamp() * 1000)
HEADER = ("shop", "web1", "10.1.2.3", "main", "7", "worker", "shop-0a010203-498804-5", "", "", "")


def session(**options: Any) -> Session:
    settings = {"intake_cat": "127.0.0.1:2280", **options}
    return Session(Peer("192.0.2.7", 0, lambda: NOW, settings, local="192.0.2.1"))


def framed(*contents: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(one)) + one for one in contents)


def nt1(*messages: bytes, header: tuple[str, ...] = HEADER) -> bytes:
    return b"NT1" + b"".join(map(text, header)) + b"".join(messages)


def begin(type_: str, name: str, at: int = AT) -> bytes:
    return b"t" + varint(at) + text(type_) + text(name)


def end(status: str = "0", data: str = "", duration_us: int = 1500) -> bytes:
    return b"T" + text(status) + text(data) + varint(duration_us)


def leaf(kind: str, type_: str, name: str, status: str = "0", data: str = "", at: int = AT) -> bytes:
    return kind.encode() + varint(at) + b"".join(map(text, (type_, name, status, data)))


def taken(*contents: bytes, size: int = 0) -> tuple[dict[str, list[Any]], dict[str, int]]:
    """Return `({stream: rows}, refused)` of frames that are sent in pieces of `size`, 0 for all at once."""
    sent, one = framed(*contents), session()
    found: dict[str, list[Any]] = {}
    refused: dict[str, int] = {}
    for at in range(0, len(sent), size or len(sent)):
        for some in one.feed(sent[at : at + (size or len(sent))]):
            refused.update(some.refused)
            for frame in some.frames:
                found.setdefault(frame.stream, []).extend(map(json.loads, frame.content.split(b"\n")))
    list(one.end())
    return found, refused


TREE = nt1(
    begin("URL", "/orders"),
    leaf("E", "Order", "created", data="id=7"),
    begin("SQL", "select-order"),
    leaf("E", "SQL.Method", "SELECT"),
    end("TimeoutException", "SELECT 1", 900),
    leaf("E", "Exception", "ValueError", "ERROR", "Traceback\n支付失败"),
    end(),
)


@pytest.mark.parametrize("size", [0, 1, 7])
def test_a_tree_becomes_spans(size: int) -> None:
    found, refused = taken(TREE, size=size)
    outer, inner = found["rows.spans"]
    assert refused == {}
    assert (outer[8], outer[9], outer[10], outer[11], outer[4], outer[7]) == (
        "shop", "URL /orders", "server", False, 1_500_000, "",
    )  # fmt: skip
    assert (inner[9], inner[10], inner[11], inner[12], inner[7]) == (
        "SQL select-order", "client", True, "TimeoutException", outer[6],
    )  # fmt: skip
    assert inner[16]["db.query.text"] == "SELECT 1"
    assert [event[1] for event in outer[18]] == ["Order created", "Exception ValueError"]
    assert outer[:3] == ["host", "web1", {"host.name": "web1", "host.ip": "10.1.2.3", "service.name": "shop"}]


def test_an_exception_is_a_line_of_the_log_that_leads_to_its_span() -> None:
    found, _refused = taken(TREE)
    [line], outer = found["rows.logs"], found["rows.spans"][0]
    assert (line[7], line[10]) == ("error", "Exception ValueError\nTraceback\n支付失败")
    assert (line[8], line[9]) == (outer[5], outer[6])


def test_trees_of_one_request_share_a_trace() -> None:
    child = ("pay", "web2", "10.1.2.4", "", "", "", "pay-0a010204-498804-1", HEADER[6], HEADER[6], "")
    found, _refused = taken(TREE, nt1(begin("Service", "pay"), end(), header=child))
    outer, _inner, service = found["rows.spans"]
    assert service[5] == outer[5]
    assert service[7] == outer[6]


def test_sums_of_a_client_become_calls() -> None:
    data = "@120;7;3500;20,100|45,20;"
    wrapped = [begin("System", "TransactionAggregator"), begin("URL", "/orders"), end(data=data), end()]
    found, refused = taken(nt1(*wrapped))
    assert refused == {}
    assert "rows.spans" not in found
    buckets = {str(bucket_of(20_000_000)): 100, str(bucket_of(45_000_000)): 20}
    assert found["cat.red"] == [
        ["shop", "URL /orders", "server", AT // 1000, 120, 7, 3_500_000_000, 45_000_000, buckets]
    ]


def test_calls_inside_of_a_service_are_counted_like_those_of_which_only_sums_come() -> None:
    found, _refused = taken(nt1(begin("URL", "/"), begin("Render", "page"), end(duration_us=2000), end()))
    assert found["cat.red"] == [
        ["shop", "Render page", "internal", AT // 1000, 1, 0, 2_000_000, 2_000_000, {str(bucket_of(2_000_000)): 1}]
    ]


def test_sums_of_events_are_added_up() -> None:
    found, _refused = taken(nt1(leaf("E", "Cache", "hit", data="@40;0"), leaf("E", "Cache", "hit", data="@2;1")))
    values = {row[3]: row[6] for row in found["rows.metrics"]}
    assert values == {"cat_events_delta": [42.0], "cat_event_errors_delta": [1.0]}


@pytest.mark.parametrize(
    ("status", "data", "expected"),
    [
        ("C", "7", {"orders_paid_count_delta": 7.0}),
        ("S,C", "3,250", {"orders_paid_count_delta": 3.0, "orders_paid_milliseconds_sum_delta": 250.0}),
        ("L", "12", {"orders_paid": 12.0}),
    ],
)
def test_metrics_become_samples(status: str, data: str, expected: dict[str, float]) -> None:
    found, _refused = taken(nt1(leaf("M", "", "orders.paid", status, data)))
    assert {row[3]: row[6][0] for row in found["rows.metrics"]} == expected
    assert found["rows.metrics"][0][4] == {"host": "web1", "job": "shop"}


@pytest.mark.parametrize("magic", [b"NM1", b"NB1"])
def test_a_bag_of_metrics_becomes_samples(magic: bytes) -> None:
    total = struct.unpack("<Q", struct.pack("<d", 9.5))[0]
    counted = varint(AT) + text("orders") + text("SUM") + varint(2) + varint(total) + varint(0)
    found, _refused = taken(magic + text("shop") + text("web1") + text("10.1.2.3") + varint(1) + counted)
    assert {row[3]: row[6][0] for row in found["rows.metrics"]} == {"orders_count_delta": 2.0, "orders_sum_delta": 9.5}


def test_a_heartbeat_becomes_samples() -> None:
    data = (
        '<?xml version="1.0"?><status timestamp="x"><os name="Linux" available-processors="8"/>'
        '<memory heap-usage="1024"><gc name="G1" count="3" time="40"/></memory>'
        '<extension id="System"><extensionDetail id="LoadAverage" value="0.5"/></extension></status>'
    )
    found, _refused = taken(nt1(leaf("H", "Heartbeat", "10.1.2.3", data=data)))
    values = {row[3]: (row[4], row[6][0]) for row in found["rows.metrics"]}
    own = {"host": "web1", "job": "shop"}
    assert values["cat_heartbeat"] == ({**own, "type": "Heartbeat"}, 1.0)
    assert values["cat_os_available_processors"] == ({**own, "name": "Linux"}, 8.0)
    assert values["cat_gc_count"] == ({**own, "name": "G1"}, 3.0)
    assert values["cat_extension"] == ({**own, "extension": "System", "id": "LoadAverage"}, 0.5)


@pytest.mark.parametrize(
    "data",
    [
        "<a",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<a b='nan'/>",
        "x",
        "",
        "a=inf&b",
        "<a>" * 5000 + "</a>" * 5000,
    ],
)
def test_heartbeats_of_other_forms_hold_nothing(data: str) -> None:
    assert readings_of(data) == []


def test_pairs_of_a_heartbeat_are_read() -> None:
    assert [(one.metric, one.value) for one in readings_of("cpu=12.5&state=ok")] == [("cat_heartbeat_cpu", 12.5)]


@pytest.mark.parametrize("hours", [0, 8, -5])
def test_plain_text_is_read_in_the_zone_of_the_client(hours: int) -> None:
    time = f"2026-11-26 {12 + hours:02d}:00:00.250"
    plain = (
        "\t".join(["PT1", *HEADER[:7], "null", "null", "null"])
        + f"\nt{time}\tURL\t/orders\t\nE{time}\tException\tValueError\tERROR\tline 1\n\tline 2\n\t\n"
        + f"A{time}\tSQL\tselect\t0\t900us\ta\\tb\t\nT{time}\tURL\t/orders\t0\t1500us\tnull\t\n"
    ).encode()
    found, refused = taken(plain)
    outer, inner = found["rows.spans"]
    assert refused == {}
    assert (outer[3], outer[4], outer[9]) == ((AT + 250) * 1_000_000, 1_500_000, "URL /orders")
    assert "cat.data" not in outer[16]
    assert (inner[7], inner[16]["cat.data"]) == (outer[6], "a\tb")
    assert found["rows.logs"][0][10] == "Exception ValueError\nline 1\n\tline 2\n"


@pytest.mark.parametrize(
    "bad",
    [
        nt1(begin("URL", "/")), nt1(end()), nt1(b"x"), nt1()[:-1], nt1(b"t" + b"\xff" * 11), nt1(header=HEADER[:9]),
        nt1(b"E" + varint(AT) + varint(1 << 40)), b"PT1\ta", b"PT1" + b"\t" * 10 + b"\nhello\n",
        b"PT1" + b"\t" * 10 + b"\nA2026-11-26 12:00:00.000\ta\tb\n",
        b"PT1" + b"\t" * 10 + b"\nT2026-11-26 12:00:00.000\ta\tb\t0\t1us\t\t\n",
        b"PT1" + b"\t" * 10 + b"\nt2026-13-26 12:00:00.000\ta\tb\t\n",
        b"NM1" + text("a") * 3 + varint(1 << 50), b"XX1", b"",
    ],
)  # fmt: skip
def test_a_bad_frame_is_counted_and_the_next_one_taken(bad: bytes) -> None:
    found, refused = taken(bad, TREE)
    assert sum(refused.values()) == 1
    assert len(found["rows.spans"]) == 2


@pytest.mark.parametrize("data", ["@", "@1;2", "@1;2;3;x;", "@1;2;3;4;", "@-1;0;0;;", "@99999999999999999999;0;0;;"])
def test_sums_of_another_form_are_counted_as_bad(data: str) -> None:
    found, refused = taken(nt1(begin("URL", "/"), end(data=data)))
    assert (found, refused) == ({}, {"bad_batch": 1})


def test_times_that_cannot_be_are_those_of_arrival() -> None:
    found, _refused = taken(nt1(leaf("M", "", "a", "C", "1", at=3), begin("URL", "/", 1 << 63), end()))
    assert found["rows.metrics"][0][5] == [AT]
    assert found["rows.spans"][0][3] == 0


def test_a_frame_of_a_gigabyte_ends_the_connection_and_what_came_before_is_kept() -> None:
    fed = iter(session().feed(framed(TREE) + struct.pack(">I", 1 << 30)))
    assert next(fed).frames
    with pytest.raises(Refused, match="at most"):
        next(fed)


def test_a_connection_that_ends_within_a_frame_is_refused() -> None:
    one = session()
    list(one.feed(framed(TREE)[:-1]))
    with pytest.raises(Refused, match="within a frame"):
        one.end()


@pytest.mark.parametrize(
    "sent",
    [
        b"Get http://127.0.0.1:2280/cat/s/router?op=json&domain=shop HTTP/1.0\r\nHost 127.0.0.1\r\n\r\n",
        b"GET /cat/s/router?op=json HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_the_router_is_answered_on_the_same_port(sent: bytes) -> None:
    one = session(cat_sample_percent=25)
    assert list(one.feed(sent[:9])) == []
    [answered] = one.feed(sent[9:])
    assert answered.is_last
    head, _, body = answered.answer.body.partition(b"\r\n\r\n") if answered.answer else (b"", b"", b"")
    assert head.startswith(b"HTTP/1.0 200 OK")
    assert json.loads(body) == {"kvs": {"routers": "127.0.0.1:2280;", "sample": "0.25", "block": "false"}}


def test_other_paths_are_not_the_routers() -> None:
    [answered] = session().feed(b"GET /cat/r/t HTTP/1.1\r\n\r\n")
    assert answered.answer
    assert answered.answer.body.startswith(b"HTTP/1.0 404")


@pytest.mark.parametrize(
    ("address", "local", "told", "expected"),
    [
        ("0.0.0.0:2280", "10.0.0.9", "", "10.0.0.9"),
        ("[::]:2280", "::", "10.0.0.8", "10.0.0.8"),
        ("10.0.0.7:1", "", "", "10.0.0.7"),
    ],
)
def test_the_router_names_an_address_that_is_reached(address: str, local: str, told: str, expected: str) -> None:
    assert f'"{expected}:' in router.routers({"intake_cat": address}, local, told).decode()


@pytest.mark.parametrize(("address", "status"), [("", 404), ("[::]:2280", 503)])
def test_the_router_says_when_there_is_nowhere_to_send(address: str, status: int) -> None:
    with pytest.raises(Refused) as caught:
        router.routers({"intake_cat": address}, "::1", "cat.example")
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("type_", "role"),
    [
        ("URL", "server"), ("URL.Forward", "server"), ("PigeonService", "server"), ("Service", "server"),
        ("Call", "client"),
        ("PigeonCall", "client"), ("SQL", "client"), ("Cache.memcached", "client"), ("MsgProduced", "producer"),
        ("MsgConsumer", "consumer"), ("Render", "internal"), ("", "internal"),
    ],
)  # fmt: skip
def test_roles_follow_from_types(type_: str, role: str) -> None:
    assert role_of(type_) == role


def test_sums_are_read() -> None:
    assert calls_of("@1;0;5;5,1;") == calls_of("@1;0;5;5,1")
    assert events_of("@12;3") == (12, 3)
    assert events_of("@x") is None


@pytest.mark.parametrize("name", sorted(fuzz_targets()))
@seed(20261126)
@given(content=connections())
@settings(max_examples=100, deadline=None)
def test_it_takes_or_refuses_whatever_comes(name: str, content: bytes) -> None:
    fuzz_targets()[name](content)
