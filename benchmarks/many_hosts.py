"""One run on 5,000 targets: how long, when the first output is there, memory, and whether reads stay quick meanwhile.

    python -m benchmarks.many_hosts            BENCH_TARGETS=5000 BENCH_SERVERS=4 in the environment

The targets are light: a few processes answer on every address of 127.9.0.0/16, with real SSH (asyncssh) and a command
that is answered without a process of its own. So the machine's time goes to the handshakes, on both sides, and to us.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncssh
import httpx
import psutil
import uvloop
from tests.lab.instances import Instance, running_instance
from tests.lab.parts import answers, directory, free_port, wait_until

TARGETS = int(os.environ.get("BENCH_TARGETS", "5000"))
SERVERS = int(os.environ.get("BENCH_SERVERS", "4"))
GOAL_FIRST_SECONDS = 1.0
_NONCE = re.compile(rb"\\+001([0-9a-f]+) %d")


class _Light(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return True


async def _answer(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Tell a process id as the host's shell would, and say "done"."""
    nonce = _NONCE.search((process.command or "").encode())
    process.stdout.write(b"\x01" + (nonce[1] if nonce else b"") + b" 4711\n" + b"done\n")
    process.exit(0)


async def _serve(port: int, key: str) -> None:
    await asyncssh.listen(
        "0.0.0.0",
        port,
        server_factory=_Light,
        server_host_keys=[key],
        process_factory=_answer,
        encoding=None,
        backlog=4096,
        login_timeout=600,
    )
    await asyncio.Event().wait()


@contextmanager
def servers(home: Path) -> Iterator[list[int]]:
    """Run the light servers; yield their ports."""
    key = home / "host"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    ports = [free_port() for _ in range(SERVERS)]
    found = [
        subprocess.Popen([sys.executable, "-m", "benchmarks.many_hosts", "serve", str(port), str(key)])
        for port in ports
    ]
    try:
        for port in ports:
            wait_until(lambda port=port: answers(port), "a light server")  # type: ignore[misc]
        yield ports
    finally:
        for process in found:
            process.terminate()
        for process in found:
            process.wait(30)


class Watch:
    """Looks at memory and asks for pages of the API while a run goes on."""

    def __init__(self, instance: Instance, http: httpx.Client, run: int) -> None:
        self._instance, self._http, self._run = instance, http, run
        self.peak_mb: dict[str, float] = {}
        self.answers_ms: list[float] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._weigh), threading.Thread(target=self._ask)]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _weigh(self) -> None:
        while not self._over.wait(0.2):
            for name in ("runs", "web", "engine"):
                file = self._instance.data / "run" / f"{name}.json"
                pids = self._instance.pids()
                pid = pids.get(name) or json.loads(file.read_text())["pid"]
                used = psutil.Process(pid).memory_info().rss / 1e6
                self.peak_mb[name] = max(self.peak_mb.get(name, 0.0), used)

    def _ask(self) -> None:
        pages = (f"/runs/{self._run}", f"/runs/{self._run}/hosts?limit=100", f"/runs/{self._run}/groups")
        while not self._over.wait(1.0):
            for page in pages:
                began = time.perf_counter()
                self._http.get(page).raise_for_status()
                self.answers_ms.append((time.perf_counter() - began) * 1000)


def measure(instance: Instance, phase: str) -> None:
    """Run on all targets, hear the stream to its end, and print what it took."""
    headers = {"Authorization": f"Bearer {instance.token}"}
    http = httpx.Client(base_url=f"{instance.url}/api/v1", headers=headers, timeout=600)
    body = {"work": {"command": "echo done"}, "query": "env:many", "accepts_new_host_keys": True, "at_once": 400}
    began, first, lines = time.perf_counter(), 0.0, 0
    run = http.post("/runs", json=body).raise_for_status().json()["id"]
    started = time.perf_counter() - began
    counts: dict[str, int] = {}
    with Watch(instance, http, run) as watch, http.stream("GET", f"/runs/{run}/events") as events:
        for line in events.iter_lines():
            if not line.startswith("data:"):
                continue
            event = json.loads(line[5:])
            if event["kind"] == "output":
                first = first or time.perf_counter() - began
                lines += event["text"].count("done")
            elif event["kind"] == "run":
                counts = event["run"]["counts"]
    took = time.perf_counter() - began
    memory = ", ".join(f"{name} {used:.0f} MB" for name, used in sorted(watch.peak_mb.items()))
    met = "met" if first < GOAL_FIRST_SECONDS else "MISSED"
    print(f"{TARGETS} targets {phase}: {took:.1f} s ({TARGETS / took:.0f} hosts/s), {counts}, {lines} lines")
    if counts != {"ok": TARGETS}:
        wrong = http.get(f"/runs/{run}/hosts", params={"status": "failed,unreachable,lost"}).json()["items"]
        print(f"  {[(one['name'], one['status'], one['error']) for one in wrong[:5]]}")
    print(f"  accepted after {started:.2f} s, first output {first:.2f} s (goal {GOAL_FIRST_SECONDS:g}: {met})")
    if watch.answers_ms:
        worst = max(watch.answers_ms)
        print(f"  reads meanwhile: median {statistics.median(watch.answers_ms):.0f} ms, worst {worst:.0f} ms")
    print(f"  memory at the peak: {memory}", flush=True)


def main() -> None:
    """Print what a cold and a warm run take."""
    with ExitStack() as stack:
        home = stack.enter_context(directory())
        ports = stack.enter_context(servers(home))
        instance = stack.enter_context(running_instance())
        user = home / "user"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", user], check=True)
        rows = ["name,address,ssh_port,ssh_user,env"]
        rows += [f"m{n:05},127.9.{n // 250}.{n % 250 + 1},{ports[n % SERVERS]},ops,many" for n in range(TARGETS)]
        (home / "hosts.csv").write_text("\n".join(rows) + "\n")
        instance.qd("items", "import", str(home / "hosts.csv"), "--type", "host", "--key", "name")
        instance.qd(
            "credentials", "create", "--name", "many", "--user", "ops", "--key-file", str(user), "-q", "env:many"
        )
        measure(instance, "cold")
        measure(instance, "warm")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        uvloop.run(_serve(int(sys.argv[2]), sys.argv[3]))
    else:
        main()
