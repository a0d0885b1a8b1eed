"""What receivers remember outlives a restart of the intake: pushed groups on disk, StatsD's values by a last flush."""

from __future__ import annotations

import socket
import time

import pytest
from prometheus_client import CollectorRegistry, Gauge, delete_from_gateway, push_to_gateway
from statsd import StatsClient
from tests.lab.intake import IntakeLab
from tests.lab.parts import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("restart"), pytest.mark.timeout(400)]


def _last_at(intake: IntakeLab, metric: str) -> float:
    """Return the time of the newest sample that is no stale marker, 0 without one."""
    sql = (
        "SELECT max(toUnixTimestamp64Milli(timestamp)) AS at FROM samples"
        " WHERE id IN (SELECT id FROM series WHERE metric_name = {m:String}) AND NOT isNaN(value)"
    )
    return int(intake.sql(sql, m=metric)[0]["at"]) / 1000


def test_pushed_groups_and_counted_values_outlive_a_restart() -> None:
    with IntakeLab.running() as intake:
        gateway = f"127.0.0.1:{intake.port('intake_pushgateway')}"
        for name in ("kept", "deleted"):
            registry = CollectorRegistry()
            Gauge(f"qd_{name}", "A value", registry=registry).set(17)
            push_to_gateway(gateway, name, registry)
        delete_from_gateway(gateway, "deleted")
        client = StatsClient("127.0.0.1", intake.port("intake_statsd"))
        client.incr("qd_restarts")
        client.close()
        # Until the datagram is read: nothing acknowledges it.
        time.sleep(1)
        intake.instance.stop()
        stopped = time.time()
        intake.instance.start()
        wait_until(lambda: _last_at(intake, "qd_kept") > stopped, "the group to be sent again", 120)
        assert _last_at(intake, "qd_deleted") < stopped
        [counted] = intake.series_arrived("qd_restarts_total", host=socket.gethostname())
        assert set(counted["values"]) == {1}
        [kept] = intake.series("qd_kept", job="kept")
        assert set(kept["values"]) == {17}
