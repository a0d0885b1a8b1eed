"""Edges between services from closed minutes, and thinning out the traces of past days."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from tests.telemetry.engines import Engine

from quarterdeck.telemetry import client, loading, rollups, sampling
from quarterdeck.telemetry.canonical import SpanRow, frame_of_spans
from quarterdeck.telemetry.loading import Origin

pytestmark = pytest.mark.slow
NOW = datetime.now(UTC).replace(second=0, microsecond=0)


@pytest.fixture(autouse=True)
def _no_spans(telemetry: Engine) -> None:
    for name in ("spans", "traces", "red_1m", "edges_1m", "rollups"):
        client.command(f"TRUNCATE TABLE {name}")
    client.command("DROP TABLE IF EXISTS spans_unsampled")


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1e9)


def _store(*rows: SpanRow) -> None:
    loading.load([frame_of_spans(rows)], Origin("test", 0, time.time_ns() // 1_000_000, {}), str(time.time_ns()))


def _span(trace: int, span: int, service: str, kind: str, at: datetime, **more: object) -> SpanRow:
    return SpanRow(
        f"{trace:032x}", f"{span:016x}", f"{kind} of {service}", _ns(at), 1_000_000, kind=kind, service=service, **more
    )  # type: ignore[arg-type]


def _edges() -> dict[tuple[str, str, str], tuple[int, int]]:
    rows = client.query("SELECT caller, callee, kind, sum(count), sum(errors) FROM edges_1m GROUP BY 1, 2, 3")
    return {(caller, callee, kind): (int(n), int(bad)) for caller, callee, kind, n, bad in rows}


def test_edges_are_counted_once_both_ends_are_there() -> None:
    at = NOW - timedelta(minutes=5)
    _store(
        _span(1, 1, "shop", "server", at),
        _span(1, 2, "shop", "client", at, parent_id=f"{1:016x}", attributes={"server.address": "pay.internal"}),
    )
    _store(_span(1, 3, "pay", "server", at, parent_id=f"{2:016x}", is_error=True))
    _store(
        _span(
            1,
            4,
            "pay",
            "client",
            at,
            parent_id=f"{3:016x}",
            attributes={"db.system": "postgresql", "peer.service": "orders"},
        ),
        _span(2, 5, "shop", "client", at, attributes={"server.address": "api.example.com"}),
    )
    rollups.roll_up()
    expected = {
        ("shop", "pay", "call"): (1, 1),
        ("pay", "postgresql/orders", "database"): (1, 0),
        ("shop", "api.example.com", "external"): (1, 0),
    }
    assert _edges() == expected
    rollups.roll_up()
    assert _edges() == expected


def test_the_two_halves_of_a_zipkin_call_are_an_edge() -> None:
    at = NOW - timedelta(minutes=5)
    _store(_span(1, 7, "front", "client", at), _span(1, 7, "back", "server", at))
    rollups.roll_up()
    assert _edges() == {("front", "back", "call"): (1, 0)}


@pytest.fixture
def ten_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.QD, "traces_keep_percent", 10)
    monkeypatch.setattr(sampling, "RARE_TRACES", 5)


def _past_day() -> datetime:
    return (NOW - timedelta(days=3)).replace(hour=12)


def _many(count: int) -> list[SpanRow]:
    return [_span(100 + n, n + 1, "shop", "server", _past_day() + timedelta(seconds=n)) for n in range(count)]


@pytest.mark.usefixtures("ten_percent")
def test_ordinary_traces_of_a_past_day_are_thinned_out_special_ones_kept() -> None:
    slow = SpanRow(f"{1:032x}", f"{1:016x}", "server of shop", _ns(_past_day()), 10**10, kind="server", service="shop")
    failed = _span(2, 2, "shop", "server", _past_day(), is_error=True)
    rare = _span(3, 3, "once", "server", _past_day())
    today = _span(4, 4, "shop", "server", NOW)
    _store(*_many(500), slow, failed, rare, today)
    assert sampling.sample() == [_past_day().date()]
    kept = {int(trace, 16) for (trace,) in client.query("SELECT lower(hex(trace_id)) FROM spans FINAL")}
    assert {1, 2, 3, 4} <= kept
    assert 20 < len(kept) < 120
    weights = client.query("SELECT sample_weight, count() FROM spans FINAL GROUP BY 1 ORDER BY 1")
    assert [float(weight) for weight, _n in weights] == [1.0, 10.0]
    counted = client.query("SELECT sum(count) FROM red_1m WHERE service = 'shop'")[0][0]
    assert int(counted) == 503
    assert sampling.sample() == []


@pytest.mark.usefixtures("ten_percent")
def test_a_run_that_was_killed_half_way_is_finished_by_the_next() -> None:
    _store(*_many(200))
    client.command("CREATE TABLE spans_unsampled AS spans")
    client.command(f"ALTER TABLE spans MOVE PARTITION '{_past_day().date()}' TO TABLE spans_unsampled")
    late = _span(9, 9, "late", "server", _past_day())
    _store(late)
    assert sampling.sample() == [_past_day().date()]
    found = int(client.query("SELECT count() FROM spans FINAL")[0][0])
    assert 5 < found < 60
    assert int(client.query("SELECT count() FROM spans WHERE service = 'late'")[0][0]) == 1
    assert client.query("EXISTS TABLE spans_unsampled")[0][0] == 0


def test_nothing_is_dropped_unless_a_person_asks_for_it() -> None:
    _store(*_many(50))
    assert sampling.sample() == []
    assert int(client.query("SELECT count() FROM spans")[0][0]) == 50
