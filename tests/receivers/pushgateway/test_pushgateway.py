"""The Pushgateway's API: by hand, by chance, and from prometheus-client."""

from __future__ import annotations

import math
import time
from datetime import timedelta

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    delete_from_gateway,
    push_to_gateway,
    pushadd_to_gateway,
)
from tests.lab.intake import IntakeLab
from tests.receivers.pushgateway.fuzzing import PROTOBUF, fuzz_targets, take
from tests.receivers.requests import NOW, NOW_MS, lines, request, samples

from quarterdeck.telemetry.canonical import STALE_BITS
from quarterdeck.telemetry.receivers.pushgateway import grouping_of
from quarterdeck.telemetry.receivers.pushgateway.bodies import _FAMILY
from quarterdeck.telemetry.receivers.pushgateway.groups import Groups
from quarterdeck.telemetry.receiving import Refused, Taken

JOB = ("job", "backup")


def _push(groups: Groups, body: bytes, method: str = "PUT", path: str = "backup", content_type: str = "") -> Taken:
    headers = {"content-type": content_type} if content_type else {}
    return take(request(body, method, {"group": path}, headers=headers, state=groups))


def _values(taken: Taken) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {name: values[0][1] for name, values in samples(taken.frames).items() if not name[0].startswith("push_")}


def _ended(taken: Taken) -> set[str]:
    return {row[3] for row in lines(taken.frames) if row[7] == [STALE_BITS]}


def test_it_adds_the_labels_of_the_path() -> None:
    taken = _push(
        Groups({}), b'# TYPE a gauge\na{job="liar",x="y"} 1.5\nb{instance="z"} 2\n', path="backup/instance/db1"
    )
    found = samples(taken.frames)
    assert found["a", (("instance", "db1"), JOB, ("x", "y"))] == [(NOW_MS, 1.5)]
    assert found["b", (("instance", "db1"), JOB)] == [(NOW_MS, 2)]
    assert found["push_time_seconds", (("instance", "db1"), JOB)] == [(NOW_MS, NOW_MS / 1000)]
    assert found["push_failure_time_seconds", (("instance", "db1"), JOB)] == [(NOW_MS, 0)]
    assert {tuple(row[:2]) for row in lines(taken.frames)} == {("instance", "db1")}


@pytest.mark.parametrize(
    ("path", "is_encoded", "labels"),
    [
        ("backup", False, {"job": "backup"}),
        ("backup/path@base64/L3Zhci90bXA", False, {"job": "backup", "path": "/var/tmp"}),
        ("backup/path@base64/L3Zhci90bXA=/a/b", False, {"job": "backup", "path": "/var/tmp", "a": "b"}),
        ("L3Zhci90bXA=", True, {"job": "/var/tmp"}),
        ("backup/name@base64/zqDPgc6_zrzOt864zrXPjc-C", False, {"job": "backup", "name": "Προμηθεύς"}),
        ("backup/empty@base64/=", False, {"job": "backup", "empty": ""}),
    ],
)
def test_it_reads_the_grouping_key(path: str, is_encoded: bool, labels: dict[str, str]) -> None:
    assert grouping_of(path, is_encoded=is_encoded) == labels


@pytest.mark.parametrize(
    ("path", "is_encoded"),
    [
        ("", False),
        ("backup/a", False),
        ("backup/1a/b", False),
        ("backup/__a/b", False),
        ("backup/a@base64/!", False),
        ("=", True),
        ("backup/a@base64/_w", False),
        ("/".join(["backup", *(f"l{number}/v" for number in range(10_000))]), False),
    ],
)
def test_it_refuses_what_is_no_grouping_key(path: str, is_encoded: bool) -> None:
    with pytest.raises(Refused):
        grouping_of(path, is_encoded=is_encoded)


def test_put_replaces_the_group_and_post_its_families() -> None:
    groups = Groups({})
    histogram = b'# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_count 1\nh_sum 2\n'
    _push(groups, b"a 1\nb 1\n" + histogram)
    taken = _push(groups, b'# TYPE h histogram\nh_bucket{le="+Inf"} 5\nb 2\n', "POST")
    assert _ended(taken) == {"h_count", "h_sum"}
    assert _values(groups.flush(NOW)[0]) == {
        ("a", (JOB,)): 1,
        ("b", (JOB,)): 2,
        ("h_bucket", (JOB, ("le", "+Inf"))): 5,
    }
    taken = _push(groups, b"c 3\n")
    assert _ended(taken) == {"a", "b", "h_bucket"}
    assert _values(groups.flush(NOW)[0]) == {("c", (JOB,)): 3}
    assert _ended(_push(groups, b"")) == {"c"}
    assert _values(groups.flush(NOW)[0]) == {}


