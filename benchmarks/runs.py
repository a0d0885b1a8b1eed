"""The whole product on 50, 100 and 200 real sshd, beside bare asyncssh and Ansible in the same run.

    python -m benchmarks.runs            BENCH_TARGETS=50 BENCH_ROUNDS=3 BENCH_ANSIBLE=1 in the environment

"quarterdeck run" is timed from the request that starts a run to the last event of its stream: records, credentials,
audit, stored output, log lines and the live stream are in it, and what runs beside it in an instance. Its CPU is that
of the instance's web, worker and engine processes. Cold is after its connections were closed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import uvloop
from tests.lab.instances import Instance, running_instance
from tests.lab.parts import directory, wait_until

from benchmarks.ssh import COMMAND, Place, Stopwatch, bare, places_of

SIZES = [int(size) for size in os.environ.get("BENCH_TARGETS", "50,100,200").split(",")]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
WITH_ANSIBLE = os.environ.get("BENCH_ANSIBLE", "1") == "1"
GOAL_BARE, GOAL_ANSIBLE = 1.3, 50
_ANSIBLE = Path(sys.executable).with_name("ansible")


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds on the clock, seconds of processors, and seconds until the first output was there."""

    wall: float
    cpu: float
    first: float = 0.0


class Product:
    """A running instance that knows the places as hosts."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        headers = {"Authorization": f"Bearer {instance.token}"}
        self._http = httpx.Client(base_url=f"{instance.url}/api/v1", headers=headers, timeout=300)

    def prepare(self, places: Sequence[Place], home: Path) -> None:
        """Add the hosts, how to sign in on each of their servers, and their keys."""
        rows = ["name,address,ssh_port,ssh_user,env"]
        rows += [f"t{n:04},{place.address},{place.host.port},ops,bench" for n, place in enumerate(places)]
        (home / "hosts.csv").write_text("\n".join(rows) + "\n")
        self._instance.qd("items", "import", str(home / "hosts.csv"), "--type", "host", "--key", "name")
        for number, host in enumerate({id(place.host): place.host for place in places}.values()):
            key = home / f"product-{number}"
            key.touch(0o600)
            key.write_text(host.key)
            words = ["--name", f"bench{number}", "--user", "ops", "--key-file", str(key)]
            self._instance.qd("credentials", "create", *words, "-q", f"env:bench ssh_port:{host.port}")
        self.run(len(places), accepts=True)

    def run(self, size: int, *, accepts: bool = False) -> Took:
        """Run the command on the first `size` hosts and hear the stream to its end."""
        names = " OR ".join(f"t{n // 10:03}*" for n in range(0, size, 10))
        body = {
            "work": {"command": COMMAND},
            "query": f"env:bench name:({names})",
            "accepts_new_host_keys": accepts,
            "at_once": 200,
        }
        cpu, began, first, lines = self._cpu(), time.perf_counter(), 0.0, 0
        run = self._http.post("/runs", json=body).raise_for_status().json()
        counts: dict[str, int] = {}
        with self._http.stream("GET", f"/runs/{run['id']}/events") as events:
            for line in events.iter_lines():
                if not line.startswith("data:"):
                    continue
                event = json.loads(line[5:])
                if event["kind"] == "output":
                    first = first or time.perf_counter() - began
                    lines += event["text"] == "done\n"
                elif event["kind"] == "run":
                    counts = event["run"]["counts"]
        took = Took(time.perf_counter() - began, self._cpu() - cpu, first)
        if counts != {"ok": size} or lines != size:
            raise RuntimeError(f"{counts} of {size}, {lines} lines")
        return took

    def close_connections(self) -> None:
        """End the process that holds the connections; its keeper starts it anew."""
        file = self._instance.data / "run" / "runs.json"
        before = json.loads(file.read_text())["pid"]
        psutil.Process(before).kill()
        wait_until(lambda: file.exists() and json.loads(file.read_text())["pid"] != before, "the worker")

    def _cpu(self) -> float:
        """Return the seconds that the instance's processes have used so far, those that ended not counted."""
        assert self._instance.server is not None
        family = psutil.Process(self._instance.server.process.pid).children(recursive=True)
        total = 0.0
        for process in family:
            with _gone():
                total += sum(process.cpu_times()[:2])
        return total


