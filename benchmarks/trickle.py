"""What little traffic costs: the engine's part of a core while a few services say a little each second, and while none
says anything; and how long after the answer a query sees what they said.

    python -m benchmarks.trickle [--seconds 30]

Three services send traces and lines each second and their metrics every five, as the demo's shop with its four visitors
does: some 350 rows a second. CPU seconds are those of the engine's process (`/proc`), inserts those that it counted
itself (system.events), so that other work on the machine hardly moves them.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks._meter import report
from benchmarks._senders import GATHER_MS, Load, otlp_lines, otlp_metrics, otlp_spans

SERVICES = 3
SPANS, LINES, SERIES = 60, 20, 60
PROBES = 20
GOAL_PERCENT = 10
GOAL_FRESH_SECONDS = 3


class Trickle:
    """The services, each a thread with one connection. `rows` counts what they sent."""

    def __init__(self, port: int, seconds: int) -> None:
        self._port, self._seconds = port, seconds
        self._stop = threading.Event()
        self.rows = 0
        self._threads = [threading.Thread(target=self._service, args=(n,), daemon=True) for n in range(SERVICES)]

    def __enter__(self) -> Trickle:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _service(self, number: int) -> None:
        spans = otlp_spans(SPANS * self._seconds, SPANS)
        lines = otlp_lines(LINES * self._seconds, LINES)
        metrics = otlp_metrics(SERIES * self._seconds, SERIES)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        self._stop.wait(number / SERVICES)
        for second in range(self._seconds):
            loads = [spans, lines, metrics] if second % 5 == 0 else [spans, lines]
            for load, count in zip(loads, (SPANS, LINES, SERIES), strict=False):
                self._send(connection, load, second, count)
            if self._stop.wait(1):
                return

    def _send(self, connection: http.client.HTTPConnection, load: Load, second: int, count: int) -> None:
        connection.request("POST", load.path, load.bodies[second], load.headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"{load.path}: {answer.status}")
        self.rows += count


def events(road: Any) -> dict[str, int]:
    return {row["event"]: int(row["value"]) for row in road.sql("SELECT event, value FROM system.events")}


def cost(road: Any, seconds: float) -> tuple[float, float, dict[str, int]]:
    """Return the CPU seconds of engine and of intake, and what the engine counted, within the next `seconds`."""
    processes = [psutil.Process(pid) for pid in (road.engine.process.pid, road.intake.pid)]
    before, counted = [sum(process.cpu_times()[:2]) for process in processes], events(road)
    time.sleep(seconds)
    after, now = [sum(process.cpu_times()[:2]) for process in processes], events(road)
    engine, intake = (end - start for start, end in zip(before, after, strict=True))
    return engine, intake, {name: value - counted.get(name, 0) for name, value in now.items()}


def freshness(road: Any) -> list[float]:
    """Return for some lines the seconds from the intake's answer until a query sees each."""
    ages = []
    for number in range(PROBES):
        word = f"probe{number}x{os.urandom(4).hex()}"
        body = f'{{"create":{{"_index":"logs-app-default"}}}}\n{{"message":"{word}"}}\n'
        road.request("POST", "/_bulk", body.encode(), {"Content-Type": "application/x-ndjson"})
        began = time.perf_counter()
        while not road.sql(f"SELECT 1 FROM logs WHERE message = '{word}' LIMIT 1"):
            time.sleep(0.05)
        ages.append(time.perf_counter() - began)
        # Not in step with the spool.
        time.sleep(0.3 * (number % 4))
    return ages


def run(seconds: int) -> bool:
    from tests.intake.processes import road as running

    # As it is set for people; the lab gathers less.
    with running({"QD_INTAKE_GATHER_MS": str(GATHER_MS)}) as road:
        time.sleep(5)
        idle = cost(road, seconds)[0] / seconds * 100
        report("engine, nothing comes in: part of a core", idle, "%", GOAL_PERCENT)
        with Trickle(road.port, seconds + 120) as trickle:
            time.sleep(5)
            sent = trickle.rows
            engine, intake, counted = cost(road, seconds)
            sent = trickle.rows - sent
            inserts = max(1, counted.get("InsertQuery", 0))
            busy = engine / seconds * 100
            each = (engine - idle / 100 * seconds) / inserts * 1000
            shown = f"{sent / seconds:.0f} rows/s in {inserts} inserts: {each:.0f} ms CPU each"
            report("engine, little comes in: part of a core", busy, "%", GOAL_PERCENT, shown)
            report("intake, little comes in: part of a core", intake / seconds * 100, "%", GOAL_PERCENT)
            ages = freshness(road)
        p95 = statistics.quantiles(ages, n=20)[-1]
        median = f"median {statistics.median(ages):.2f} s"
        report("acknowledged until visible, p95", p95, "s", GOAL_FRESH_SECONDS, median)
        return busy < GOAL_PERCENT and p95 < GOAL_FRESH_SECONDS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=30)
    chosen = parser.parse_args()
    # The lab's helpers are the tests' own.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    os.environ.setdefault("QD_DATA", tempfile.mkdtemp(prefix="quarterdeck-bench-"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quarterdeck.conf.settings")
    return 0 if run(chosen.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
