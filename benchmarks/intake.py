"""The road from the wire to the table, beside Debian's prometheus, victoria-metrics and Zabbix on the same bytes.

    python -m benchmarks.intake [--samples 4000000] [--records 1000000] [--only metrics traces logs zabbix]

Everything runs on this machine; figures are of the whole box. Bodies are made beforehand; a sender process posts them
over four connections and its own CPU time is shown beside. A record counts once it is stored and can be asked for:
Quarterdeck acknowledges what is on disk and loads it afterwards, so its time runs until the spool is empty.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.client
import json
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks._senders import (
    GATHER_MS,
    Load,
    bulk_lines,
    node_exporter_series,
    otlp_lines,
    otlp_spans,
    remote_write,
    syslog_lines,
    zipkin_spans,
)
from benchmarks._zabbix import send_zabbix, zabbix_server, zabbix_values

CONNECTIONS = 4


@dataclass(slots=True)
class Cost:
    """What a load took: `wall_s` until stored, CPU seconds of each of the server's processes, of the senders, and of
    everything else on the machine, which has to be next to nothing for the wall time to mean something.
    """

    wall_s: float
    each_cpu_s: list[float]
    sender_cpu_s: float
    rss_mb: float
    others_cpu_s: float = 0.0

    @property
    def cpu_s(self) -> float:
        return sum(self.each_cpu_s)


def cpu_seconds(pids: Sequence[int]) -> list[float]:
    return [sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids]


class PeakMemory(threading.Thread):
    """The largest resident set of some processes together while it runs."""

    def __init__(self, pids: Sequence[int]) -> None:
        super().__init__(daemon=True)
        self._pids, self._over, self.mb = pids, threading.Event(), 0.0

    def run(self) -> None:
        while not self._over.wait(0.2):
            self.mb = max(self.mb, sum(psutil.Process(pid).memory_info().rss for pid in self._pids) / 2**20)

    def stop(self) -> float:
        self._over.set()
        self.join()
        return self.mb


def _post_all(port: int, path: str, headers: dict[str, str], bodies: Sequence[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for body in bodies:
        while True:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status < 300:
                break
            if answer.status not in (429, 503):
                raise SystemExit(f"{path}: {answer.status} {text[:300]!r}")
            time.sleep(0.2)


def _send_tcp(port: int, packets: Sequence[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for packet in packets:
            connection.sendall(packet)


def _sender(target: Callable[..., None], arguments: tuple[object, ...], shares: Sequence[Sequence[bytes]]) -> float:
    """Send each share from a process of its own; return their CPU seconds."""
    before = sum(os.times()[2:4])
    processes = [multiprocessing.Process(target=target, args=(*arguments, share)) for share in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)
    return sum(os.times()[2:4]) - before


def _box_seconds() -> float:
    """Return the CPU seconds of everything on the machine."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def measured(pids: Sequence[int], send: Callable[[], float], wait: Callable[[], None]) -> Cost:
    memory = PeakMemory(pids)
    memory.start()
    cpu, box, began = cpu_seconds(pids), _box_seconds(), time.perf_counter()
    sender = send()
    wait()
    wall = time.perf_counter() - began
    used = [after - before for after, before in zip(cpu_seconds(pids), cpu, strict=True)]
    others = max(0.0, _box_seconds() - box - sum(used) - sender)
    return Cost(wall, used, sender, memory.stop(), others)


def show(what: str, records: int, cost: Cost, extra: str = "") -> None:
    each = " + ".join(f"{used / records * 1e6:.2f}" for used in cost.each_cpu_s) if len(cost.each_cpu_s) > 1 else ""
    print(
        f"{what:<44}{records / cost.wall_s:>11,.0f} /s {cost.cpu_s / records * 1e6:>8.2f} CPU s per million {each:<12}"
        f" {cost.rss_mb:>7,.0f} MB  sender {cost.sender_cpu_s / records * 1e6:.2f}"
        f" others {cost.others_cpu_s / cost.wall_s:.2f} cores {extra}",
        flush=True,
    )


