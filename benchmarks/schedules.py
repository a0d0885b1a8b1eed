"""10,000 schedules at rest, and a scheduled task's way to its start, beside Celery's beat in the same run.

    python -m benchmarks.schedules       BENCH_WAITING=10000 BENCH_DUE=10 BENCH_MINUTES=2 in the environment

Each contender keeps BENCH_WAITING schedules that are due at other hours, and BENCH_DUE that are due at each minute.
CPU is of the process that looks for what is due, from the 5th to the 55th second of a minute, at which nothing is due.
The delay is from the full minute to when the work begins: for Quarterdeck the first host of the run, whose records,
audit and rights are in it; for beat a task that does nothing. In the last minute so many messages wait in the queue of
short tasks as well.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil
from tests.lab.brokers import BROKERS
from tests.lab.instances import Instance, running_instance
from tests.lab.migrated import place_records
from tests.lab.parts import ROOT, Server, directory, wait_until

WAITING = int(os.environ.get("BENCH_WAITING", "10000"))
DUE = int(os.environ.get("BENCH_DUE", "10"))
MINUTES = int(os.environ.get("BENCH_MINUTES", "2"))
GOAL_PERCENT, GOAL_SECONDS = 5.0, 1.0
_OURS = """
import django; django.setup()
from django.utils.timezone import now
from benchmarks._beat import far
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory.actions import create_item
from quarterdeck.jobs.schedules.actions import save_schedule
from quarterdeck.jobs.schedules.models import Schedule
import sys
waiting, due = map(int, sys.argv[1:])
create_item(SYSTEM, "host", "bench", {"primary_ip": "127.0.0.1", "ssh_port": 22, "env": "bench"})
plan = {"runner": "local", "work": {"command": "true"}, "query": "env:bench", "overlap": "allow"}
first = save_schedule(SYSTEM, "wait", {**plan, "cron": "0 0 * * *"})
hour, rows = now().hour, []
from quarterdeck.jobs.schedules.definitions import read
from quarterdeck.jobs.schedules.times import rhythm_of
for number in range(waiting - 1):
    minute, at = far(number, hour)
    values = {**plan, "cron": f"{minute} {at} * * *"}
    row = Schedule(name=f"wait{number}", plan=values, anchor_at=now(), changed_at=now(), owner="system",
                   owner_kind="system")
    row.next_run_at = rhythm_of(read(values), now()).after(now())
    rows.append(row)
Schedule.objects.bulk_create(rows, batch_size=500)
Schedule.objects.filter(pk=first.pk).update(next_run_at=rows[0].next_run_at if rows else None)
for number in range(due):
    save_schedule(SYSTEM, f"due{number}", {**plan, "cron": "* * * * *"})
"""
_BACKLOG = """
import django; django.setup()
from quarterdeck.conf.celery import app
import sys
with app.connection_for_write() as connection, app.amqp.producer_pool.acquire(block=True) as producer:
    for number in range(int(sys.argv[1])):
        app.send_task("jobs.forget_firings", producer=producer)
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """Percent of a core at rest; seconds from the full minute to the start, without and with messages that wait."""

    percent: float
    delays: list[float]
    with_backlog: list[float]


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


