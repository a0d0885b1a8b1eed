"""PromQL beside Debian's prometheus: the same samples, the same queries, answers that are equal.

    python -m benchmarks.promql [--series 5000] [--hours 24] [--rounds 7]

A counter of `--series` series is written every 15 s over `--hours`. Prometheus takes it by remote write, in slices of
half an hour as its head wants it; the engine computes the same values. Both are asked over HTTP on loopback by one
client after another, each query once to warm up. Goals: 1 h of 1,000 series under 150 ms, `sum(rate())` of 24 h of
all under 1 s, on 2 idle cores.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import cramjam
import numpy as np

SCRAPE_S = 15
SLICE_S = 1800
_SERIES_EACH = 500
Answered = TypeVar("Answered")
Points = dict[tuple[tuple[str, str], ...], dict[float, float]]


def labels_of(number: int) -> dict[str, str]:
    return {"code": str(number % 10), "instance": f"host{number // 10}", "job": f"job{number % 7}"}


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _samples(times_ms: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> bytes:
    """Return remote write's samples; a time of this century takes six bytes, so that all are of one length."""
    rows = np.zeros((len(times_ms), 18), np.uint8)
    rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 11] = 0x12, 16, 0x09, 0x10
    rows[:, 3:11] = np.frombuffer(values.astype("<f8").tobytes(), np.uint8).reshape(-1, 8)
    for byte in range(6):
        rows[:, 12 + byte] = (times_ms >> 7 * byte & 127) | (128 if byte < 5 else 0)
    return rows.tobytes()


