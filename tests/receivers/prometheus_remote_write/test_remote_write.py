"""Remote write 1.0: from Debian's Prometheus, which scrapes a node exporter, and by hand what it would never send."""

from __future__ import annotations

import struct
import time
from contextlib import ExitStack
from typing import Any

import cramjam
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from tests.lab.exporters import Prometheus, node_exporter, prometheus
from tests.lab.intake import IntakeLab
from tests.lab.parts import wait_until
from tests.receivers.prometheus_remote_write.fuzzing import fuzz_targets
from tests.receivers.prometheus_remote_write.messages import compressed, write_request
from tests.receivers.requests import NOW_MS, request, take

from quarterdeck.telemetry.canonical import STALE, STALE_BITS
from quarterdeck.telemetry.receivers.prometheus_remote_write import PLUGIN
from quarterdeck.telemetry.receivers.prometheus_remote_write.statements import SAMPLES, SERIES
from quarterdeck.telemetry.receiving import Refused, Taken


def _take(message: Any, **headers: str) -> Taken:
    return take(PLUGIN, "/api/v1/write", request(message.SerializeToString(), headers=headers))


def test_it_counts_samples_and_leaves_out_series_without_a_name() -> None:
    series = [({"__name__": "a"}, [(1.0, NOW_MS), (2.0, NOW_MS)]), ({"job": "x"}, [(1.0, NOW_MS)])]
    taken = _take(write_request(series))
    assert [(frame.stream, frame.records) for frame in taken.frames] == [(SERIES, 0), (SAMPLES, 2)]
    assert taken.refused == {"no_name": 1}
    assert taken.answer is not None
    assert taken.answer.status == 204


def test_it_accepts_metadata_alone() -> None:
    message = write_request()
    message.metadata.add(type=1, metric_family_name="a", help="An a")
    taken = _take(message)
    assert (list(taken.frames), taken.refused) == ([], {})


def test_it_refuses_version_2_and_what_is_no_message() -> None:
    with pytest.raises(Refused) as found:
        _take(write_request(), **{"content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"})
    assert found.value.status == 415
    for body in (b"\xff", b"\x0a\x7f", b'{"a": 1}', b"\x0a\x02\x0a\xff"):
        with pytest.raises(Refused):
            take(PLUGIN, "/api/v1/write", request(body))


@seed(1)
@settings(max_examples=300, deadline=None, database=None)
@given(st.binary(max_size=200))
def test_it_takes_whatever_comes(data: bytes) -> None:
    fuzz_targets()["prometheus_remote_write"](data)


_WRITES = """
global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: {job}
  static_configs: [{{targets: ['{exporter}'], labels: {{region: 华东}}}}]
remote_write:
- url: {url}/api/v1/write
"""


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
def test_it_stores_what_prometheus_writes(intake: IntakeLab) -> None:
    job = intake.unique("node")
    with ExitStack() as stack:
        exporter = stack.enter_context(node_exporter())
        server = stack.enter_context(prometheus(_WRITES.format(job=job, exporter=exporter, url=intake.url)))
        [lab] = intake.series_arrived("qd_lab_value", job=job)
        for name in ("node_memory_MemTotal_bytes", "node_cpu_seconds_total", "node_filesystem_size_bytes", "up"):
            intake.series_arrived(name, job=job)
        _compare(intake, server, job)
    assert lab["labels"] == {"job": job, "instance": exporter, "region": "华东", "unit": "单位"}
    assert set(lab["values"]) == {4711}
    [sender] = intake.arrived("SELECT * FROM senders WHERE name = {e:String} AND protocol != ''", e=exporter)
    assert (sender["kind"], sender["protocol"]) == ("instance", "prometheus_remote_write")
    assert sender["identities"] == {"instance": exporter, "job": job}