class Ours:
    """Intake and engine on an empty directory."""

    def __init__(self, stack: ExitStack) -> None:
        from tests.intake.processes import road
        from tests.lab.parts import free_port

        self.syslog_port = free_port()
        self.zabbix_port = free_port()
        settings = {
            "QD_INTAKE_SYSLOG": f"127.0.0.1:{self.syslog_port}",
            "QD_INTAKE_ZABBIX": f"127.0.0.1:{self.zabbix_port}",
            # As it is set for people; the lab gathers less.
            "QD_INTAKE_GATHER_MS": str(GATHER_MS),
        }
        self.road = stack.enter_context(road(settings))
        assert self.road.intake is not None
        assert self.road.engine.process is not None
        self.pids = [self.road.intake.pid, self.road.engine.process.pid]
        self._hurried_until = 0.0

    def send(self, load: Load) -> Cost:
        shares = [load.bodies[start::CONNECTIONS] for start in range(CONNECTIONS)]
        arguments = (self.road.port, load.path, load.headers)
        self.settle()
        return measured(self.pids, lambda: _sender(_post_all, arguments, shares), self.wait)

    def wait(self) -> None:
        """Wait until all is stored, as somebody who follows it: without one the last part is gathered for two seconds.

        What is sent next must not be hurried.
        """
        headers = {"Authorization": f"Bearer {self.road.engine.password}"}
        self.road.request("GET", "/intake/stored", headers=headers)
        self.road.wait_until_empty(600)
        self._hurried_until = time.monotonic() + 4.5

    def settle(self) -> None:
        time.sleep(max(0.0, self._hurried_until - time.monotonic()))

    def send_syslog(self, packets: Sequence[bytes]) -> Cost:
        expected = self._accepted() + sum(packet.count(b"\n") for packet in packets)
        shares = [packets[0::2], packets[1::2]]

        self.settle()

        def wait() -> None:
            while self._accepted() < expected:
                time.sleep(0.05)
            self.wait()

        return measured(self.pids, lambda: _sender(_send_tcp, (self.syslog_port,), shares), wait)

    def _accepted(self) -> int:
        return sum(row["accepted"] for row in self.road.status()["rows"])

    def bytes_per_row(self, *tables: str) -> float:
        """Return bytes on disk for each row of the first table, with the others' bytes, after all merges."""
        for table in tables:
            self.road.sql(f"OPTIMIZE TABLE {table} FINAL")
        names = ", ".join(f"'{table}'" for table in tables)
        [size] = self.road.sql(f"SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE active AND table IN ({names})")
        return float(size["n"]) / float(self.road.sql(f"SELECT count() AS n FROM {tables[0]}")[0]["n"])


def _server(stack: ExitStack, command: list[str], port: int) -> psutil.Popen:
    from tests.lab.parts import answers, wait_until

    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(_end, process)
    wait_until(lambda: answers(port), command[0])
    return process


def _end(process: psutil.Popen) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        process.wait()


def _directory_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def peers(stack: ExitStack, home: Path, loads: Sequence[Load]) -> dict[str, list[Cost]]:
    """Send the same bytes to prometheus and victoria-metrics; return their costs by name."""
    from tests.lab.parts import free_port

    found: dict[str, list[Cost]] = {}
    config = home / "prometheus.yml"
    config.write_text("storage:\n  tsdb:\n    out_of_order_time_window: 2h\n")
    commands = {
        "prometheus": lambda port, data: [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}",
            "--web.enable-remote-write-receiver", f"--web.listen-address=127.0.0.1:{port}",
        ],
        "victoria-metrics": lambda port, data: [
            "victoria-metrics", f"-storageDataPath={data}", f"-httpListenAddr=127.0.0.1:{port}",
        ],
    }  # fmt: skip
    for name, command in commands.items():
        if shutil.which(name) is None:
            print(f"{name} is not installed: apt-get install {name}")
            continue
        port, data = free_port(), home / name
        process = _server(stack, command(port, data), port)
        for load in loads:
            shares = [load.bodies[start::CONNECTIONS] for start in range(CONNECTIONS)]
            arguments = (port, load.path, load.headers)
            cost = measured([process.pid], lambda a=arguments, s=shares: _sender(_post_all, a, s), lambda: None)
            found.setdefault(name, []).append(cost)
            show(f"  {name}: {load.name}", load.records, cost)
        _end(process)
        total = sum(load.records for load in loads)
        print(f"  {name}: {_directory_bytes(data) / total:.2f} bytes a sample on disk after a clean stop", flush=True)
    return found


