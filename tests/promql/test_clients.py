"""Real clients on a whole running instance: promtool, prometheus-api-client, qd, and one that leaves early."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from prometheus_api_client import PrometheusConnect
from tests.lab.intake import IntakeLab
from tests.lab.parts import wait_until
from tests.receivers.prometheus_remote_write.messages import compressed, write_request

pytestmark = pytest.mark.slow
NOW = int(time.time()) // 15 * 15


@pytest.fixture(scope="module")
def filled(intake: IntakeLab) -> IntakeLab:
    """The counter shop_requests_total, sent by remote write."""
    series = [
        (
            {"__name__": "shop_requests_total", "job": "shop", "code": code},
            [(float(i * n), 1000 * (NOW - 1800 + i * 15)) for i in range(121)],
        )
        for code, n in (("200", 15), ("500", 30))
    ]
    status, body = intake.post(
        "/api/v1/write", compressed(write_request(series)), "application/x-protobuf", Content_Encoding="snappy"
    )
    assert status in (200, 204), body
    wait_until(lambda: len(intake.series("shop_requests_total")) == 2, "the series")
    return intake


def promtool(lab: IntakeLab, *words: str) -> str:
    """Run `promtool query ...` unchanged; a token is the password of its address."""
    parts = urlsplit(lab.instance.url)
    address = f"http://promtool:{lab.instance.token}@{parts.netloc}/prometheus"
    placed = [address if word == "SERVER" else word for word in words]
    done = subprocess.run(["promtool", "query", *placed], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_promtool_asks(filled: IntakeLab) -> None:
    at = f"--time={NOW}"
    found = promtool(filled, "instant", "-o", "json", at, "SERVER", "sum(increase(shop_requests_total[10m]))")
    assert float(json.loads(found)[0]["value"][1]) == pytest.approx(1800)
    bounds = (f"--start={NOW - 60}", f"--end={NOW}", "--step=30s")
    found = promtool(filled, "range", "-o", "json", *bounds, "SERVER", 'shop_requests_total{code="200"}')
    assert [value for _at, value in json.loads(found)[0]["values"]] == ["1740", "1770", "1800"]
    found = promtool(filled, "series", "--match=shop_requests_total", "SERVER")
    assert sorted(re.findall(r'code="(\d+)"', found)) == ["200", "500"]
    # of every series there is, and other tests send theirs to the same deck
    assert {"200", "500"} <= set(promtool(filled, "labels", "SERVER", "code").split())


def test_prometheus_api_client_asks(filled: IntakeLab) -> None:
    headers = {"Authorization": f"Bearer {filled.instance.token}"}
    asked = PrometheusConnect(f"{filled.instance.url}/prometheus", headers=headers)

    assert asked.check_prometheus_connection()
    assert "shop_requests_total" in asked.all_metrics()
    of = {"match[]": "shop_requests_total"}
    assert sorted(asked.get_label_values("code", params=of)) == ["200", "500"]
    found = asked.custom_query("sum by (code) (rate(shop_requests_total[5m]))", params={"time": NOW})
    assert {one["metric"]["code"]: round(float(one["value"][1]), 6) for one in found} == {"200": 1, "500": 2}
    until = datetime.fromtimestamp(NOW, UTC)
    found = asked.custom_query_range("shop_requests_total", until - timedelta(minutes=10), until, "60s")
    assert [len(one["values"]) for one in found] == [11, 11]


def test_qd_asks(filled: IntakeLab) -> None:
    at = datetime.fromtimestamp(NOW, UTC).isoformat()
    done = filled.instance.qd("query", "sum(shop_requests_total)", "--at", at, "-o", "json")
    assert json.loads(done.stdout)["result"][0]["value"] == [NOW, "5400"]
    done = filled.instance.qd("query", "sum by (code) (shop_requests_total)", "--since", "6h", "--step", "5m")
    assert '{code="500"}' in done.stdout
    done = filled.instance.qd("metrics", "changed", "sum(shop_requests_total)", "--since", "3h", "-o", "json")
    assert json.loads(done.stdout)["combine"] == "sum"
    done = filled.instance.qd("metrics", "changed", "shop_requests_total", "--combine", "count")
    assert "labels compared" in done.stderr
    done = filled.instance.qd("query", "sum(", check=False)
    assert "parse error" in done.stderr


@contextmanager
def _request(lab: IntakeLab, path: str, parameters: dict[str, Any]) -> Iterator[socket.socket]:
    parts = urlsplit(lab.instance.url)
    head = (
        f"GET /prometheus/api/v1/{path}?{urlencode(parameters)} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Bearer {lab.instance.token}\r\n\r\n"
    )
    with socket.create_connection((parts.hostname or "", parts.port or 0), 10) as connection:
        connection.sendall(head.encode())
        yield connection


def test_who_leaves_ends_the_query(filled: IntakeLab) -> None:
    """A query of half a minute is off the engine a moment after its client closed the connection."""
    step = "quantile_over_time(0.5, vector(time())[40d:30s])"
    heavy = {"query": step, "start": NOW - 3600, "end": NOW, "step": 1}

    def running() -> int:
        rows = filled.sql(
            "SELECT count() AS n FROM system.processes WHERE startsWith(Settings['log_comment'], 'promql-')"
        )
        return int(rows[0]["n"])

    with _request(filled, "query_range", heavy):
        wait_until(lambda: running() > 0, "the query on the engine")
    wait_until(lambda: running() == 0, "the end of the query", 10)
