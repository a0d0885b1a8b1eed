"""A playbook by Quarterdeck beside bare `ansible-playbook`, on the same real sshd in the same run.

    python -m benchmarks.playbook        BENCH_TARGETS=20 BENCH_ROUNDS=3 in the environment

Both play the same tasks with the same settings: pipelining, curve25519, as many forks, connections opened anew. Bare
Ansible has an inventory and a key on disk. Quarterdeck is timed from the request that starts the run to the last event
of its stream: records, credentials, audit, the agent, stored output and the live stream are in it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
from tests.lab.instances import Instance, running_instance
from tests.lab.parts import directory

from benchmarks.runs import Product
from benchmarks.ssh import Place, places_of

SIZES = [int(size) for size in os.environ.get("BENCH_TARGETS", "20").split(",")]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
GOAL_RATIO = 1.10
_FORKS = 25 * (os.cpu_count() or 1)
_ANSIBLE = Path(sys.executable).with_name("ansible-playbook")
# The accounts of the targets have no home to write to.
_VARIABLES = {"ansible_remote_tmp": "/tmp/.bench-ansible"}
PLAYBOOK = """
- name: bench
  hosts: all
  tasks:
    - ansible.builtin.command: echo done
    - ansible.builtin.stat: {path: /etc/passwd}
    - ansible.builtin.command: id -un
"""


def bare(places: Sequence[Place], home: Path) -> float:
    """Return the seconds that `ansible-playbook` takes."""
    inventory, playbook = home / "inventory.ini", home / "bench.yml"
    lines = [
        f"a{n} ansible_host={place.address} ansible_port={place.host.port} ansible_user=ops"
        f" ansible_ssh_private_key_file={place.host.home}/user"
        for n, place in enumerate(places)
    ]
    inventory.write_text("\n".join(lines) + "\n")
    playbook.write_text(PLAYBOOK)
    arguments = (
        "-F none -o ControlMaster=auto -o ControlPersist=60s -o KexAlgorithms=curve25519-sha256"
        f" -o StrictHostKeyChecking=no -o UserKnownHostsFile={home}/known-ansible -o LogLevel=ERROR"
    )
    environment = {
        **os.environ, "ANSIBLE_PIPELINING": "1", "ANSIBLE_SSH_ARGS": arguments, "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_HOST_KEY_CHECKING": "False", "ANSIBLE_SSH_CONTROL_PATH_DIR": str(home / "cp"),
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
    }  # fmt: skip
    command = [str(_ANSIBLE), "-i", str(inventory), "-f", str(_FORKS), "-e", json.dumps(_VARIABLES), str(playbook)]
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.stdout.count("failed=0") != len(places):
        raise RuntimeError(f"ansible-playbook: {done.stdout[-500:]}{done.stderr[-500:]}")
    for socket in (home / "cp").iterdir():
        subprocess.run(["ssh", "-O", "exit", "-S", str(socket), "any"], capture_output=True, check=False)
    return took


class Playing:
    """An instance that plays it."""

    def __init__(self, instance: Instance) -> None:
        headers = {"Authorization": f"Bearer {instance.token}"}
        self._http = httpx.Client(base_url=f"{instance.url}/api/v1", headers=headers, timeout=600)

    def play(self, size: int) -> float:
        """Return the seconds from the request to the end of the stream."""
        names = " OR ".join(f"t{n:04}" for n in range(size))
        work = {"playbook": PLAYBOOK, "variables": _VARIABLES, "forks": _FORKS}
        body = {"runner": "ansible", "work": work, "query": f"env:bench name:({names})", "at_once": 200}
        began, counts = time.perf_counter(), {}
        run = self._http.post("/runs", json=body).raise_for_status().json()
        with self._http.stream("GET", f"/runs/{run['id']}/events") as events:
            for line in events.iter_lines():
                if line.startswith("data:") and (event := json.loads(line[5:]))["kind"] == "run":
                    counts = event["run"]["counts"]
        took = time.perf_counter() - began
        if counts != {"changed": size}:
            raise RuntimeError(f"{counts} of {size}")
        return took


def main() -> None:
    """Print a line for each contender and size, and the ratio."""
    with ExitStack() as stack:
        home = stack.enter_context(directory())
        places = places_of(stack, max(SIZES))
        instance = stack.enter_context(running_instance())
        product, playing = Product(instance), Playing(instance)
        product.prepare(places, home)
        product.run(len(places), accepts=True)
        for size in SIZES:
            rounds = [(bare(places[:size], home), playing.play(size)) for _round in range(ROUNDS)]
            plain, ours = (statistics.median(one) for one in zip(*rounds, strict=True))
            ratio = ours / plain
            met = "met" if ratio <= GOAL_RATIO else "MISSED"
            print(f"{size:>4} targets: ansible-playbook, bare {plain:.2f} s")
            print(f"{size:>4} targets: quarterdeck playbook {ours:.2f} s; {ratio:.2f}x bare, goal {GOAL_RATIO}: {met}")


if __name__ == "__main__":
    main()
