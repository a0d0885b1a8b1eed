"""One host's metrics of 24 hours for a chart, among a fleet's: the engine beside SQLite with the same samples.

    python -m benchmarks.telemetry --hosts 50 --series 200

Every host writes `series` samples each 10 s for 24 hours. Charts are asked for through `telemetry.queries.chart`, HTTP
included; SQLite computes the same means and rates in this process, over an index that covers the query.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

STEP_SECONDS = 10
HOURS = 24
CHART_STEP_SECONDS = 60
GOAL_MS = 100
ROUNDS = 15
HOST = 25


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return the median and the worst time of `work` in milliseconds, and its answer."""
    times, answer = [], None
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer = work()
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    return times[len(times) // 2], times[-1], answer


def resident_mb(pid: int) -> tuple[int, int]:
    """Return the resident set and, of it, the anonymous memory, in MB; the rest are pages of the library's file."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    figures = {line.split(":")[0]: int(line.split()[1]) >> 10 for line in lines if line.endswith("kB")}
    return figures["Rss"], figures["Anonymous"]


def start_engine(data: Path) -> subprocess.Popen[bytes]:
    from quarterdeck.core.processes import run_file

    program = "import sys; from pathlib import Path; from quarterdeck.telemetry.engine import serve"
    process = subprocess.Popen([sys.executable, "-c", f"{program}; serve(Path(sys.argv[1]))", str(data)])
    while run_file(data, "engine").get("pid") != process.pid:
        if process.poll() is not None:
            sys.exit("the engine did not start")
        time.sleep(0.05)
    return process


@contextmanager
def own_engine() -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """Yield a data directory of its own, with empty records, and the engine that runs on it. Once in a process."""
    home = Path(tempfile.mkdtemp(prefix="quarterdeck-bench-"))
    os.environ.update(QD_DATA=str(home), DJANGO_SETTINGS_MODULE="quarterdeck.conf.settings")
    engine: subprocess.Popen[bytes] | None = None
    try:
        import django

        django.setup()
        from quarterdeck.conf.startup import prepare_records

        prepare_records()
        engine = start_engine(home)
        yield home, engine
    finally:
        if engine is not None:
            engine.terminate()
            engine.wait(30)
        shutil.rmtree(home, ignore_errors=True)


def names(count: int) -> list[tuple[str, dict[str, str]]]:
    """The series of one host: 10 metrics, half of them counters, the rest of the series by a label."""
    return [
        (f"m{number % 10}_{'bytes_total' if number % 10 < 5 else 'ratio'}", {"device": f"d{number // 10}"})
        for number in range(count)
    ]


def fill_engine(hosts: int, series: int, start: datetime) -> float:
    """Write every series once through the product, then let the engine make the samples; return samples per second."""
    from quarterdeck.telemetry import client
    from quarterdeck.telemetry.actions import write_samples
    from quarterdeck.telemetry.samples import Sample

    for host in range(1, hosts + 1):
        write_samples(Sample(name, labels, host, start, 0.0) for name, labels in names(series))
    client.command("TRUNCATE TABLE samples")
    started = time.perf_counter()
    for hour in range(HOURS):
        client.command(
            "INSERT INTO samples SELECT id, toDateTime64({start:Int64} + n * {step:Int64}, 3, 'UTC'),"
            " if(endsWith(metric_name, '_total'), n * (10 + sipHash64(id) % 100), sin(n / 100 + sipHash64(id) % 100))"
            " FROM series, (SELECT number + {first:Int64} AS n FROM numbers({count:UInt64})) AS points ORDER BY id, n",
            {
                "start": int(start.timestamp()),
                "step": STEP_SECONDS,
                "first": hour * 3600 // STEP_SECONDS,
                "count": 3600 // STEP_SECONDS,
            },
        )
    samples = hosts * series * HOURS * 3600 // STEP_SECONDS
    return samples / (time.perf_counter() - started)


def fill_sqlite(path: Path) -> sqlite3.Connection:
    """Copy the measured host's samples and one more host's: more rows would not change a look-up by index."""
    from quarterdeck.telemetry import client

    base = sqlite3.connect(path)
    base.execute("CREATE TABLE samples (item INT, metric TEXT, device TEXT, at REAL, value REAL)")
    for host in (HOST, HOST + 1):
        rows = client.query(
            "SELECT item, metric_name, labels['device'], toFloat64(timestamp), value FROM samples"
            " INNER JOIN series USING id WHERE item = {item:UInt64}",
            {"item": host},
        )
        base.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", rows)
    base.execute("CREATE INDEX by_series ON samples (item, metric, device, at, value)")
    base.commit()
    return base


_SQLITE_MEAN = """
    SELECT device, CAST((at - :start) / :step AS INT) AS slot, avg(value) FROM samples
    WHERE item = :item AND metric = :metric AND at >= :start AND at < :end GROUP BY device, slot"""
_SQLITE_RATE = """
    SELECT device, CAST((at - :start) / :step AS INT) AS slot, sum(grown) / sum(seconds) FROM (
        SELECT device, at, at - lag(at) OVER w AS seconds,
            CASE WHEN value >= lag(value) OVER w THEN value - lag(value) OVER w ELSE value END AS grown
        FROM samples WHERE item = :item AND metric = :metric AND at >= :start AND at < :end
        WINDOW w AS (PARTITION BY device ORDER BY at))
    WHERE seconds <= 300 GROUP BY device, slot"""


def measure_charts(base: sqlite3.Connection, start: datetime) -> None:
    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.inventory.models import Item
    from quarterdeck.telemetry import queries

    item, end = Item(pk=HOST), start + timedelta(hours=HOURS)
    for title, metric, sql in (
        ("gauge", "m5_ratio", _SQLITE_MEAN),
        ("counter's rate", "m0_bytes_total", _SQLITE_RATE),
    ):
        median, worst, chart = timed(
            lambda metric=metric: queries.chart(SYSTEM, item, metric, start, end, CHART_STEP_SECONDS)
        )
        bounds = {"start": start.timestamp(), "end": end.timestamp(), "step": CHART_STEP_SECONDS}
        asked = {**bounds, "item": HOST, "metric": metric}
        other, _, rows = timed(lambda sql=sql, asked=asked: base.execute(sql, asked).fetchall())
        agree(chart, rows)
        print(f"  24 h of a {title}, {len(chart.series)} series: {median:.0f} ms, worst {worst:.0f} ms; ", end="")
        print(f"SQLite {other:.0f} ms; {other / median:.1f} times as fast; goal {GOAL_MS} ms")


def agree(chart: Any, rows: list[tuple[str, int, float]]) -> None:
    """Stop when the two do not give the same figures."""
    ours = {(s.labels["device"], i): v for s in chart.series for i, v in enumerate(s.values) if v is not None}
    theirs = {(device, slot): value for device, slot, value in rows if value is not None}
    if ours.keys() != theirs.keys() or any(not math.isclose(ours[k], theirs[k], abs_tol=1e-6) for k in ours):
        sys.exit("the engine and SQLite disagree")


def measure_writes(start: datetime, path: Path) -> None:
    """The way of this machine's own collection: batches of `Sample`, through HTTP, synced to disk."""
    from quarterdeck.telemetry.actions import write_samples
    from quarterdeck.telemetry.samples import Sample

    for size in (200, 10_000):
        rows = [Sample("written", {"n": str(n % 200)}, 1, start + timedelta(seconds=n // 200), n) for n in range(size)]
        write_samples(rows)
        median, _, _ = timed(lambda rows=rows: write_samples(rows))
        base = sqlite3.connect(path)
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("CREATE TABLE IF NOT EXISTS written (item INT, metric TEXT, n TEXT, at REAL, value REAL)")
        plain = [(1, "written", s.labels["n"], s.at.timestamp(), s.value) for s in rows]

        def insert(base: sqlite3.Connection = base, plain: list[Any] = plain) -> None:
            with base:
                base.executemany("INSERT INTO written VALUES (?, ?, ?, ?, ?)", plain)

        other, _, _ = timed(insert)
        print(f"  batch of {size}: {median:.0f} ms, {size / median * 1000:.0f} samples/s; SQLite {other:.0f} ms")
        base.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--hosts", type=int, default=50)
    options.add_argument("--series", type=int, default=200)
    chosen = options.parse_args()
    with own_engine() as (home, engine):
        run(home, engine, max(chosen.hosts, HOST + 1), chosen.series)


def run(data: Path, engine: subprocess.Popen[bytes], hosts: int, series: int) -> None:
    from quarterdeck.telemetry import client, queries

    client.query("SELECT 1")
    time.sleep(2)
    print("  idle, tables empty: {} MB resident, of them {} MB anonymous".format(*resident_mb(engine.pid)))
    start = (datetime.now(UTC) - timedelta(hours=HOURS + 1)).replace(minute=0, second=0, microsecond=0)
    rate = fill_engine(hosts, series, start)
    samples = hosts * series * HOURS * 3600 // STEP_SECONDS
    size = next(table.bytes for table in queries.engine_status().tables if table.name == "samples")
    print(f"  {samples:,} samples stored at {rate:,.0f} a second inside the engine, {size / samples:.2f} bytes each")
    base = fill_sqlite(data / "peer.sqlite3")
    measure_charts(base, start)
    measure_writes(start, data / "written.sqlite3")
    time.sleep(5)
    print("  idle again: {} MB resident, of them {} MB anonymous".format(*resident_mb(engine.pid)))


if __name__ == "__main__":
    main()
