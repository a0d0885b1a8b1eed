"""Killed at any moment, under load: every acknowledged record is there, exactly once."""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.intake.processes import Road, road

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
# Fifty take minutes, for whoever changes the road: SURVIVE_ROUNDS=50 pytest -m slow tests/intake/test_survive.py
ROUNDS = int(os.environ.get("SURVIVE_ROUNDS", "10"))
BATCH = 20


@pytest.fixture
def killed() -> Iterator[Road]:
    with road() as one:
        yield one


class _Sender(threading.Thread):
    """Sends batch after batch. With `retries` the same bytes go again until they are acknowledged, as SDKs do."""

    def __init__(self, road: Road, path: str, make: Callable[[int], bytes], *, retries: bool) -> None:
        super().__init__(daemon=True)
        self._road, self._path, self._make, self._retries = road, path, make, retries
        self.acknowledged: set[int] = set()
        self.tried = 0
        self.is_over = threading.Event()
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            number = self.tried
            self.tried += 1
            body = self._make(number)
            while not self._send(number, body) and self._retries:
                time.sleep(0.05)
        self.is_over.set()

    def _send(self, number: int, body: bytes) -> bool:
        try:
            status, _answer = self._road.request("POST", self._path, body, {"Content-Type": "application/json"})
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
            return False
        if status == 200:
            self.acknowledged.add(number)
        return status == 200


def _resource() -> dict[str, object]:
    return {"attributes": [{"key": "service.name", "value": {"stringValue": "survivor"}}]}


def _spans(number: int) -> bytes:
    at = time.time_ns()
    spans = [
        {"traceId": f"{number:032x}", "spanId": f"{number * BATCH + i + 1:016x}", "name": str(number), "kind": 2,
         "startTimeUnixNano": str(at), "endTimeUnixNano": str(at + 1000)}
        for i in range(BATCH)
    ]  # fmt: skip
    return json.dumps({"resourceSpans": [{"resource": _resource(), "scopeSpans": [{"spans": spans}]}]}).encode()


def _points(number: int) -> bytes:
    at = str(time.time_ns())
    points = [
        {"timeUnixNano": at, "asInt": str(number), "attributes": [{"key": "i", "value": {"intValue": str(i)}},
         {"key": "number", "value": {"intValue": str(number)}}]}
        for i in range(BATCH)
    ]  # fmt: skip
    metric = {"name": "survivor.points", "gauge": {"dataPoints": points}}
    return json.dumps(
        {"resourceMetrics": [{"resource": _resource(), "scopeMetrics": [{"metrics": [metric]}]}]}
    ).encode()


def _lines(number: int) -> bytes:
    at = str(time.time_ns())
    lines = [{"timeUnixNano": at, "body": {"stringValue": f"line {number} {i}"}} for i in range(BATCH)]
    return json.dumps({"resourceLogs": [{"resource": _resource(), "scopeLogs": [{"logRecords": lines}]}]}).encode()


def _kill_and_start(one: Road, dice: random.Random) -> None:
    time.sleep(dice.uniform(0.05, 1.2))
    victims = dice.choice((["intake"], ["engine"], ["intake", "engine"]))
    for name in victims:
        one.kill(name)
    time.sleep(dice.uniform(0.0, 0.3))
    for name in victims:
        one.start(name)
    if "intake" in victims:
        one.wait_for_intake()


def test_every_acknowledged_record_is_there_exactly_once(killed: Road) -> None:
    dice = random.Random(20261126)
    spans = _Sender(killed, "/v1/traces", _spans, retries=True)
    points = _Sender(killed, "/v1/metrics", _points, retries=True)
    lines = _Sender(killed, "/v1/logs", _lines, retries=False)
    senders = (spans, points, lines)
    for sender in senders:
        sender.start()
    for _round in range(ROUNDS):
        _kill_and_start(killed, dice)
    for sender in senders:
        sender.stop.set()
    for sender in senders:
        assert sender.is_over.wait(60)
    killed.wait_until_empty()

    stored = {int(row["name"]): row["n"] for row in killed.sql("SELECT name, count() AS n FROM spans GROUP BY name")}
    assert stored == dict.fromkeys(spans.acknowledged, BATCH)
    counted = {int(r["name"]): r["n"] for r in killed.sql("SELECT name, sum(count) AS n FROM red_1m GROUP BY name")}
    assert counted == dict.fromkeys(spans.acknowledged, BATCH)

    series = killed.sql(
        "SELECT toInt64(labels['number']) AS number, count() AS n FROM samples INNER JOIN"
        " (SELECT id, any(labels) AS labels FROM series WHERE metric_name = 'survivor_points' GROUP BY id) AS s"
        " USING id"
        " GROUP BY number"
    )
    assert {row["number"]: row["n"] for row in series} == dict.fromkeys(points.acknowledged, BATCH)

    # Lines carry no id: one that was not acknowledged may be there or not, but never twice.
    found = killed.sql("SELECT toInt64(splitByChar(' ', message)[2]) AS number, count() AS n FROM logs GROUP BY number")
    kept = {row["number"]: row["n"] for row in found}
    assert lines.acknowledged <= kept.keys()
    assert set(kept.values()) == {BATCH}
    assert min(len(sender.acknowledged) for sender in senders) > ROUNDS
