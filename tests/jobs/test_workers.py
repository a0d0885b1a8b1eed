"""The work queue as an operator sees it, on a running instance."""

from __future__ import annotations

import json

import pytest
from tests.lab.instances import Instance
from tests.lab.parts import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("runs")]


def test_workers_and_queues_are_told(lab: Instance) -> None:
    def told() -> dict[str, list[str]]:
        found = json.loads(lab.qd("workers", "list", "-o", "json").stdout)
        return {worker["name"].partition("@")[0]: worker["queues"] for worker in found["workers"]}

    wait_until(lambda: told() == {"celery": ["control"], "runs": ["runs"]}, lambda: f"both workers: {told()}")
    done = lab.qd("workers", "list")
    assert "queue runs: 0 waiting, 1 workers" in done.stderr
