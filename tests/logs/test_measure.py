"""Metrics of log lines: the samples that minutes give, late lines, past hours, limits, and who may do and see what."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.logs.lines import SHOP, WEB, line, load
from tests.telemetry.engines import Engine

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, BadQuery, Conflict, Denied, NotFound
from quarterdeck.logs import measuring, metric_actions
from quarterdeck.logs.metric_actions import backfill_metric, delete_metric, metrics, set_metric
from quarterdeck.logs.models import LogMetric
from quarterdeck.telemetry import client

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], dict[int, float]]


@pytest.fixture(autouse=True)
def _empty(logs: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """No samples; and the clock stands still: a minute that ends within a test would be one more to count."""
    here = now()
    for module in (measuring, metric_actions):
        monkeypatch.setattr(module, "now", lambda: here)
    for table in ("samples", "series", "labels", "series_written"):
        client.command(f"TRUNCATE TABLE {table}")


def minutes_ago(minutes: int, seconds: float = 10) -> datetime:
    """A moment `seconds` after a whole minute, of which the newest is over for long enough."""
    return measuring.closed_until(measuring.now()) - timedelta(minutes=minutes) + timedelta(seconds=seconds)


def stored() -> Samples:
    """`{(metric, labels): {Unix seconds: value}}`; a time that is stored twice with two values is an error."""
    found: Samples = defaultdict(dict)
    rows = client.query(
        "SELECT metric_name, labels, toUnixTimestamp(timestamp), groupUniqArray(value) FROM samples"
        " INNER JOIN (SELECT id, any(metric_name) AS metric_name, any(labels) AS labels FROM series GROUP BY id) AS s"
        " USING id GROUP BY id, metric_name, labels, timestamp"
    )
    for name, labels, at, values in rows:
        [found[name, tuple(sorted(labels.items()))][int(at)]] = values
    return dict(found)


def at(minutes: int) -> int:
    """The time of the sample of the minute `minutes_ago`."""
    return int(minutes_ago(minutes, 60).timestamp())


def test_minutes_are_counted_as_plain_python_counts_them() -> None:
    set_metric(SYSTEM, "failures", "level:error", labels=["service", "status"])
    rows = [(minute, service, status) for minute in range(1, 5) for service in ("shop", "mail")
            for status in ("500", "503", "") for _n in range(minute * len(service + status))]  # fmt: skip
    load(
        *(line("no", minutes_ago(minute), service=service, level="error", attributes={"status": status})
          for minute, service, status in rows),
        line("fine", minutes_ago(2), service="shop", level="info"),
    )  # fmt: skip
    assert measuring.measure() == {"failures": measuring.AGAIN_MINUTES}
    expected: dict[Any, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for minute, service, status in rows:
        labels = tuple((name, value) for name, value in (("service", service), ("status", status)) if value)
        expected["failures:count1m", labels][at(minute)] += 1
    assert stored() == expected


def test_numbers_have_count_sum_least_and_most() -> None:
    set_metric(SYSTEM, "answer", kind="distribution", field="bytes", unit="bytes", parse="logfmt", labels=["path"])
    load(*(line(f"path=/a bytes={value}", minutes_ago(2)) for value in ("10", "2.5", "-1", "none", "nan")))
    measuring.measure()
    values = {name: list(points.values()) for (name, labels), points in stored().items() if labels == (("path", "/a"),)}
    assert values == {
        "answer_bytes:count1m": [3], "answer_bytes:sum1m": [11.5], "answer_bytes:min1m": [-1],
        "answer_bytes:max1m": [10],
    }  # fmt: skip


def test_late_lines_and_the_same_minutes_again_count_once() -> None:
    set_metric(SYSTEM, "lines")
    load(*(line("one", minutes_ago(2)) for _n in range(3)))
    measuring.measure()
    measuring.measure()
    assert client.query("SELECT count() FROM samples")[0][0] == 1
    load(line("late", minutes_ago(2)), line("late", minutes_ago(4)))
    measuring.measure()
    assert stored() == {("lines:count1m", ()): {at(2): 4, at(4): 1}}


def test_past_hours_are_counted_on_request() -> None:
    set_metric(SYSTEM, "lines")
    load(*(line("old", minutes_ago(minutes)) for minutes in (3, 100, 170, 200)))
    measuring.measure()
    assert list(stored()["lines:count1m", ()]) == [at(3)]
    backfill_metric(SYSTEM, "lines", 3)
    assert measuring.measure()["lines"] == 3 * 60 + measuring.AGAIN_MINUTES
    assert stored() == {("lines:count1m", ()): {at(minutes): 1 for minutes in (3, 100, 170)}}
    [metric] = metrics(SYSTEM)
    assert (metric.evaluated_until, metric.problem) == (measuring.closed_until(measuring.now()), "")


def test_what_was_missed_is_made_up_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    set_metric(SYSTEM, "lines")
    backfill_metric(SYSTEM, "lines", 4)
    monkeypatch.setattr(measuring, "PARTS_MAX", 2)
    done = [measuring.measure()["lines"] for _n in range(3)]
    assert done == [120, 120, 15]


def test_series_have_a_limit_and_keep_their_place() -> None:
    set_metric(SYSTEM, "by_user", labels=["user"], series_max=3)
    load(*(line("x", minutes_ago(4), attributes={"user": f"u{n}"}) for n in range(3)))
    measuring.measure()
    load(*(line("x", minutes_ago(3), attributes={"user": f"v{n % 50}"}) for n in range(500)),
         *(line("x", minutes_ago(3), attributes={"user": "u1"}) for _n in range(7)),
         line("x", minutes_ago(3)))  # fmt: skip
    measuring.measure()
    found = {labels: points for (_name, labels), points in stored().items()}
    assert found[(("user", "u1"),)] == {at(4): 1, at(3): 7}
    assert found[(("user", "other"),)] == {at(3): 500}
    assert found[()] == {at(3): 1}
    assert len(found) == 5


def test_too_many_values_are_told_and_hold_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "GROUPS_MAX", 1000)
    set_metric(SYSTEM, "a_wild_one", labels=["user"])
    set_metric(SYSTEM, "lines")
    client.command(
        "INSERT INTO logs (ts, message, attributes) SELECT toDateTime64({at:Int64}, 9, 'UTC'), 'x',"
        " map('user', toString(number)) FROM numbers(100000)",
        {"at": int(minutes_ago(2).timestamp())},
    )
    done = measuring.measure()
    assert done["a_wild_one"] == 0
    assert "more" in LogMetric.objects.get(name="a_wild_one").problem
    assert stored() == {("lines:count1m", ()): {at(2): 100_000}}


def test_hostile_values_are_labels_and_long_ones_cut() -> None:
    bad = "<script>'\\\"\x1b[31m\x00); DROP TABLE samples --"
    set_metric(SYSTEM, "lines", labels=["note.x"])
    load(
        line("x", minutes_ago(2), attributes={"note.x": bad}),
        line("x" * 1_000_000, minutes_ago(2), attributes={"note.x": "y" * 5000}),
    )
    measuring.measure()
    assert {dict(labels)["note_x"] for _name, labels in stored()} == {bad, "y" * measuring.VALUE_BYTES}


def test_a_series_is_its_senders_and_seen_by_who_may_see_the_lines(teammate: Actor) -> None:
    set_metric(SYSTEM, "lines")
    load(line("x", minutes_ago(2), sender=WEB), line("x", minutes_ago(2), sender=SHOP, host=""))
    measuring.measure()
    items = {int(item) for (item,) in client.query("SELECT item FROM series WHERE metric_name = 'lines:count1m'")}
    senders = {int(sender) for (sender,) in client.query("SELECT DISTINCT sender FROM logs")}
    assert items == senders
    with pytest.raises(Denied):
        set_metric(teammate, "mine")
    with pytest.raises(Denied):
        delete_metric(teammate, "lines")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "9lives"}, {"name": "a:b"}, {"unit": "m/s"}, {"kind": "rate"},
        {"kind": "distribution", "field": "a b"},
        {"labels": ["a'b"]}, {"labels": ["a.b", "a_b"]}, {"labels": ["message"]}, {"series_max": 0}, {"parse": "xml"},
        {"query": "level:eror"}, {"kind": "distribution"},
    ],
)  # fmt: skip
def test_wrong_definitions_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((BadInput, BadQuery)):
        set_metric(SYSTEM, **{"name": "fine", **wrong})
    assert not LogMetric.objects.exists()


def test_changes_are_in_the_audit_log() -> None:
    set_metric(SYSTEM, "lines", unit="lines")
    with pytest.raises(Conflict):
        set_metric(SYSTEM, "lines_lines")
    set_metric(SYSTEM, "lines", "level:error", is_enabled=False)
    assert measuring.measure() == {}
    backfill_metric(SYSTEM, "lines", 1)
    delete_metric(SYSTEM, "lines")
    with pytest.raises(NotFound):
        delete_metric(SYSTEM, "lines")
    verbs = list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))
    # What was refused stands under the right that it needs.
    assert verbs == [
        "logs.set_metric", "logs.metrics", "logs.set_metric", "logs.backfill_metric", "logs.delete_metric",
        "logs.metrics",
    ]  # fmt: skip