@contextmanager
def _gone() -> Iterator[None]:
    try:
        yield
    except psutil.NoSuchProcess:
        return


def ansible(places: Sequence[Place], home: Path) -> dict[str, Took]:
    """Ad-hoc `command` with pipelining, curve25519 and ControlPersist: cold, then warm."""
    inventory = home / "inventory.ini"
    lines = [
        f"a{n} ansible_host={place.address} ansible_port={place.host.port} ansible_user=ops"
        f" ansible_ssh_private_key_file={place.host.home}/user ansible_python_interpreter=/usr/bin/python3"
        for n, place in enumerate(places)
    ]
    inventory.write_text("\n".join(lines) + "\n")
    arguments = (
        "-F none -o ControlMaster=auto -o ControlPersist=60s -o KexAlgorithms=curve25519-sha256"
        f" -o StrictHostKeyChecking=no -o UserKnownHostsFile={home}/known-ansible -o LogLevel=ERROR"
    )
    environment = {
        **os.environ, "ANSIBLE_PIPELINING": "1", "ANSIBLE_SSH_ARGS": arguments, "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_HOST_KEY_CHECKING": "False", "ANSIBLE_SSH_CONTROL_PATH_DIR": str(home / "cp"),
    }  # fmt: skip
    command = [str(_ANSIBLE), "all", "-i", str(inventory), "-f", "50", "-m", "command", "-a", COMMAND, "-o"]
    found = {}
    for phase in ("cold", "warm"):
        began, used = time.perf_counter(), os.times()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        after = os.times()
        if done.stdout.count("rc=0") != len(places):
            raise RuntimeError(f"ansible: {done.stdout[-500:]}{done.stderr[-500:]}")
        cpu = after.children_user + after.children_system - used.children_user - used.children_system
        found[phase] = Took(time.perf_counter() - began, cpu)
    for place in places:
        path = [
            "ssh",
            "-O",
            "exit",
            "-o",
            f"ControlPath={home}/cp/%C",
            "-p",
            str(place.host.port),
            f"ops@{place.address}",
        ]
        subprocess.run(path, capture_output=True, check=False)
    return found


def measure(product: Product, places: Sequence[Place], size: int, home: Path) -> None:
    """Measure all contenders on the first `size` places, by turns, and print medians and ratios."""
    watch = Stopwatch()
    ours: dict[str, list[Took]] = {"cold": [], "warm": []}
    for _round in range(ROUNDS):
        uvloop.run(bare(watch, places[:size]))
        product.close_connections()
        for phase in ("cold", "warm"):
            ours[phase].append(product.run(size))
    theirs = ansible(places[:size], home) if WITH_ANSIBLE else {}
    for phase in ("cold", "warm"):
        _print(size, phase, ours[phase], watch.median("asyncssh, bare", phase).wall, theirs.get(phase))


def _print(size: int, phase: str, rounds: Sequence[Took], plain: float, other: Took | None) -> None:
    wall = statistics.median(one.wall for one in rounds)
    cpu = statistics.median(one.cpu for one in rounds) / size * 1000
    first = statistics.median(one.first for one in rounds)
    met = "met" if wall / plain <= GOAL_BARE else "MISSED"
    print(f"{size:>4} targets {phase}: asyncssh, bare {plain:.2f} s")
    print(
        f"{size:>4} targets {phase}: quarterdeck run {wall:.2f} s, {cpu:.1f} ms CPU a host, first output {first:.2f} s;"
        f" {wall / plain:.2f}x bare, goal {GOAL_BARE}: {met}",
        flush=True,
    )
    if other is not None:
        ratio = other.wall / wall
        goal = f", goal {GOAL_ANSIBLE}: {'met' if ratio >= GOAL_ANSIBLE else 'MISSED'}" if phase == "warm" else ""
        print(f"{size:>4} targets {phase}: ansible {other.wall:.1f} s, {ratio:.0f}x as long{goal}", flush=True)


def main() -> None:
    """Print lines for each size and phase."""
    with ExitStack() as stack:
        home = stack.enter_context(directory())
        places = places_of(stack, max(SIZES))
        product = Product(stack.enter_context(running_instance()))
        product.prepare(places, home)
        for size in SIZES:
            measure(product, places, size, home)


if __name__ == "__main__":
    main()
