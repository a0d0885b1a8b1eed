"""Prometheus' own programs from Debian, on ports of their own."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.lab.parts import Server, answers, directory, free_port, need


@contextmanager
def node_exporter() -> Iterator[str]:
    """Yield the `host:port` of a node exporter whose text file collector shows `qd_lab_value 4711`."""
    need("prometheus-node-exporter")
    port = free_port()
    with directory() as home:
        Path(home, "lab.prom").write_text('# TYPE qd_lab_value gauge\nqd_lab_value{unit="单位"} 4711\n')
        server = Server(
            [
                "prometheus-node-exporter",
                f"--web.listen-address=127.0.0.1:{port}",
                f"--collector.textfile.directory={home}",
            ],
            home / "log",
        )
        try:
            server.wait_for(lambda: answers(port), "the node exporter")
            yield f"127.0.0.1:{port}"
        finally:
            server.stop()


@dataclass(frozen=True, slots=True)
class Prometheus:
    address: str

    def values(self, query: str, at: float | None = None) -> dict[tuple[tuple[str, str], ...], float]:
        """Return `{labels: value}` of an instant query at a time (Unix, in seconds)."""
        options = urlencode({"query": query, **({} if at is None else {"time": at})})
        with urllib.request.urlopen(f"http://{self.address}/api/v1/query?{options}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.loads(answer.read())["data"]["result"]
        return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in found}

    def points(self, query: str) -> dict[tuple[tuple[str, str], ...], list[tuple[float, str]]]:
        """Return `{labels: [(Unix time in seconds, value)]}` of a range vector: the stored samples themselves."""
        options = urlencode({"query": query})
        with urllib.request.urlopen(f"http://{self.address}/api/v1/query?{options}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.loads(answer.read())["data"]["result"]
        return {tuple(sorted(one["metric"].items())): [(at, value) for at, value in one["values"]] for one in found}


@contextmanager
def prometheus(config: str) -> Iterator[Prometheus]:
    """Run Debian's Prometheus with a configuration."""
    need("prometheus")
    port = free_port()
    with directory() as home:
        Path(home, "prometheus.yml").write_text(config)
        server = Server(
            [
                "prometheus",
                f"--config.file={home}/prometheus.yml",
                f"--storage.tsdb.path={home}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            home / "log",
        )
        try:
            server.wait_for(lambda: answers(port), "Prometheus")
            yield Prometheus(f"127.0.0.1:{port}")
        finally:
            server.stop()