def _compare(intake: IntakeLab, server: Prometheus, job: str) -> None:
    """Every sample that Prometheus has of some seconds is here, with the same labels, time and bits."""
    theirs = {
        (dict(labels)["__name__"], tuple(one for one in labels if one[0] != "__name__"), round(at * 1000)): float(value)
        for labels, points in server.points(f'{{job="{job}"}}[1m]').items()
        for at, value in points
    }
    assert len(theirs) > 500
    sql = (
        "SELECT metric, found, toUnixTimestamp64Milli(timestamp) AS at, reinterpretAsUInt64(value) AS bits"
        " FROM samples INNER JOIN (SELECT id, any(metric_name) AS metric, any(labels) AS found FROM series"
        " WHERE labels['job'] = {job:String} GROUP BY id) AS named USING id"
    )
    ours: dict[Any, float] = {}

    def look() -> bool:
        for row in intake.sql(sql, job=job):
            key = (row["metric"], tuple(sorted(row["found"].items())), int(row["at"]))
            ours[key] = struct.unpack("<d", struct.pack("<Q", int(row["bits"])))[0]
        return theirs.keys() <= ours.keys()

    wait_until(look, "all samples of Prometheus")
    different = {key for key, value in theirs.items() if ours[key] != value and value == value}
    assert not different


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
def test_it_keeps_bits_and_leaves_out_what_cannot_be(intake: IntakeLab) -> None:
    name = intake.unique("rw").replace("-", "_")
    now = int(time.time() * 1000)
    special = [STALE, float("nan"), float("inf"), -0.0, 5e-324, 1.7976931348623157e308]
    samples = [(value, now - 1000 + number) for number, value in enumerate(special)]
    message = write_request(
        [
            ({"__name__": name, "job": name, "empty": ""}, samples),
            # Times of 1970, 2100 and beyond what can be written as a date are nobody's.
            (
                {"__name__": f"{name}_times", "job": name},
                [(1.0, at) for at in (0, 4102444800000, 2**62, -(2**62), now)],
            ),
            (
                {"__name__": f"{name}_labels", **{f"l{number}": "x" for number in range(10_000)}, "job": name},
                [(1.0, now)],
            ),
            ({"job": name}, [(1.0, now)]),
        ]
    )
    ignored = message.timeseries.add()
    ignored.labels.add(name="__name__", value=f"{name}_native")
    ignored.labels.add(name="job", value=name)
    histogram = ignored.histograms.add(count_int=3, sum=1.5, schema=3, timestamp=now)
    histogram.positive_spans.add(offset=1, length=2)
    histogram.positive_deltas.extend([1, 1])
    exemplar = message.timeseries[0].exemplars.add(value=1.0, timestamp=now)
    exemplar.labels.add(name="trace_id", value="abc")
    message.metadata.add(type=1, metric_family_name=name, help="A metric")
    headers = {"Content_Encoding": "snappy", "X_Prometheus_Remote_Write_Version": "0.1.0"}
    for _ in range(2):
        # Sent again, because the answer was lost: it counts once.
        assert intake.post("/api/v1/write", compressed(message), "application/x-protobuf", **headers) == (204, b"")
    intake.series_arrived(f"{name}_times", job=name)
    rows = intake.sql(
        "SELECT reinterpretAsUInt64(value) AS bits FROM samples"
        " WHERE id IN (SELECT id FROM series WHERE metric_name = {n:String}) ORDER BY timestamp",
        n=name,
    )
    assert [int(row["bits"]) for row in rows] == [struct.unpack("<Q", struct.pack("<d", value))[0] for value in special]
    assert int(rows[0]["bits"]) == STALE_BITS
    [named] = intake.series(name, job=name)
    assert named["labels"] == {"job": name}
    assert intake.series(f"{name}_times", job=name)[0]["values"] == [1]
    assert len(intake.series(f"{name}_labels", job=name)[0]["labels"]) == 10_001
    assert intake.series(f"{name}_native", job=name) == []
    assert all(
        row["metric_name"]
        for row in intake.sql("SELECT metric_name FROM series WHERE labels['job'] = {j:String}", j=name)
    )


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"\xff\xff\xff\xff\xff\xff\xff", "snappy", 400),
        # A block that says it unfolds to 4 GB.
        (b"\xff\xff\xff\xff\x0f\x00", "snappy", 413),
        (bytes(cramjam.snappy.compress_raw(b"not protobuf at all")), "snappy", 400),
        (bytes(cramjam.snappy.compress_raw(bytes(200 << 20))), "snappy", 413),
        (b"\x00", "lzw", 415),
    ],
)
def test_it_refuses_hostile_bodies(intake: IntakeLab, body: bytes, encoding: str, status: int) -> None:
    found, answer = intake.post("/api/v1/write", body, "application/x-protobuf", Content_Encoding=encoding)
    assert found == status
    assert answer.endswith(b"\n")
    assert answer.count(b"\n") == 1