def values_of(number: int, times_s: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A counter that restarts once a day, each series at a time of its own."""
    ticks = times_s // SCRAPE_S + number * 37
    return (ticks % 5760 * 10 + number % 100).astype(float)


def bodies(series: int, start_s: int, hours: int) -> Iterator[bytes]:
    """Yield remote write's requests, oldest first."""
    for begin in range(start_s, start_s + hours * 3600, SLICE_S):
        times_s = np.arange(begin, begin + SLICE_S, SCRAPE_S)
        for first in range(0, series, _SERIES_EACH):
            parts = []
            for number in range(first, min(series, first + _SERIES_EACH)):
                named = {"__name__": "bench_requests_total", **labels_of(number)}
                pairs = (_field(1, _field(1, n.encode()) + _field(2, v.encode())) for n, v in sorted(named.items()))
                parts.append(_field(1, b"".join(pairs) + _samples(times_s * 1000, values_of(number, times_s))))
            yield bytes(cramjam.snappy.compress_raw(b"".join(parts)))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def prometheus(home: Path) -> Iterator[str]:
    """Yield the address of a fresh Prometheus that takes remote write and scrapes nothing."""
    address = f"127.0.0.1:{free_port()}"
    (home / "prometheus.yml").write_text("global: {scrape_interval: 15s}\n")
    options = (f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/tsdb")
    listen = (f"--web.listen-address={address}", "--web.enable-remote-write-receiver", "--log.level=error")
    process = subprocess.Popen(["prometheus", *options, *listen])
    try:
        wait_for(lambda: urllib.request.urlopen(f"http://{address}/-/ready", timeout=2).status == 200)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(60)


def wait_for(is_there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if is_there():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise TimeoutError


def fill_prometheus(url: str, series: int, start_s: int, hours: int) -> None:
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    for body in bodies(series, start_s, hours):
        request = urllib.request.Request(f"{url}/api/v1/write", body, headers)
        urllib.request.urlopen(request, timeout=60).close()


_FILL = """
    INSERT INTO metrics_in (protocol, received, metric_name, labels, timestamps, values)
    SELECT 'bench', now64(3), 'bench_requests_total',
        mapSort(map('code', toString(s % 10), 'instance', concat('host', toString(intDiv(s, 10))),
            'job', concat('job', toString(s % 7)))),
        arrayMap(i -> fromUnixTimestamp64Milli(({start:Int64} + i * 15) * 1000), range({samples:UInt32})),
        arrayMap(i -> toFloat64((intDiv({start:Int64}, 15) + i + s * 37) % 5760 * 10 + s % 100),
            range({samples:UInt32}))
    FROM (SELECT toInt64(number + {first:UInt32}) AS s FROM numbers({count:UInt32}))"""


def fill_engine(series: int, start_s: int, hours: int) -> None:
    from quarterdeck.telemetry import client

    for first in range(0, series, 200):
        count = min(200, series - first)
        parameters = {"start": start_s, "samples": hours * 3600 // SCRAPE_S, "first": first, "count": count}
        client.command(_FILL, parameters, options={"max_memory_usage": 0})
    client.command("OPTIMIZE TABLE samples FINAL", options={"max_execution_time": 600})


def ask_prometheus(url: str, query: str, start_s: int, end_s: int, step_s: int) -> bytes:
    form = urllib.parse.urlencode({"query": query, "start": start_s, "end": end_s, "step": step_s, "timeout": "60s"})
    with urllib.request.urlopen(f"{url}/api/v1/query_range?{form}", timeout=120) as answer:
        return bytes(answer.read())


def prometheus_points(answer: bytes) -> Points:
    found = json.loads(answer)["data"]["result"]
    return {tuple(sorted(one["metric"].items())): {t: float(v) for t, v in one["values"]} for one in found}


def ask_engine(query: str, start_s: int, end_s: int, step_s: int) -> Any:
    from quarterdeck.telemetry.promql import answering
    from quarterdeck.telemetry.promql.answering import Limits
    from quarterdeck.telemetry.promql.plan import Scope

    bounds = (start_s * 1000, end_s * 1000, step_s * 1000)
    return answering.over_range(query, *bounds, Scope(), Limits(seconds=60, memory_bytes=512 << 20))


def engine_points(answer: Any) -> Points:
    return {tuple(sorted(one.labels.items())): dict(one.samples()) for one in answer.series}


def same(one: Points, other: Points) -> bool:
    """Equal within the relative 1e-6 of Prometheus' own tests."""
    return one.keys() == other.keys() and all(
        one[key].keys() == other[key].keys()
        and all(math.isclose(value, other[key][at], rel_tol=1e-6, abs_tol=1e-9) for at, value in one[key].items())
        for key in one
    )


def timed(ask: Callable[[], Answered], rounds: int) -> tuple[float, float, Answered]:
    """Return median and 95th percentile in milliseconds until the answer's last byte, and the answer."""
    found = ask()
    times = []
    for _round in range(rounds):
        started = time.perf_counter()
        found = ask()
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    return statistics.median(times), times[min(len(times) - 1, math.ceil(0.95 * len(times)) - 1)], found


def queries(series: int) -> list[tuple[str, str, int, int]]:
    """Return `[(what, query, hours, step)]`; Prometheus 2 counts a sample at a window's start, so windows are odd."""
    some = '{instance=~"host[0-9]{1,2}"}' if series > 1000 else ""
    metric = f"bench_requests_total{some}"
    rate = f"rate({metric}[4m59s])"
    return [
        ("1 h, 1,000 series, raw", metric, 1, 15),
        ("1 h, 1,000 series, rate", rate, 1, 15),
        ("1 h, sum by (code)", f"sum by (code) ({rate})", 1, 15),
        ("1 h, max_over_time", f"max_over_time({metric}[4m59s])", 1, 15),
        ("1 h, quantile", f"quantile by (job) (0.9, {rate})", 1, 15),
        ("1 h, ratio of two", f"sum by (job) ({rate}) / on () group_left sum({rate})", 1, 15),
        ("24 h, sum(rate), step 5m", "sum(rate(bench_requests_total[4m59s]))", 24, 300),
        ("24 h, sum(rate), step 1m", "sum(rate(bench_requests_total[4m59s]))", 24, 60),
        ("24 h, sum by (instance)", "sum by (instance) (rate(bench_requests_total[4m59s]))", 24, 300),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=5000)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-promql-") as folder:
        return run(Path(folder), options.series, options.hours, options.rounds)


def run(home: Path, series: int, hours: int, rounds: int) -> int:
    os.environ["QD_DATA"] = str(home)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quarterdeck.conf.settings")
    import django

    django.setup()
    from tests.telemetry.engines import Engine

    start_s = (int(time.time()) - hours * 3600) // SCRAPE_S * SCRAPE_S
    end_s, unequal = start_s + hours * 3600 - SCRAPE_S, 0
    engine = Engine(home).start()
    try:
        with prometheus(home) as url:
            fill_engine(series, start_s, hours)
            fill_prometheus(url, series, start_s, hours)
            print(f"{series} series x {hours} h at {SCRAPE_S} s: {series * hours * 240:,} samples")
            print(f"{'':28}{'quarterdeck':>20}{'prometheus':>20}{'ratio':>8}  equal")
            for what, query, asked_hours, step_s in queries(series):
                since = max(start_s + 600, end_s - asked_hours * 3600)
                bounds = (query, since, end_s, step_s)
                ours = timed(partial(ask_engine, *bounds), rounds)
                theirs = timed(partial(ask_prometheus, url, *bounds), rounds)
                is_same = same(engine_points(ours[2]), prometheus_points(theirs[2]))
                unequal += not is_same
                figures = "".join(f"{one[0]:>9.0f} /{one[1]:>6.0f} ms" for one in (ours, theirs))
                print(f"{what:28}{figures}{ours[0] / theirs[0]:>8.2f}  {'yes' if is_same else 'NO'}", flush=True)
    finally:
        engine.stop()
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
