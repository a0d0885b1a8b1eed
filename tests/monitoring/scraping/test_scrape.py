"""Scraping real exporters: what they say is what is stored, and what they no longer say is marked."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from tests.lab.exporters import node_exporter
from tests.lab.intake import IntakeLab
from tests.lab.parts import directory, free_port, wait_until

from quarterdeck.telemetry.canonical import STALE_BITS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("scrape"), pytest.mark.timeout(300)]


class _Lab:
    """An instance that follows a prometheus.yml, which each test extends by its own job."""

    def __init__(self, intake: IntakeLab, file: Path) -> None:
        self.intake = intake
        self._file = file
        self._jobs: dict[str, dict[str, Any]] = {}

    def follow(self, name: str, **entry: Any) -> None:
        """Add a job, or change it. JSON is YAML."""
        self._jobs[name] = {"job_name": name, "scrape_interval": "1s", **entry}
        self._write()

    def leave(self, name: str) -> None:
        del self._jobs[name]
        self._write()

    def _write(self) -> None:
        fresh = self._file.with_suffix(".fresh")
        fresh.write_text(json.dumps({"scrape_configs": list(self._jobs.values())}))
        fresh.replace(self._file)

    def bits(self, metric: str, job: str) -> list[int]:
        """Return the bits of a metric's samples, oldest first."""
        sql = (
            "SELECT reinterpretAsUInt64(value) AS bits FROM samples WHERE id IN"
            " (SELECT id FROM series WHERE metric_name = {m:String} AND labels['job'] = {j:String}) ORDER BY timestamp"
        )
        return [int(row["bits"]) for row in self.intake.sql(sql, m=metric, j=job)]

    def wait_for_end(self, metric: str, job: str) -> None:
        wait_until(lambda: self.bits(metric, job)[-1:] == [STALE_BITS], f"the end of {metric}")

    def target(self, job: str) -> dict[str, Any]:
        """Return what the intake says of the job's only target."""
        [found] = [one for one in self.intake.status()["scrape"]["targets"] if one["job"] == job]
        return dict(found)


@pytest.fixture(scope="module")
def lab() -> Iterator[_Lab]:
    with directory() as home:
        file = home / "prometheus.yml"
        file.write_text("scrape_configs: []")
        environment = {"QD_SCRAPE_CONFIG": str(file), "QD_SCRAPE_INTERVAL_SECONDS": "1"}
        with IntakeLab.running(environment) as intake:
            yield _Lab(intake, file)


def test_it_stores_what_the_node_exporter_shows(lab: _Lab) -> None:
    with node_exporter() as exporter:
        lab.follow(
            "node",
            static_configs=[{"targets": [exporter], "labels": {"env": "prod"}}],
            metric_relabel_configs=[{"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"}],
        )
        [value] = lab.intake.series_arrived("qd_lab_value", job="node")
        assert value["labels"] == {"job": "node", "instance": exporter, "env": "prod", "unit": "单位"}
        assert set(value["values"]) == {4711}
        [up] = lab.intake.series_arrived("up", job="node")
        assert up["values"][-1] == 1
        [memory] = lab.intake.series_arrived("node_memory_MemTotal_bytes", job="node")
        assert memory["values"][0] > 1 << 28
        assert len(lab.intake.series_arrived("node_cpu_seconds_total", job="node")) >= 8
        assert lab.intake.series("go_goroutines", job="node") == []
        scraped = lab.intake.series_arrived("scrape_samples_scraped", job="node")[0]["values"][-1]
        kept = lab.intake.series_arrived("scrape_samples_post_metric_relabeling", job="node")[0]["values"][-1]
        assert scraped > kept > 200
        [sender] = lab.intake.arrived("SELECT kind, identities FROM senders WHERE name = {e:String}", e=exporter)
        assert (sender["kind"], sender["identities"]) == ("instance", {"instance": exporter, "job": "node"})
    # The exporter is away: up is 0, its series end.
    wait_until(lambda: lab.intake.series("up", job="node")[0]["values"][-1] == 0, "the target to be down")
    lab.wait_for_end("qd_lab_value", "node")
    assert lab.target("node")["error"]
    # Nobody asks any more: its last series end as well.
    lab.leave("node")
    lab.wait_for_end("up", "node")