def test_delete_forgets_one_group_and_ends_its_series() -> None:
    groups = Groups({})
    _push(groups, b"a 1\n")
    _push(groups, b"a 2\n", path="backup/instance/db1")
    taken = take(request(b"", "DELETE", {"group": "backup"}, state=groups))
    assert taken.answer is not None
    assert taken.answer.status == 202
    assert _ended(taken) == {"a", "push_time_seconds", "push_failure_time_seconds"}
    assert _values(groups.flush(NOW)[0]) == {("a", (("instance", "db1"), JOB)): 2}
    assert take(request(b"", "DELETE", {"group": "backup"}, state=groups)).frames == []


def test_groups_are_sent_again_with_the_time_of_now_and_outlive_a_restart() -> None:
    groups = Groups({})
    _push(groups, b"a 1\nb NaN\nc +Inf\n")
    _push(groups, b"gone 1\n", path="other")
    disk = groups.changes()
    take(request(b"", "DELETE", {"group": "other"}, state=groups))
    disk.update(groups.changes())
    assert sorted(map(bool, disk.values())) == [False, True]
    assert groups.changes() == {}
    after = Groups({name: content for name, content in disk.items() if content})
    found = samples(after.flush(NOW + timedelta(seconds=30))[0].frames)
    assert found["a", (JOB,)] == [(NOW_MS + 30_000, 1)]
    assert found["push_time_seconds", (JOB,)] == [(NOW_MS + 30_000, NOW_MS / 1000)]
    bits = {row[3]: row[7] for row in lines(after.flush(NOW)[0].frames)}
    assert bits["b"] == [0x7FF8000000000000]
    assert bits["c"] == [0x7FF0000000000000]


def test_it_notes_a_push_with_timestamps_as_failed() -> None:
    groups = Groups({})
    _push(groups, b"a 1\n")
    with pytest.raises(Refused, match="must not have timestamps"):
        _push(groups, b"a 1 1795694400000\n")
    found = samples(groups.flush(NOW)[0].frames)
    assert found["push_failure_time_seconds", (JOB,)] == [(NOW_MS, NOW_MS / 1000)]
    assert found["a", (JOB,)] == [(NOW_MS, 1)]


@pytest.mark.parametrize(
    "body",
    [
        b"a",
        b"a b",
        b"a 1 2 3",
        b"{} 1",
        b'a{b="c} 1',
        b"a{b=c} 1",
        b"1a 1",
        b"a 1\na 2",
        b'a{b="c",b="d"} 1',
        b"\xff 1",
        b"a 0x10z",
        b"a 1_0",
        b"a" * 600 + b" 1",
        b"a{" + b",".join(b'l%d="x"' % n for n in range(10_000)) + b"} 1",
    ],
)
def test_it_refuses_what_is_no_exposition(body: bytes) -> None:
    groups = Groups({})
    with pytest.raises(Refused):
        _push(groups, body)
    assert groups.flush(NOW) == {}


def test_it_holds_a_limited_number_of_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.telemetry.receivers.pushgateway.groups.SAMPLES_MAX", 2_000)
    groups = Groups({})
    body = b"".join(b'a{n="%d"} 1\n' % number for number in range(1_500))
    _push(groups, body)
    with pytest.raises(Refused, match="2000 samples"):
        _push(groups, body, path="other")
    _push(groups, body)


def _delimited() -> bytes:
    """What Go's client pushes: MetricFamily messages behind their lengths."""
    family = _FAMILY(name="http_seconds", type=4)
    metric = family.metric.add()  # type: ignore[attr-defined]
    metric.label.add(name="code", value="200")
    metric.histogram.sample_count, metric.histogram.sample_sum = 3, 0.75
    for bound, count in ((0.005, 1), (1.0, 2), (math.inf, 3)):
        metric.histogram.bucket.add(upper_bound=bound, cumulative_count=count)
    gauge = _FAMILY(name="queue", type=1)
    gauge.metric.add().gauge.value = -1.5  # type: ignore[attr-defined]
    summary = _FAMILY(name="rpc", type=2)
    one = summary.metric.add().summary  # type: ignore[attr-defined]
    one.sample_count, one.sample_sum = 2, 5
    one.quantile.add(quantile=0.99, value=4)
    parts = [message.SerializeToString() for message in (family, gauge, summary)]
    assert all(len(part) < 128 for part in parts)
    return b"".join(bytes([len(part)]) + part for part in parts)