def metrics(ours: Ours, stack: ExitStack, home: Path, samples: int) -> None:
    from tests.lab.parts import free_port

    port = free_port()
    _server(stack, ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}"], port)
    series = node_exporter_series(f"http://127.0.0.1:{port}")
    hosts = max(1, 20_000 // len(series))
    loads = [remote_write(series, hosts, samples // 2, 10), remote_write(series, hosts, samples // 2, 1)]
    # The second load goes on where the first one ended.
    print(f"\nremote write of {hosts} node_exporters with {len(series)} series each", flush=True)
    costs = []
    for load, goal in zip(loads, (1_000_000, 400_000), strict=True):
        cost = ours.send(load)
        costs.append(cost)
        show(f"  quarterdeck: {load.name}", load.records, cost, f"goal {goal:,}/s")
    stored = ours.bytes_per_row("samples")
    print(f"  quarterdeck: {stored:.2f} bytes a sample after merges (goal 1.50)", flush=True)
    for name, theirs in peers(stack, home, loads).items():
        for load, mine, other in zip(loads, costs, theirs, strict=True):
            print(
                f"  {load.name}: {mine.cpu_s / other.cpu_s:.2f} times the CPU of {name} (goal: at most 1)", flush=True
            )


def traces(ours: Ours, records: int) -> None:
    print("\ntraces", flush=True)
    for load, goal in ((otlp_spans(records), 120_000), (zipkin_spans(records // 2), 40_000)):
        show(f"  {load.name}", load.records, ours.send(load), f"goal {goal:,}/s")
    print(f"  {ours.bytes_per_row('spans'):.1f} bytes a span after merges (goal 60)", flush=True)


def logs(ours: Ours, records: int) -> None:
    print("\nlog lines, redacted and with a full-text index", flush=True)
    for load in (bulk_lines(records), otlp_lines(records)):
        show(f"  {load.name}", load.records, ours.send(load), "goal 100,000/s")
    packets = syslog_lines(records)
    show("  log lines by syslog over TCP", records, ours.send_syslog(packets), "goal 50,000/s")
    print(f"  {ours.bytes_per_row('logs'):.1f} bytes a line after merges, indexes included", flush=True)


def zabbix(ours: Ours, home: Path, values: int) -> None:
    """Send the same values to Quarterdeck and to a Zabbix server, which acknowledges from its memory."""
    print("\nZabbix trapper values, 1,000 in a request", flush=True)
    requests = zabbix_values(values)
    shares = [requests[start::CONNECTIONS] for start in range(CONNECTIONS)]
    ours.settle()
    mine = measured(ours.pids, lambda: _sender(send_zabbix, (ours.zabbix_port,), shares), ours.wait)
    show("  quarterdeck: Zabbix values", values, mine, "goal 50,000/s")
    try:
        with zabbix_server(home) as (server, pids):
            send = functools.partial(_sender, send_zabbix, (server.port,), shares)
            theirs = measured(pids, send, lambda: server.wait(values))
    except FileNotFoundError:
        print("zabbix_server is not installed: apt-get install zabbix-server-pgsql postgresql")
        return
    theirs.each_cpu_s = [sum(theirs.each_cpu_s)]
    show("  zabbix server (PostgreSQL): Zabbix values", values, theirs)
    print(f"  {mine.cpu_s / theirs.cpu_s:.2f} times the CPU of the Zabbix server", flush=True)


def freshness(ours: Ours, rate: int, seconds: float = 20) -> None:
    """Send spans at `rate` a second; show how long after the answer a query sees them."""
    load = otlp_spans(int(rate * seconds), 500)
    ours.settle()
    ages: list[float] = []
    began = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        senders = [pool.submit(_pace, ours.road.port, load, rate, share, began) for share in range(CONNECTIONS)]
        while not all(sender.done() for sender in senders):
            ages.append(_age(ours, load))
    sent = load.records / max(sender.result() for sender in senders)
    p95 = statistics.quantiles(ages, n=20)[-1]
    print(f"\nfrom acknowledged to visible at {sent:,.0f} spans/s: p95 {p95:.2f} s of {len(ages)} (goal 3)", flush=True)


def _age(ours: Ours, load: Load) -> float:
    """Send ten spans of a service of their own; return the seconds from the answer until a query sees them."""
    name = "fresh-" + os.urandom(2).hex()[:3]
    body = otlp_spans(10, 10).bodies[0].replace(b"service-0", name.encode())
    _post_all(ours.road.port, load.path, load.headers, [body])
    began = time.perf_counter()
    while not ours.road.sql(f"SELECT 1 FROM spans WHERE service = '{name}' LIMIT 1"):
        time.sleep(0.05)
    return time.perf_counter() - began


def _pace(port: int, load: Load, rate: int, share: int, began: float) -> float:
    """Send every `CONNECTIONS`-th body when it is due; return the seconds since `began`."""
    every_s = load.records / len(load.bodies) / rate
    for number in range(share, len(load.bodies), CONNECTIONS):
        time.sleep(max(0.0, began + number * every_s - time.perf_counter()))
        _post_all(port, load.path, load.headers, [load.bodies[number]])
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4_000_000)
    parser.add_argument("--records", type=int, default=600_000, help="spans and lines of each protocol")
    parser.add_argument("--only", nargs="*", default=["metrics", "traces", "logs", "zabbix", "freshness"])
    chosen = parser.parse_args()
    # The lab's helpers are the tests' own.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    os.environ.setdefault("QD_DATA", tempfile.mkdtemp(prefix="quarterdeck-bench-"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quarterdeck.conf.settings")
    with tempfile.TemporaryDirectory(prefix="quarterdeck-bench-") as home, ExitStack() as stack:
        ours = Ours(stack)
        if "metrics" in chosen.only:
            metrics(ours, stack, Path(home), chosen.samples)
        if "traces" in chosen.only:
            traces(ours, chosen.records)
        if "logs" in chosen.only:
            logs(ours, chosen.records)
        if "zabbix" in chosen.only:
            zabbix(ours, Path(home), chosen.records)
        if "freshness" in chosen.only:
            freshness(ours, 60_000)
        print("\n" + json.dumps([row for row in ours.road.status()["rows"] if row["dead"]]), flush=True)


if __name__ == "__main__":
    main()