@contextmanager
def _client() -> Iterator[tuple[CollectorRegistry, str]]:
    registry, port = CollectorRegistry(), free_port()
    server, thread = start_http_server(port, "127.0.0.1", registry)
    try:
        yield registry, f"127.0.0.1:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_stores_what_prometheus_client_shows(lab: _Lab) -> None:
    with _client() as (registry, address):
        queue = Gauge("qd_queue", "Queue", ["name"], registry=registry)
        queue.labels("a").set(1.5)
        queue.labels("b").set(-2)
        Counter("qd_orders", "Orders", registry=registry).inc(3, {"trace_id": "abc"})
        Histogram("qd_size_bytes", "Size", buckets=[1, 10], registry=registry).observe(5)
        lab.follow("client", static_configs=[{"targets": [address]}])
        values = {
            row["labels"]["name"]: row["values"][0] for row in lab.intake.series_arrived("qd_queue", job="client")
        }
        assert values == {"a": 1.5, "b": -2}
        assert lab.intake.series_arrived("qd_orders_total", job="client")[0]["values"][0] == 3
        buckets = lab.intake.series_arrived("qd_size_bytes_bucket", job="client")
        assert {row["labels"]["le"]: row["values"][0] for row in buckets} == {"1.0": 0, "10.0": 1, "+Inf": 1}
        queue.remove("b")
        wait_until(lambda: STALE_BITS in lab.bits("qd_queue", "client"), "the end of one series")
        [a] = lab.intake.series("qd_queue", job="client", name="a")
        assert set(a["values"]) == {1.5}
        lab.leave("client")
        lab.wait_for_end("qd_orders_total", "client")


class _Page(http.server.BaseHTTPRequestHandler):
    """Shows `qd_asked{by="..."} 1` to who signs in; /slow never answers, /bad shows no metrics, /large too many."""

    asked: list[tuple[str, dict[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        if self.path.startswith("/slow"):
            time.sleep(3)
        body = {"/bad": b"<html>", "/large": b"a 1\nb 2\nc 3\n"}.get(self.path, b"qd_asked 1\n")
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def page() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_asks_as_the_file_says(lab: _Lab, page: str) -> None:
    _Page.asked.clear()
    lab.follow(
        "asked",
        metrics_path="/probe",
        params={"module": ["a b"]},
        basic_auth={"username": "me", "password": "geheim"},
        static_configs=[{"targets": [page]}],
    )
    lab.intake.series_arrived("qd_asked", job="asked")
    path, headers = _Page.asked[0]
    assert path == "/probe?module=a+b"
    assert headers["authorization"] == "Basic bWU6Z2VoZWlt"
    assert headers["x-prometheus-scrape-timeout-seconds"] == "1"
    assert headers["accept"].startswith("application/openmetrics-text")
    _Page.asked.clear()
    lab.follow("asked", authorization={"credentials": "token1"}, static_configs=[{"targets": [page]}])
    wait_until(lambda: _Page.asked and _Page.asked[-1][0] == "/metrics", "the changed job")
    assert _Page.asked[-1][1]["authorization"] == "Bearer token1"
    lab.leave("asked")


@pytest.mark.parametrize(
    ("path", "error"),
    [("/missing", "HTTP 404"), ("/bad", "no sample"), ("/slow", "no answer in 0.5 s"), ("/large", "sample_limit is 2")],
)
def test_it_says_why_a_target_is_down(lab: _Lab, page: str, path: str, error: str) -> None:
    job = f"down{path.replace('/', '_')}"
    lab.follow(job, metrics_path=path, scrape_timeout="500ms", sample_limit=2, static_configs=[{"targets": [page]}])
    [up] = lab.intake.series_arrived("up", job=job)
    assert set(up["values"]) == {0}
    assert error in lab.target(job)["error"]
    assert lab.intake.series("a", job=job) == []
    lab.leave(job)


def test_it_says_what_of_the_file_is_not_followed(lab: _Lab) -> None:
    lab.follow("pods", kubernetes_sd_configs=[{"role": "pod"}])
    wait_until(lambda: lab.intake.status()["scrape"]["problems"], "the problem")
    assert "kubernetes_sd_configs is not followed" in lab.intake.status()["scrape"]["problems"][0]
    lab.leave("pods")
    wait_until(lambda: not lab.intake.status()["scrape"]["problems"], "no problem")


def test_it_scrapes_items_that_ask_for_it(lab: _Lab) -> None:
    with node_exporter() as exporter, directory() as home:
        host, _colon, port = exporter.partition(":")
        file = home / "items.json"
        row = {
            "type": "host", "name": "scraped1", "primary_ip": host, "env": "prod",
            "label.prometheus.io/scrape": "true", "label.prometheus.io/port": port,
        }  # fmt: skip
        file.write_text(json.dumps([row]))
        lab.intake.instance.qd("items", "import", str(file), "--type", "host", "--key", "name")
        [value] = lab.intake.series_arrived("qd_lab_value", item="scraped1")
        assert value["labels"] == {
            "job": "host", "item": "scraped1", "env": "prod", "instance": exporter, "unit": "单位"
        }  # fmt: skip
        [sender] = lab.intake.arrived("SELECT identities FROM senders WHERE name = {e:String}", e=exporter)
        item = json.loads(lab.intake.instance.qd("items", "list", "-q", "name:scraped1", "-o", "json").stdout)
        found = item["items"] if isinstance(item, dict) else item
        assert sender["identities"]["quarterdeck.item"] == str(found[0]["id"])
        targets = json.loads(lab.intake.instance.qd("intake", "targets", "-o", "json").stdout)
        [target] = [one for one in targets if one["instance"] == exporter]
        assert (target["item"], target["is_up"], target["error"]) == (found[0]["id"], True, "")
        assert target["samples"] > 0
