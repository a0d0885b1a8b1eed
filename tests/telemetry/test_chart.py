"""Charts against the same figures computed in Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.conf import settings
from tests.telemetry.engines import Engine

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core import clock
from quarterdeck.core.errors import BadInput, Denied
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry import charting, client, queries, rollups
from quarterdeck.telemetry.actions import write_samples
from quarterdeck.telemetry.samples import Sample

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

ITEM = Item(pk=7)
NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - timedelta(hours=1)
SINCE = NOW - timedelta(hours=2)
Points = list[tuple[float, float]]


def _samples(metric: str, points: Iterable[tuple[float, float]], item: int = 7, **labels: str) -> list[Sample]:
    return [Sample(metric, labels, item, datetime.fromtimestamp(at, UTC), value) for at, value in points]


def _counter(start: datetime, seconds: int, *, seed: int, restart_every: int) -> Points:
    """A counter that grows unevenly, restarts now and then, and misses some samples."""
    points, value = [], 1000.0 * seed
    for number in range(seconds // 10):
        value = 0.0 if number % restart_every == restart_every - 1 else value + (number * seed) % 17
        if number % 23 != 5:
            points.append((start.timestamp() + 10 * number + seed / 10, value))
    return points


def _rates(points: Points, since: datetime, until: datetime, step: int) -> list[float | None]:
    """The growth per second of each step, as the docstring of `chart` promises it."""
    start = int(since.timestamp()) // step * step
    grown: dict[int, float] = defaultdict(float)
    time: dict[int, float] = defaultdict(float)
    for (before, previous), (at, value) in pairwise(points):
        if start <= at < until.timestamp() and at - before <= charting.STALE_SECONDS:
            slot = int((at - start) // step)
            grown[slot] += value - previous if value >= previous else value
            time[slot] += at - before
    count = -(-int(until.timestamp() - start) // step)
    return [grown[slot] / time[slot] if time[slot] else None for slot in range(count)]


def _means(points: Points, since: datetime, until: datetime, step: int) -> list[float | None]:
    start = int(since.timestamp()) // step * step
    found: dict[int, list[float]] = defaultdict(list)
    for at, value in points:
        if start <= at < until.timestamp():
            found[int((at - start) // step)].append(value)
    count = -(-int(until.timestamp() - start) // step)
    return [sum(found[slot]) / len(found[slot]) if found[slot] else None for slot in range(count)]


def _approx(values: list[float | None]) -> list[object]:
    return [None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9) for value in values]


@pytest.mark.parametrize("step", [10, 60, 77, 299])
def test_a_counters_rate_counts_restarts_from_zero(telemetry: Engine, step: int) -> None:
    points = _counter(SINCE - timedelta(minutes=10), 2 * 3600, seed=3, restart_every=50)
    write_samples(_samples("net_bytes_total", points, device="eth0"))
    chart = queries.chart(SYSTEM, ITEM, "net_bytes_total", SINCE, NOW, step)
    assert (chart.is_rate, chart.unit, chart.resolution, chart.step_seconds) == (True, "bytes", "raw", step)
    assert [series.labels for series in chart.series] == [{"device": "eth0"}]
    assert chart.series[0].values == _approx(_rates(points, SINCE, NOW, step))
    assert min(value for value in chart.series[0].values if value is not None) >= 0


@pytest.mark.parametrize("step", [10, 60, 77])
def test_a_gauge_is_the_mean_of_each_step_and_a_gap_is_no_value(telemetry: Engine, step: int) -> None:
    points = [(SINCE.timestamp() + 10 * n, (n * 37 % 101) / 7) for n in range(600) if not 200 <= n < 260]
    write_samples(_samples("load", points))
    values = queries.chart(SYSTEM, ITEM, "load", SINCE, NOW, step).series[0].values
    assert values == _approx(_means(points, SINCE, NOW, step))
    assert None in values


def test_a_chart_starts_at_a_whole_step(telemetry: Engine) -> None:
    write_samples(_samples("load", [(SINCE.timestamp() + 5, 1.0)]))
    chart = queries.chart(SYSTEM, ITEM, "load", SINCE + timedelta(seconds=3), NOW, 60)
    assert chart.start == SINCE
    assert chart.series[0].values[0] == 1.0


def test_series_are_combined_by_the_labels_asked_for(telemetry: Engine) -> None:
    at = SINCE.timestamp() + 1
    for cpu in range(3):
        for state, value in (("user", 0.1 * cpu), ("idle", 1 - 0.1 * cpu)):
            write_samples(_samples("cpu", [(at, value)], cpu=str(cpu), state=state))

    def first(group_by: tuple[str, ...] | None, aggregate: str = "sum") -> dict[str, object]:
        chart = queries.chart(SYSTEM, ITEM, "cpu", SINCE, NOW, 60, group_by, aggregate=aggregate)  # type: ignore[arg-type]
        return {",".join(series.labels.values()): pytest.approx(series.values[0]) for series in chart.series}

    assert len(first(None)) == 6
    assert first(("state",)) == {"user": 0.3, "idle": 2.7}
    assert first((), "max") == {"": 1.0}
    assert first(("state",), "avg") == {"user": 0.1, "idle": 0.9}


def test_items_and_metrics_are_kept_apart(telemetry: Engine) -> None:
    write_samples(_samples("load", [(SINCE.timestamp(), 1.0)]) + _samples("load", [(SINCE.timestamp(), 2.0)], item=8))
    assert queries.chart(SYSTEM, ITEM, "load", SINCE, NOW, 60).series[0].values[0] == 1.0
    assert queries.chart(SYSTEM, Item(pk=8), "load", SINCE, NOW, 60).series[0].values[0] == 2.0
    assert queries.chart(SYSTEM, ITEM, "other", SINCE, NOW, 60).series == []


@pytest.mark.parametrize("metric", ["net_bytes_total", "load"])
def test_roll_ups_give_what_raw_samples_give(telemetry: Engine, metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    points = _counter(SINCE - timedelta(minutes=10), 2 * 3600 + 300, seed=5, restart_every=71)
    write_samples(_samples(metric, points, device="eth0"))
    # The last windows are not closed yet at that time: the chart joins roll-up and raw samples.
    monkeypatch.setattr(rollups, "now", lambda: NOW - timedelta(minutes=17))
    filled = rollups.roll_up()
    assert filled["samples_5m"] > 15
    expected = _rates if metric == "net_bytes_total" else _means
    chart = queries.chart(SYSTEM, ITEM, metric, SINCE, NOW, 300)
    assert chart.resolution == "5m"
    assert chart.series[0].values == _approx(expected(points, SINCE, NOW, 300))
    if metric == "net_bytes_total":
        wide = queries.chart(SYSTEM, ITEM, metric, SINCE, NOW, 1800)
        assert wide.series[0].values == _approx(expected(points, SINCE, NOW, 1800))


def test_a_window_is_rolled_up_once_however_often_it_is_tried(
    telemetry: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_samples(_samples("load", [(SINCE.timestamp() + n, 1.0) for n in range(0, 7200, 10)]))
    monkeypatch.setattr(rollups, "now", lambda: NOW)
    first = rollups.roll_up()
    # As after a kill between the windows and the mark that they are done.
    client.command("TRUNCATE TABLE rollups")
    assert rollups.roll_up() == first
    assert rollups.roll_up() == {"samples_5m": 0, "samples_1h": 0, "edges_1m": 0}
    assert client.query("SELECT sum(count), max(count) FROM samples_5m")[0][1] == 30
    assert client.query("SELECT max(total) FROM (SELECT sum(count) total FROM samples_5m GROUP BY timestamp)") == [
        (30,)
    ]


@pytest.mark.parametrize(
    ("since", "until", "step", "message"),
    [
        (NOW, SINCE, 60, "empty"),
        (SINCE, SINCE, 60, "empty"),
        (SINCE, NOW, 0, "empty"),
        (NOW - timedelta(days=365), NOW, 10, "points"),
    ],
)
def test_it_rejects_a_range_that_makes_no_chart(since: datetime, until: datetime, step: int, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        queries.chart(SYSTEM, ITEM, "load", since, until, step)


def test_it_rejects_an_unknown_aggregate() -> None:
    with pytest.raises(BadInput, match="sum, avg"):
        queries.chart(SYSTEM, ITEM, "load", SINCE, NOW, 60, aggregate="sum(v), now() --")  # type: ignore[arg-type]


def test_names_from_outside_are_values_never_sql(telemetry: Engine) -> None:
    odd = "x'}; DROP TABLE samples --\\ \t\n\x00é中"
    write_samples([Sample(odd, {odd: odd}, 7, SINCE, 1.0)])
    series = queries.chart(SYSTEM, ITEM, odd, SINCE, NOW, 60, (odd,)).series
    assert (series[0].labels, series[0].values[0]) == ({odd: odd}, 1.0)


def test_a_stranger_sees_no_metrics(stranger: Actor) -> None:
    with pytest.raises(Denied):
        queries.chart(stranger, ITEM, "load", SINCE, NOW, 60)
    with pytest.raises(Denied):
        queries.metrics_of(stranger, ITEM)
    with pytest.raises(Denied):
        queries.latest(stranger, [ITEM], ["load"])


def test_metrics_of_an_item_tell_unit_and_labels(telemetry: Engine) -> None:
    now = clock.now()
    write_samples(
        [
            Sample("system_disk_io_bytes_total", {"device": "sda", "direction": "read"}, 7, now, 1.0),
            Sample("system_disk_io_bytes_total", {"device": "sdb", "direction": "read"}, 7, now, 1.0),
            Sample("system_cpu_load_average_1m", {}, 7, now, 1.0),
            Sample("elsewhere", {}, 8, now, 1.0),
        ]
    )
    found = {m.name: (m.unit, m.is_counter, m.labels, m.series) for m in queries.metrics_of(SYSTEM, ITEM)}
    assert found == {
        "system_cpu_load_average_1m": ("", False, (), 1),
        "system_disk_io_bytes_total": ("bytes", True, ("device", "direction"), 2),
    }


def test_the_latest_values_of_many_items_come_at_once(telemetry: Engine) -> None:
    now = clock.now()
    rows = [
        Sample("load", {}, item, now - timedelta(seconds=age), float(age)) for item in range(1, 50) for age in (60, 5)
    ]
    rows.append(Sample("load", {}, 50, now - timedelta(hours=1), 1.0))
    write_samples(rows)
    found = queries.latest(SYSTEM, [Item(pk=pk) for pk in range(1, 60)], ["load", "missing"])
    assert set(found) == set(range(1, 50))
    assert all(values == {"load": [queries.Latest({}, 5.0, values["load"][0].at)]} for values in found.values())


def test_the_settings_choose_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolution(days_ago: float, step: int) -> str:
        start = int(clock.now().timestamp() - days_ago * 86400) // step * step
        return charting._resolution(charting.Grid(start, step, 10))

    assert resolution(1, 60) == "raw"
    assert resolution(1, 300) == "5m"
    assert resolution(settings.QD["metrics_retention_days"] + 1, 60) == "5m"
    assert resolution(settings.QD["metrics_5m_retention_days"] + 1, 3600) == "1h"
    assert resolution(30, 6 * 3600) == "1h"