def test_it_takes_protobuf() -> None:
    code = ("code", "200")
    assert _values(_push(Groups({}), _delimited(), content_type=PROTOBUF)) == {
        ("http_seconds_bucket", (code, JOB, ("le", "0.005"))): 1,
        ("http_seconds_bucket", (code, JOB, ("le", "1"))): 2,
        ("http_seconds_bucket", (code, JOB, ("le", "+Inf"))): 3,
        ("http_seconds_count", (code, JOB)): 3,
        ("http_seconds_sum", (code, JOB)): 0.75,
        ("queue", (JOB,)): -1.5,
        ("rpc", (JOB, ("quantile", "0.99"))): 4,
        ("rpc_count", (JOB,)): 2,
        ("rpc_sum", (JOB,)): 5,
    }
    for end in range(1, len(_delimited())):
        groups = Groups({})
        try:
            _push(groups, _delimited()[:end], content_type=PROTOBUF)
        except Refused:
            continue
    for bad in (b"\xff\xff\xff\xff\xff\xff", b"\x05a", b"\x7f"):
        with pytest.raises(Refused):
            _push(Groups({}), bad, content_type=PROTOBUF)


@seed(9091)
@settings(max_examples=150, deadline=None, database=None)
@given(st.binary(max_size=200) | st.text(alphabet='a{}b=",\\ \n1#TYPE_counter.', max_size=80).map(str.encode))
def test_it_takes_whatever_comes(data: bytes) -> None:
    for target in fuzz_targets().values():
        target(data)


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
def test_it_takes_what_prometheus_client_pushes(intake: IntakeLab) -> None:
    job = intake.unique("batch job/1")
    gateway = f"127.0.0.1:{intake.port('intake_pushgateway')}"
    registry = CollectorRegistry()
    Gauge("qd_push_rows", "Rows", ["table"], registry=registry).labels("订单").set(4711)
    Counter("qd_push_files", "Files", registry=registry).inc(3)
    Summary("qd_push_seconds", "Time", registry=registry).observe(0.5)
    Histogram("qd_push_size_bytes", "Size", buckets=[1, 10], registry=registry).observe(5)
    started = time.time()
    push_to_gateway(gateway, job, registry, {"instance": "db/1"})
    [rows] = intake.series_arrived("qd_push_rows", job=job)
    assert rows["labels"] == {"job": job, "instance": "db/1", "table": "订单"}
    assert rows["values"][-1] == 4711
    buckets = intake.series_arrived("qd_push_size_bytes_bucket", job=job)
    assert {row["labels"]["le"]: row["values"][-1] for row in buckets} == {"1.0": 0, "10.0": 1, "+Inf": 1}
    [pushed] = intake.series_arrived("push_time_seconds", job=job)
    assert started - 1 <= pushed["values"][-1] <= time.time() + 1
    [sender] = intake.arrived(
        "SELECT kind, identities FROM senders WHERE has(mapValues(identities), {j:String})", j=job
    )
    assert (sender["kind"], sender["identities"]) == ("instance", {"instance": "db/1", "job": job})


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
def test_it_adds_replaces_and_deletes(intake: IntakeLab) -> None:
    job = intake.unique("replace")
    gateway = f"127.0.0.1:{intake.port('intake_http')}"

    def registry(name: str, value: float) -> CollectorRegistry:
        one = CollectorRegistry()
        Gauge(name, "A value", registry=one).set(value)
        return one

    push_to_gateway(gateway, job, registry("qd_push_a", 1))
    pushadd_to_gateway(gateway, job, registry("qd_push_b", 2))
    intake.series_arrived("qd_push_b", job=job)
    assert not _ends(intake, "qd_push_a", job)
    push_to_gateway(gateway, job, registry("qd_push_b", 3))
    _wait_for_end(intake, "qd_push_a", job)
    assert not _ends(intake, "qd_push_b", job)
    delete_from_gateway(gateway, job)
    _wait_for_end(intake, "qd_push_b", job)
    _wait_for_end(intake, "push_time_seconds", job)


_OF = "id IN (SELECT id FROM series WHERE metric_name = {m:String} AND labels['job'] = {j:String})"


def _ends(intake: IntakeLab, metric: str, job: str) -> bool:
    """Whether the last sample of the series is Prometheus' mark for its end."""
    sql = f"SELECT reinterpretAsUInt64(argMax(value, timestamp)) = {STALE_BITS} AS stale FROM samples WHERE {_OF}"
    return bool(intake.sql(sql, m=metric, j=job)[0]["stale"])


def _wait_for_end(intake: IntakeLab, metric: str, job: str) -> None:
    sql = f"SELECT 1 FROM samples WHERE {_OF} AND reinterpretAsUInt64(value) = {STALE_BITS}"
    intake.arrived(sql, m=metric, j=job)
    assert _ends(intake, metric, job)
