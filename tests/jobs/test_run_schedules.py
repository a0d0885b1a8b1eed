"""Schedules of a running instance: what is due begins by itself, once, however many look for it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.jobs.hosts import hosts
from tests.lab.instances import Instance
from tests.lab.parts import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("runs")]
SCHEDULES = 5
_SCHEDULER = """
import threading

import django

django.setup()
from quarterdeck.jobs.schedules.firing import run_forever
print("ready", flush=True)
run_forever(threading.Event())
"""


@contextmanager
def scheduler(lab: Instance) -> Iterator[None]:
    """A further process that starts what is due, beside the worker of the instance."""
    environment = {**lab.environment, "DJANGO_SETTINGS_MODULE": "quarterdeck.conf.settings"}
    command = [sys.executable, "-c", _SCHEDULER]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.kill()


def rows(lab: Instance, path: str) -> list[dict[str, Any]]:
    # People's requests are limited by the minute.
    time.sleep(0.3)
    status, found = lab.get(f"/api/v1{path}", token=lab.token)
    assert status == 200, found
    return list(found["items"])


def test_of_several_schedulers_one_starts_each(lab: Instance) -> None:
    with ExitStack() as stack:
        for _number in range(2):
            stack.enter_context(scheduler(lab))
        at = (datetime.now(UTC) + timedelta(seconds=6)).isoformat()
        for number in range(SCHEDULES):
            plan = {"work": {"command": f"echo due {number}"}, "query": "name:web01", "at": at}
            address = f"{lab.url}/api/v1/schedules/once{number}"
            made = httpx.put(address, json={"plan": plan}, headers={"Authorization": f"Bearer {lab.token}"})
            assert made.status_code == 200, made.text
        wait_until(lambda: all(row["last"] for row in rows(lab, "/schedules")), "all of them")
        wait_until(
            lambda: all(row["last"]["run_state"] == "succeeded" for row in rows(lab, "/schedules")), "their runs"
        )
    started = [row["schedule"] for row in rows(lab, "/runs?limit=50") if row["schedule"].startswith("once")]
    assert sorted(started) == [f"once{number}" for number in range(SCHEDULES)]
    listed = json.loads(lab.qd("schedules", "list", "-o", "json").stdout)
    assert {row["next_run_at"] for row in listed} == {None}
    history = json.loads(lab.qd("schedules", "history", "once4", "-o", "json").stdout)
    assert [(row["outcome"], row["is_by_hand"]) for row in history] == [("started", False)]
    assert hosts(lab, history[0]["run"])["web01"]["stdout"] == "due 4\n"


def test_the_command_line_makes_shows_switches_runs_and_deletes(lab: Instance) -> None:
    words = ["--command", "echo now", "-q", "name:web01", "--cron", "30 3 * * *", "--zone", "Europe/Berlin"]
    made = lab.qd("schedules", "create", "nightly", *words, "--not-on", "sat,sun", "--disabled")
    assert "due" not in made.stderr
    on = json.loads(lab.qd("schedules", "enable", "nightly", "-o", "json").stdout)[0]
    assert len(on["upcoming"]) == 5
    done = lab.qd("schedules", "run", "nightly", "-o", "json")
    assert json.loads(done.stdout)["hosts"][0]["stdout"] == "now\n"
    shown = json.loads(lab.qd("schedules", "show", "nightly", "-o", "json").stdout)
    assert (shown["plan"]["not_on"], shown["last"]["outcome"]) == (["sat,sun"], "started")
    refused = lab.qd("schedules", "create", "other", "--command", "id", "-q", "name:web01", "--cron", "x", check=False)
    assert (refused.returncode, "no cron expression" in refused.stderr) == (65, True)
    lab.qd("schedules", "disable", "nightly")
    lab.qd("schedules", "delete", "nightly")
    assert lab.qd("schedules", "show", "nightly", check=False).returncode == 66
