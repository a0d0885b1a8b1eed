"""Traces found and read through the engine, by people who may read all, some or none of them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.tracing.conftest import Load
from tests.tracing.making import START, load_logs, span, span_id, trace_id

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import BadInput, BadQuery, Denied, NotFound
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry import client
from quarterdeck.telemetry.canonical import LogRow
from quarterdeck.tracing import limits, queries, search

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
SINCE, UNTIL = datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC) + timedelta(minutes=1)


def found(query: str = "", actor: Actor = SYSTEM, **more: object) -> list[int]:
    """Return the numbers of the traces that the query finds."""
    return [int(one.trace_id, 16) for one in queries.traces(actor, query, SINCE, UNTIL, **more)]  # type: ignore[arg-type]


@pytest.fixture
def shop(sent: Load) -> None:
    """1: a quick payment. 2: a slow one that failed in the database. 3: another service on another host."""
    sent(
        span(
            1,
            1,
            name="POST /pay",
            ms=20,
            at_ms=0,
            attributes={"http.route": "/pay", "http.response.status_code": "200"},
        ),
        span(1, 2, 1, name="SELECT", kind="client", ms=5, at_ms=5, attributes={"db.system": "postgresql", "rows": "3"}),
        span(
            2,
            3,
            name="POST /pay",
            ms=900,
            at_ms=1000,
            is_error=True,
            status_message="card declined",
            attributes={"http.route": "/pay", "http.response.status_code": "503", "user.id": "u-7"},
        ),
        span(
            2,
            4,
            3,
            name="SELECT",
            kind="client",
            ms=700,
            at_ms=1050,
            attributes={"db.system": "postgresql", "rows": "400"},
        ),
        span(
            3, 5, name="GET /mail", service="mail", host="web2", ms=300, at_ms=2000, resource={"k8s.pod.name": "mail-1"}
        ),
    )


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [3, 2, 1]),
        ("service:shop", [2, 1]),
        ("service:(shop OR mail)", [3, 2, 1]),
        ("service:shop duration:>500ms", [2]),
        ("service:shop duration:>500ms status:error http.route:/pay", [2]),
        ("status:>=500", [2]),
        ("status:5*", [2]),
        ("-status:error", [3, 2, 1]),
        ("operation:GET*", [3]),
        ("db:postgresql rows:>100", [2]),
        ("attr.rows:3", [1]),
        ("user.id:u-7", [2]),
        ("user.id:*", [2]),
        ("k8s.pod.name:mail-1", [3]),
        ('"card declined"', [2]),
        ("DECLINED", [2]),
        ("host:web2 OR user.id:u*", [3, 2]),
        ("is:root -service:shop", [3]),
        (f"trace:{trace_id(1)}", [1]),
        ("service:nobody", []),
        ("service:sh", []),
    ],
)
def test_a_query_finds_traces_newest_first(query: str, numbers: list[int]) -> None:
    assert found(query) == numbers


@pytest.mark.usefixtures("shop")
def test_slowest_first_and_a_limit() -> None:
    assert found(order="slowest") == [2, 3, 1]
    assert found(order="slowest", limit=1) == [2]
    assert found(limit=2) == [3, 2]
    with pytest.raises(BadInput):
        found(order="best")


def test_a_trace_of_very_many_matching_spans_does_not_hide_the_others(sent: Load) -> None:
    sent(
        *(span(1, n + 1, at_ms=5000 + n, ms=50) for n in range(400)),
        *(span(2 + n, 1000 + n, at_ms=n, ms=10) for n in range(5)),
    )
    assert found() == [1, 6, 5, 4, 3, 2]
    assert found(order="slowest", limit=3)[0] == 1
    assert len(found(order="slowest", limit=3)) == 3


@pytest.mark.usefixtures("shop")
def test_a_found_trace_is_told_as_a_whole() -> None:
    [one] = queries.traces(SYSTEM, "db:* rows:>100", SINCE, UNTIL)
    assert (one.root_name, one.root_service, one.spans, one.errors, one.services) == (
        "POST /pay",
        "shop",
        2,
        1,
        ["shop"],
    )
    assert (one.duration_ns, one.span_name, one.span_duration_ns) == (900_000_000, "SELECT", 700_000_000)
    assert one.start == datetime.fromtimestamp(START / 1e9 + 1, UTC)


@pytest.mark.usefixtures("shop")
def test_nothing_is_found_outside_the_range_and_an_empty_range_is_refused() -> None:
    assert queries.traces(SYSTEM, "", SINCE, SINCE + timedelta(minutes=1)) == []
    with pytest.raises(BadInput):
        queries.traces(SYSTEM, "", UNTIL, SINCE)
    assert len(queries.traces(SYSTEM, "", datetime(1950, 1, 1, tzinfo=UTC), datetime(2400, 1, 1, tzinfo=UTC))) == 3


def test_a_trace_is_read_by_its_id_with_everything(sent: Load) -> None:
    sent(
        span(7, 1, ms=50),
        span(
            7,
            2,
            1,
            at_ms=10,
            kind="client",
            attributes={"a": "1"},
            events=[(START + 11_000_000, "exception", {"exception.type": "E"})],
            links=[(trace_id(9), span_id(9))],
            is_error=True,
        ),
    )
    load_logs(
        LogRow(START, "hello", "shop", "web1", level="info", trace_id=trace_id(7), span_id=span_id(2)),
        LogRow(START, "other", "shop", "web1", level="info", trace_id=trace_id(8), span_id=span_id(2)),
    )
    trace = queries.trace(SYSTEM, trace_id(7))
    assert [(node.depth, node.span.name) for node in trace.nodes] == [(0, "step 1"), (1, "step 2")]
    second = trace.nodes[1].span
    assert (second.attributes, second.links) == ({"a": "1"}, [(trace_id(9), span_id(9))])
    assert [(one.name, dict(one.attributes)) for one in second.events] == [("exception", {"exception.type": "E"})]
    assert queries.span(SYSTEM, trace_id(7), span_id(2)) == second
    outline = queries.trace(SYSTEM, trace_id(7).lstrip("0"), is_outline=True)
    assert [node.span.attributes for node in outline.nodes] == [{}, {}]
    assert [line.message for line in queries.around(SYSTEM, trace_id(7)).logs] == ["hello"]
    assert queries.around(SYSTEM, trace_id(7), span_id=span_id(1)).logs == []
    for unknown in (trace_id(99), "f" * 32):
        with pytest.raises(NotFound):
            queries.trace(SYSTEM, unknown)
    for bad in ("xyz", "", "1" * 33, "' OR 1"):
        with pytest.raises(BadInput):
            queries.trace(SYSTEM, bad)


def test_a_span_sent_twice_is_shown_once(sent: Load) -> None:
    for _twice in range(2):
        sent(span(7, 1, ms=50))
    assert len(queries.trace(SYSTEM, trace_id(7)).nodes) == 1
    [one] = queries.traces(SYSTEM, "", SINCE, UNTIL)
    assert one.spans == 1


@pytest.mark.usefixtures("shop")
def test_everybody_sees_only_spans_of_items_that_they_may_read(teammate: Actor, stranger: Actor) -> None:
    assert found(actor=teammate) == []
    Item.objects.filter(name="shop").update(env="prod")
    assert found(actor=teammate) == [2, 1]
    assert found("service:mail", teammate) == []
    with pytest.raises(NotFound):
        queries.trace(teammate, trace_id(3))
    assert [row.name for row in queries.services(teammate, SINCE, UNTIL)] == ["shop"]
    with pytest.raises(NotFound):
        queries.service(teammate, "mail", SINCE, UNTIL)
    Item.objects.filter(name="web2").update(env="prod")
    assert found(actor=teammate) == [3, 2, 1]
    with pytest.raises(Denied):
        found(actor=stranger)


@pytest.mark.usefixtures("shop")
def test_the_pages_selector_limits_what_is_found() -> None:
    assert found(selector="name:mail") == [3]
    assert found(selector="type:host") == [3, 2, 1]
    assert found(selector="name:nothing-such") == []


def test_of_a_trace_through_two_services_the_part_that_may_be_read_is_shown(sent: Load, teammate: Actor) -> None:
    sent(
        span(1, 1, ms=100, service="front", host="web1"),
        span(1, 2, 1, at_ms=5, ms=90, service="vault", host="web2", name="secret thing"),
        span(1, 3, 2, at_ms=9, ms=10, service="front", host="web1"),
    )
    Item.objects.filter(name="front").update(env="prod")
    trace = queries.trace(teammate, trace_id(1))
    assert [(node.span.service, node.is_orphan) for node in trace.nodes] == [("front", False), ("front", True)]
    [one] = queries.traces(teammate, "", SINCE, UNTIL)
    assert (one.spans, one.services) == (2, ["front"])
    assert queries.service_map(teammate, SINCE, UNTIL).edges == []
    with pytest.raises(NotFound):
        queries.span(teammate, trace_id(1), span_id(2))


@pytest.mark.usefixtures("shop")
def test_services_have_rate_errors_durations_apdex_and_their_item() -> None:
    rows = {row.name: row for row in queries.services(SYSTEM, SINCE, UNTIL)}
    shop = rows["shop"]
    assert (shop.red.count, shop.red.errors, shop.item) == (2, 1, Item.objects.get(name="shop").pk)
    assert shop.apdex == 0.75
    assert shop.red.p99_ns == pytest.approx(900e6, rel=0.1)
    assert rows["mail"].apdex == 1


def test_a_service_has_operations_versions_neighbours_and_exceptions(sent: Load) -> None:
    failed = [(START + 5_000_000, "exception", {"exception.type": "Timeout", "exception.message": "no answer"})]
    sent(
        span(1, 1, ms=100, service="shop", version="1.0"),
        span(2, 2, ms=100, at_ms=60_000, service="shop", version="1.1", is_error=True, events=failed),
        span(2, 3, 2, at_ms=60_005, kind="client", ms=80, service="shop", attributes={"server.address": "pay"}),
        span(2, 4, 3, at_ms=60_010, ms=70, service="pay", host="web2"),
        span(
            2,
            5,
            4,
            at_ms=60_020,
            ms=30,
            service="pay",
            host="web2",
            kind="client",
            attributes={"db.system": "postgresql", "peer.service": "orders"},
        ),
    )
    one = queries.service(SYSTEM, "shop", SINCE, UNTIL)
    assert (one.answered.count, one.answered.errors, sum(point.count for point in one.points)) == (2, 1, 2)
    assert [(version.name, version.red.errors) for version in one.versions] == [("1.1", 1), ("1.0", 0)]
    assert {(operation.name, operation.kind) for operation in one.operations} == {
        ("step 1", "server"),
        ("step 2", "server"),
        ("step 3", "client"),
    }
    assert [(edge.caller, edge.callee, edge.kind, edge.red.count) for edge in one.edges] == [("shop", "pay", "call", 1)]
    [exception] = one.exceptions
    assert (exception.type, exception.message, exception.count, exception.trace_id) == (
        "Timeout",
        "no answer",
        1,
        trace_id(2),
    )
    drawn = queries.service_map(SYSTEM, SINCE, UNTIL)
    assert {(node.name, node.kind, node.item is not None) for node in drawn.nodes} == {
        ("shop", "service", True),
        ("pay", "service", True),
        ("postgresql/orders", "database", False),
    }
    with pytest.raises(NotFound):
        queries.service(SYSTEM, "nobody", SINCE, UNTIL)


def test_statements_are_grouped_by_their_form_with_callers_and_what_they_cost(sent: Load) -> None:
    def query(trace: int, number: int, ms: float, text: str, service: str = "shop") -> None:
        rows.append(
            span(
                trace,
                number,
                ms=ms,
                kind="client",
                service=service,
                name="query",
                attributes={"db.system": "postgresql", "db.query.text": text, "db.namespace": "orders"},
            )
        )

    rows: list[object] = []
    for number in range(10):
        query(number + 1, number + 1, 10, f"SELECT * FROM items WHERE id = {number} AND name = 'x{number}'")
    query(20, 20, 500, "UPDATE stock SET n = 5", "mail")
    rows.append(span(21, 21, kind="client", name="GET cart", attributes={"db.system": "redis"}))
    rows.append(
        span(
            22,
            22,
            kind="producer",
            name="send",
            attributes={"messaging.system": "kafka", "messaging.destination.name": "mails"},
        )
    )
    rows.append(span(23, 23, kind="client", name="GET", attributes={"server.address": "api.example.com"}))
    sent(*rows)  # type: ignore[arg-type]
    slow, often = queries.statements(SYSTEM, SINCE, UNTIL)
    assert (slow.statement, slow.callers, slow.max_ns, slow.trace_id) == (
        "UPDATE stock SET n = ?",
        ["mail"],
        500_000_000,
        trace_id(20),
    )
    assert (often.count, often.total_ns, often.system, often.target) == (10, 100_000_000, "postgresql", "orders")
    assert "?" in often.statement
    assert "x1" not in often.statement
    names = {
        category: [
            (one.statement, one.system, one.target)
            for one in queries.statements(SYSTEM, SINCE, UNTIL, category=category)
        ]
        for category in ("cache", "queue", "external")
    }
    assert names == {
        "cache": [("GET cart", "redis", "")],
        "queue": [("send", "kafka", "mails")],
        "external": [("GET", "", "api.example.com")],
    }
    assert len(queries.statements(SYSTEM, SINCE, UNTIL, service="mail")) == 1
    with pytest.raises(BadInput):
        queries.statements(SYSTEM, SINCE, UNTIL, category="all")  # type: ignore[arg-type]


@pytest.mark.usefixtures("shop")
def test_a_search_that_takes_too_long_answers_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "options", lambda: {**limits.options(), "max_rows_to_read": 1})
    with pytest.raises(client.TooHeavy, match="needs more rows than it may have"):
        found()


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("query", ["duration:>x", 'service:"', "operation:(a", "service:>1"])
def test_a_query_that_is_wrong_is_refused(query: str) -> None:
    with pytest.raises(BadQuery):
        found(query)


def test_a_trace_of_ten_thousand_spans_is_read_whole(sent: Load) -> None:
    sent(*(span(5, n, n // 8, at_ms=n, ms=20_000 - n) for n in range(1, 10_001)))
    started = time.process_time()
    trace = queries.trace(SYSTEM, trace_id(5), is_outline=True)
    assert len(trace.nodes) == 10_000
    assert time.process_time() - started < 5
