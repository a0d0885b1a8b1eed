"""From `quarterdeck up` to /readyz 200, first and second start; memory and CPU of all processes at rest; stopping."""

from __future__ import annotations

import os
import statistics
import time

import psutil
from tests.lab.instances import Instance
from tests.lab.parts import directory

# Long enough for each schedule of ten seconds to run a few times.
REST_SECONDS = float(os.environ.get("BENCH_REST_SECONDS", "40"))


def _family(instance: Instance) -> dict[str, psutil.Process]:
    assert instance.server is not None
    root = psutil.Process(instance.server.process.pid)
    found = {"supervisor": root}
    for process in root.children():
        name = process.cmdline()[-1]
        found[name] = process
        found.update({f"{name}'s {number}": child for number, child in enumerate(process.children(recursive=True), 1)})
    return found


def _rest(instance: Instance) -> None:
    """Print the proportional memory of each process (shared pages counted once) and the CPU it uses at rest."""
    family = _family(instance)
    before = {name: sum(process.cpu_times()[:2]) for name, process in family.items()}
    began = time.monotonic()
    time.sleep(REST_SECONDS)
    elapsed = time.monotonic() - began
    total_mb = total_cpu = 0.0
    for name, process in family.items():
        memory_mb = process.memory_full_info().pss / 1e6
        cpu = (sum(process.cpu_times()[:2]) - before[name]) / elapsed * 100
        total_mb, total_cpu = total_mb + memory_mb, total_cpu + cpu
        print(f"  {name:<12} {memory_mb:7.1f} MB PSS  {cpu:5.2f} % of a core")
    print(f"  {'all':<12} {total_mb:7.1f} MB PSS  {total_cpu:5.2f} % of a core")


def main() -> None:
    """Print seconds and megabytes."""
    later = []
    with directory() as home:
        instance = Instance(home / "data")
        for number in range(1, 4):
            began = time.monotonic()
            instance.start()
            took = time.monotonic() - began
            used = sum(sum(process.cpu_times()[:2]) for process in _family(instance).values())
            print(f"start {number}: {took:.1f} s to ready, {used:.1f} s of CPU in all processes")
            if number == 1:
                _rest(instance)
            else:
                later.append(took)
            began = time.monotonic()
            instance.stop()
            print(f"stop: {time.monotonic() - began:.1f} s")
    print(f"next starts to ready: {statistics.median(later):.1f} s (of {len(later)})")


if __name__ == "__main__":
    main()
