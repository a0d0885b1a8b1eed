"""Wall and processor time of a benchmark's work. Beside other work on the machine only the second can be compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds on the clock, and of user and system time in all processes that were watched."""

    wall: float
    cpu: float


class Meter:
    """Watches this process, and `server` with its children (PostgreSQL's backends)."""

    def __init__(self, server: psutil.Process | None = None) -> None:
        self._watched = [psutil.Process(), *([server] if server else [])]

    def _cpu_seconds(self) -> float:
        # What a child used counts for its parent once it has ended.
        processes = [one for root in self._watched for one in (root, *root.children(recursive=True))]
        return sum(sum(process.cpu_times()[:4]) for process in processes if process.is_running())

    def spent(self, call: Callable[[], object]) -> Spent:
        cpu, wall = self._cpu_seconds(), time.perf_counter()
        call()
        return Spent(time.perf_counter() - wall, self._cpu_seconds() - cpu)

    def p95(self, calls: Sequence[Callable[[], object]]) -> Spent:
        """Return the 95th percentile of the calls' wall times and their mean processor time, after one for warm-up."""
        calls[0]()
        walls: list[float] = []
        whole = self.spent(lambda: walls.extend(self.spent_wall(call) for call in calls))
        return Spent(statistics.quantiles(walls, n=20)[-1], whole.cpu / len(calls))

    @staticmethod
    def spent_wall(call: Callable[[], object]) -> float:
        began = time.perf_counter()
        call()
        return time.perf_counter() - began


def report(what: str, value: float, unit: str, goal: float, cpu: str = "", *, higher_is_better: bool = False) -> None:
    """Print one figure, its goal and whether it is met; `cpu` says what it took of the processors."""
    met = value >= goal if higher_is_better else value <= goal
    print(f"{what:<46}{value:>12,.1f} {unit:<8} goal {goal:>8,.0f}  {'met   ' if met else 'MISSED'}  {cpu}", flush=True)
