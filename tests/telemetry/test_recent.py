"""What the pages of an item show of its lines, spans and requests: the right ones, newest first, bounded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.telemetry.engines import Engine

from quarterdeck.access.models import Role, RoleBinding, User
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import BadInput, Denied
from quarterdeck.inventory import actions
from quarterdeck.inventory.models import Item
from quarterdeck.monitoring.senders.binding import bind
from quarterdeck.telemetry import client, loading, recent
from quarterdeck.telemetry.canonical import NOBODY, LogRow, Sender, SpanRow, frame_of_logs, frame_of_spans
from quarterdeck.telemetry.loading import Origin
from quarterdeck.telemetry.queries import logs, requests, senders, spans
from quarterdeck.telemetry.receiving import Frame
from quarterdeck.telemetry.requests import quantile

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
WEB = Sender("host", "web1", {"host.name": "web1"})
SHOP = Sender("service", "shop", {"service.name": "shop"})
HOSTILE = 'it\'s a \\ "shop"\t; DROP TABLE logs -- {services:Array(String)} 店'


@pytest.fixture(autouse=True)
def _empty(telemetry: Engine) -> Iterator[None]:
    for table in ("logs", "spans", "traces", "red_1m", "senders"):
        client.command(f"TRUNCATE TABLE {table}")
    return


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


def ns(at: datetime) -> int:
    return int(at.timestamp() * 1e6) * 1000


def load(frame: Frame, protocol: str = "otlp") -> None:
    loading.load([frame], Origin(protocol, 0, time.time_ns() // 1_000_000, {}), f"{time.time_ns()}")


def line(message: str, at: datetime | None = None, service: str = "", sender: Sender = WEB, level: str = "") -> LogRow:
    return LogRow(ns(at or ago(seconds=5)), message, service, "web1", level=level, sender=sender)


_ids = iter(range(1, 1_000_000))


def span(
    name: str, ms: float, at: datetime | None = None, *, service: str = "shop", sender: Sender = WEB, **more: Any
) -> SpanRow:
    number = next(_ids)
    return SpanRow(
        trace_id=f"{number:032x}", span_id=f"{number:016x}", name=name,
        ts_ns=ns(at or ago(seconds=5)), duration_ns=int(ms * 1e6), service=service, host="web1",
        sender=sender, **{"kind": "server", **more},
    )  # fmt: skip


def item(name: str, kind: str = "host") -> Item:
    bind(SYSTEM)
    return Item.objects.get(name=name, type__code=kind)


def test_a_host_has_what_it_sent_and_a_service_what_names_it_newest_first() -> None:
    rows = [
        line("first", ago(minutes=3), "shop", level="INFO"),
        line("second", ago(minutes=2), "mail", level="warn"),
        line("third", ago(minutes=1), "shop", Sender("host", "web2")),
        line("fourth", ago(seconds=30), "shop", SHOP),
    ]
    load(frame_of_logs(rows))
    since = ago(hours=1)
    assert [one.message for one in logs(SYSTEM, item("web1"), since)] == ["second", "first"]
    found = logs(SYSTEM, item("shop", "service"), since)
    assert [one.message for one in found] == ["fourth", "third", "first"]
    assert (found[2].level, found[2].service, found[2].host, found[2].source) == ("info", "shop", "web1", "otlp")
    assert abs(found[2].at - ago(minutes=3)) < timedelta(seconds=20)


def test_lines_are_bounded_in_time_number_and_length() -> None:
    rows = [line(f"line {number}", ago(minutes=number)) for number in range(1, 31)]
    load(frame_of_logs([*rows, line("x" * 100_000, ago(hours=5))]))
    host = item("web1")
    assert [one.message for one in logs(SYSTEM, host, ago(hours=1), limit=2)] == ["line 1", "line 2"]
    found = logs(SYSTEM, host, ago(minutes=29.5), until=ago(minutes=25.5))
    assert [one.message for one in found] == ["line 26", "line 27", "line 28", "line 29"]
    assert len(logs(SYSTEM, host, ago(hours=6), until=ago(hours=4))[0].message) == 8192


@pytest.mark.parametrize("service", [HOSTILE, "店" * 50, "a'); SELECT 1 --"])
def test_a_service_may_be_called_anything(service: str) -> None:
    load(frame_of_logs([line("hello", service=service)]))
    load(frame_of_spans([span("GET /", 1, service=service)]))
    bind(SYSTEM)
    found = Item.objects.get(type__code="service")
    assert [one.service for one in logs(SYSTEM, found, ago(hours=1))] == [service]
    assert [one.service for one in spans(SYSTEM, found, ago(hours=1))] == [service]
    assert requests(SYSTEM, found, ago(hours=1)).answered.count == 1


def test_bytes_that_are_no_text_do_not_break_the_page() -> None:
    load(frame_of_logs([line("ok")]))
    host = item("web1")
    client.command(
        "INSERT INTO logs (ts, sender, message) SELECT now64(9), sender, unhex('41ff1b5b') FROM logs LIMIT 1"
    )
    assert {one.message for one in logs(SYSTEM, host, ago(hours=1))} == {"ok", "A\ufffd\x1b["}


def test_spans_are_the_latest_the_slowest_or_those_that_failed() -> None:
    rows = [
        span("fast", 1, ago(minutes=1)),
        span("slow", 900, ago(minutes=2)),
        span("broken", 5, ago(minutes=3), is_error=True, status_message="no such table"),
        span("other", 5000, ago(minutes=1), service="mail"),
    ]
    load(frame_of_spans(rows))
    shop, host = item("shop", "service"), item("web1")
    since = ago(hours=1)
    assert [one.name for one in spans(SYSTEM, shop, since)] == ["fast", "slow", "broken"]
    assert [one.name for one in spans(SYSTEM, shop, since, order="slowest", limit=1)] == ["slow"]
    [broken] = spans(SYSTEM, shop, since, order="errors")
    assert (broken.name, broken.status_message, broken.duration_ns) == ("broken", "no such table", 5_000_000)
    assert broken.trace_id == rows[2].trace_id
    assert broken.parent_id == ""
    assert spans(SYSTEM, host, since, order="slowest")[0].name == "other"
    with pytest.raises(BadInput):
        spans(SYSTEM, shop, since, order="random")  # type: ignore[arg-type]


def test_a_span_that_was_sent_twice_is_shown_once() -> None:
    row = span("GET /", 3)
    load(frame_of_spans([row]))
    load(frame_of_spans([row]))
    shop = item("shop", "service")
    assert client.query("SELECT count() FROM spans")[0][0] >= 1
    assert len(spans(SYSTEM, shop, ago(hours=1))) == 1


def test_requests_are_counted_by_operation_and_in_time() -> None:
    answered = [span("GET /orders", ms, ago(minutes=10)) for ms in range(1, 101)]
    failed = [span("POST /pay", 50, ago(minutes=20), is_error=True), span("POST /pay", 50, ago(minutes=20))]
    made = [span("SELECT", 2, ago(minutes=10), kind="client", parent_id="00000000000000aa")]
    load(frame_of_spans([*answered, *failed, *made]))
    found = requests(SYSTEM, item("shop", "service"), ago(hours=1), 300)
    assert (found.answered.count, found.answered.errors, found.step_seconds) == (102, 1, 300)
    assert [(one.name, one.kind, one.red.count) for one in found.operations] == [
        ("GET /orders", "server", 100),
        ("POST /pay", "server", 2),
        ("SELECT", "client", 1),
    ]
    orders = found.operations[0].red
    assert orders.mean_ns == pytest.approx(50.5e6)
    assert orders.p50_ns == pytest.approx(50e6, rel=0.1)
    assert orders.p95_ns == pytest.approx(95e6, rel=0.1)
    assert orders.p99_ns == pytest.approx(99e6, rel=0.1)
    assert found.operations[0].trace_id == max(answered, key=lambda row: row.duration_ns).trace_id
    assert found.operations[1].red.error_ratio == 0.5
    assert sum(point.count for point in found.points) == 102
    assert len(found.points) in (12, 13)
    assert found.points[0].p50_ns is None


def test_a_host_has_no_requests_of_its_own() -> None:
    load(frame_of_spans([span("GET /", 1)]))
    found = requests(SYSTEM, item("web1"), ago(hours=1))
    assert (found.answered.count, found.operations) == (0, [])


@pytest.mark.parametrize(
    ("durations", "q", "low", "high"),
    [
        ({40: 1}, 0.5, 2**10, 2**10.25),
        ({40: 99, 80: 1}, 0.5, 2**10, 2**10.25),
        ({40: 99, 80: 1}, 0.995, 2**20, 2**20.25),
        ({0: 0, 40: 4}, 0.0, 2**10, 2**10.25),
        ({40: 10}, 1.0, 2**10, 2**10.25),
    ],
)
def test_a_quantile_lies_in_its_bucket(durations: dict[int, int], q: float, low: float, high: float) -> None:
    found = quantile(durations, q)
    assert found is not None
    assert low <= found <= high


def test_nothing_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None


def test_who_sends_is_told_by_protocol_with_the_last_time() -> None:
    load(frame_of_logs([line("a")]), "syslog")
    load(frame_of_spans([span("GET /", 1)]), "zipkin")
    found = senders(SYSTEM, item("web1"))
    assert {(one.kind, one.name, one.protocol, one.key) for one in found} == {
        ("host", "web1", "syslog", ""),
        ("host", "web1", "zipkin", ""),
    }
    assert abs(found[0].last_seen - datetime.now(UTC)) < timedelta(minutes=1)
    assert found[0].identities == {"host.name": "web1"}


def test_merging_takes_lines_and_spans_along() -> None:
    real = actions.create_item(SYSTEM, "host", "real")
    load(frame_of_logs([line("hello")]))
    load(frame_of_spans([span("GET /", 1)]))
    assert logs(SYSTEM, real, ago(hours=1)) == []
    actions.merge(SYSTEM, real, item("web1"))
    assert [one.message for one in logs(SYSTEM, real, ago(hours=1))] == ["hello"]
    assert len(spans(SYSTEM, real, ago(hours=1))) == 1


def test_one_sees_only_what_one_may_query(stranger: Actor, stranger_user: User) -> None:
    load(frame_of_logs([line("secret")]))
    host = item("web1")
    role = Role.objects.create(name="prod", verbs=["inventory.view", "telemetry.query"], query="env:prod")
    RoleBinding.objects.create(role=role, user=stranger_user)
    for read in (logs, spans, requests):
        with pytest.raises(Denied):
            read(stranger, host, ago(hours=1))
    with pytest.raises(Denied):
        senders(stranger, host)
    actions.update_item(SYSTEM, host, {"env": "prod"})
    assert len(logs(stranger, host, ago(hours=1))) == 1


def explained(sql: str, **parameters: object) -> str:
    return "\n".join(row[0] for row in client.query(f"EXPLAIN indexes = 1 {sql}", parameters))


def test_a_read_touches_only_the_days_and_keys_that_it_is_about() -> None:
    load(frame_of_logs([line(f"{n}", ago(days=n % 4), f"s{n % 7}", NOBODY) for n in range(2000)]))
    load(frame_of_spans([span(f"{n}", 1, ago(days=n % 4), service=f"s{n % 7}") for n in range(2000)]))
    window = {"since": ago(hours=1).timestamp(), "until": 4e9, "limit": 10, "services": ["s1"], "owners": [1]}
    by_name = "service IN {services:Array(String)}"
    by_sender = "sender IN {owners:Array(UInt64)}"
    statements = {
        "logs": recent._LOGS.format(condition=by_name),
        "spans": recent._SPANS.format(condition=by_name, order="spans.ts"),
        "logs of a host": recent._LOGS.format(condition=by_sender),
        "spans of a host": recent._SPANS.format(condition=by_sender, order="spans.ts"),
    }
    for title, sql in statements.items():
        plan = explained(sql, **window)
        days = plan.partition("Min-Max")[2].partition("Parts: ")[2].partition("\n")[0]
        assert days == "1/4", (title, plan)
        keys = plan.partition("PrimaryKey")[2].partition("Parts:")[0]
        assert ("service in 1-element set" in keys) == ("host" not in title), (title, plan)
