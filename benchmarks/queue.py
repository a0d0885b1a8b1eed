"""The embedded work queue beside Redis and RabbitMQ: time to a task's start, sends and tasks per second, CPU."""

from __future__ import annotations

import os
import statistics
import time

import psutil
from tests.lab.brokers import BROKERS
from tests.lab.parts import directory, wait_until
from tests.processes.conftest import Queue

SINGLES = 50
BACKLOG = int(os.environ.get("BENCH_BACKLOG", "10000"))
REST_SECONDS = 20.0


def _start_ms(queue: Queue) -> list[float]:
    delays = []
    for number in range(SINGLES):
        sent = time.time()
        queue.send("lab.mark", f"single{number}")
        path = queue.out / f"single{number}"
        wait_until(lambda path=path: path.exists() and path.read_text(), "the task")
        delays.append((float(path.read_text()) - sent) * 1000)
    # The first one pays for the connection.
    return sorted(delays[1:])


def _rest_percent(queue: Queue) -> float:
    root = psutil.Process(queue.workers[0].process.pid)
    family = [root, *root.children(recursive=True)]
    before = sum(sum(process.cpu_times()[:2]) for process in family)
    time.sleep(REST_SECONDS)
    return (sum(sum(process.cpu_times()[:2]) for process in family) - before) / REST_SECONDS * 100


def _measure(name: str) -> None:
    with directory() as home, BROKERS[name]() as broker:
        queue = Queue(broker, home)
        began = time.monotonic()
        for number in range(BACKLOG):
            queue.send("lab.mark", f"task{number}")
        sends = BACKLOG / (time.monotonic() - began)
        try:
            queue.start_worker(concurrency=2)
            began, done = time.monotonic(), len(queue.marks())
            wait_until(lambda: len(queue.marks()) >= BACKLOG, "the backlog", 600)
            tasks = (BACKLOG - done) / (time.monotonic() - began)
            delays = _start_ms(queue)
            rest = _rest_percent(queue)
        finally:
            queue.workers[0].kill()
            queue.app.close()
        median, worst = statistics.median(delays), delays[-1]
        print(f"{name:<9} start {median:6.1f} ms median, {worst:6.1f} ms worst of {len(delays)};", end=" ")
        print(
            f"{sends:6.0f} sends/s, {tasks:6.0f} tasks/s with {BACKLOG} waiting; worker at rest {rest:.2f} % of a core"
        )


def main() -> None:
    """Print one line per broker."""
    for name in BROKERS:
        _measure(name)


if __name__ == "__main__":
    main()