def _cpu(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def _sleep_until(second: float) -> None:
    """Sleep until the clock shows this second of a minute."""
    time.sleep((second - time.time() % 60) % 60)


def _watch(scheduler: psutil.Process, backlog: Callable[[], object]) -> tuple[float, list[float]]:
    """Let the minutes pass. Return the CPU at rest, and the full minutes that came, the last one with a backlog."""
    _sleep_until(5)
    before, began, minutes = _cpu(scheduler), time.time(), []
    _sleep_until(55)
    percent = (_cpu(scheduler) - before) / (time.time() - began) * 100
    for number in range(MINUTES + 1):
        if number == MINUTES:
            _sleep_until(50)
            backlog()
        minutes.append((time.time() // 60 + 1) * 60)
        _sleep_until(0)
        time.sleep(45 if number == MINUTES else 5)
    return percent, minutes


def _delays(starts: list[float], minutes: list[float]) -> Callable[[slice], list[float]]:
    def of(part: slice) -> list[float]:
        found = [at - minute for minute in minutes[part] for at in starts if 0 <= at - minute < 55]
        assert len(found) == DUE * len(minutes[part]), f"{len(found)} starts in {len(minutes[part])} minutes"
        return found

    return of


def _python(code: str, environment: dict[str, str], *words: object) -> None:
    settings = {"DJANGO_SETTINGS_MODULE": "quarterdeck.conf.settings", "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    command = [sys.executable, "-c", code, *map(str, words)]
    subprocess.run(command, check=True, env={**environment, **settings})


def quarterdeck() -> Seen:
    """The whole instance: records, rights, audit, and a command of the runner `local` as the work."""
    with running_instance({"QD_API_RATE_PER_MINUTE": "1000000"}) as instance:
        _python(_OURS, instance.environment, WAITING, DUE)
        percent, minutes = _watch(_clock_of(instance), lambda: _python(_BACKLOG, instance.environment, WAITING))
        starts = [_began(instance, run) for run in _runs(instance)]
    of = _delays(starts, minutes)
    return Seen(percent, of(slice(MINUTES)), of(slice(MINUTES, None)))


def _clock_of(instance: Instance) -> psutil.Process:
    """The process in which the schedules are a thread; what else it does at rest is counted too."""
    return psutil.Process(json.loads((instance.data / "run" / "runs.json").read_text())["pid"])


def _runs(instance: Instance) -> list[int]:
    listed = json.loads(instance.qd("runs", "list", "--limit", "1000", "-o", "json").stdout)
    return [run["id"] for run in listed if run["schedule"].startswith("due")]


def _began(instance: Instance, run: int) -> float:
    _status, found = instance.get(f"/api/v1/runs/{run}/hosts", token=instance.token)
    return datetime.fromisoformat(found["items"][0]["started_at"]).timestamp()


def beat() -> Seen:
    """Celery's beat with its own store, and a worker with two processes."""
    with directory() as home, BROKERS["embedded"]() as broker:
        out, data = home / "out", home / "data"
        out.mkdir()
        place_records(data)
        environment = {
            "QD_DATA": str(data), "QD_BROKER_URL": broker.url, "LAB_QUEUE": "bench", "BENCH_OUT": str(out),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "DJANGO_SETTINGS_MODULE": "quarterdeck.conf.settings",
            "BENCH_WAITING": str(WAITING), "BENCH_DUE": str(DUE), "PATH": os.environ["PATH"],
        }  # fmt: skip
        celery = [sys.executable, "-m", "celery", "-A", "benchmarks._beat"]
        words = ["worker", "--concurrency", "2", "--without-gossip", "--without-mingle"]
        worker = Server([*celery, *words], home / "worker.log", environment)
        beat_words = ["beat", "--schedule", str(home / "beat.db")]
        scheduler = Server([*celery, *beat_words], home / "beat.log", {**environment, "BENCH_PLAIN": "1"})
        try:
            wait_until(lambda: (out / f"due{DUE - 1}").exists(), "beat's first minute", 300)
            percent, minutes = _watch(psutil.Process(scheduler.process.pid), lambda: _backlog(environment, out))
        finally:
            scheduler.kill()
            worker.kill()
        files = [out / f"due{number}" for number in range(DUE)]
        starts = [float(line) for file in files for line in file.read_text().split()]
    of = _delays(starts, minutes)
    return Seen(percent, of(slice(MINUTES)), of(slice(MINUTES, None)))


def _backlog(environment: dict[str, str], out: Path) -> None:
    code = _BACKLOG.replace("from quarterdeck.conf.celery import app", "from benchmarks._beat import app").replace(
        '"jobs.forget_firings"', '"bench.note", (sys.argv[2], "backlog")'
    )
    _python(code, environment, WAITING, out)


CONTENDERS: dict[str, Callable[[], Seen]] = {"quarterdeck": quarterdeck, "beat": beat}


def main() -> None:
    """Print one line per contender, ratios last."""
    seen = {}
    for name, measure in CONTENDERS.items():
        one = seen[name] = measure()
        print(f"{name:<19} {WAITING} schedules at rest {one.percent:6.2f} % of a core;", end=" ")
        print(f"to the start p95 {p95(one.delays):6.2f} s,", end=" ")
        print(f"{p95(one.with_backlog):6.2f} s with {WAITING} messages waiting ({DUE} due at each minute)", flush=True)
    ours = seen.pop("quarterdeck")
    for name, one in seen.items():
        cpu, start = one.percent / ours.percent, p95(one.delays) / p95(ours.delays)
        loaded = p95(one.with_backlog) / p95(ours.with_backlog)
        print(f"{name} / quarterdeck: CPU {cpu:.1f}, to the start {start:.1f}, with messages waiting {loaded:.1f}")
    print(f"goals: under {GOAL_PERCENT:g} % {'met' if ours.percent < GOAL_PERCENT else 'MISSED'}, ", end="")
    worst = max(p95(ours.delays), p95(ours.with_backlog))
    print(f"p95 under {GOAL_SECONDS:g} s {'met' if worst < GOAL_SECONDS else 'MISSED'} ({worst:.2f} s)")


if __name__ == "__main__":
    main()
