"""Loki's push with python-logging-loki, and protobuf by hand."""

from __future__ import annotations

import logging
import time

import cramjam
import logging_loki
import orjson
import pytest
from tests.lab.intake import IntakeLab

from quarterdeck.telemetry.receivers.loki import _PUSH

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]
_ROWS = "SELECT * FROM logs WHERE service = {s:String} ORDER BY ts"
_PATH = "/loki/api/v1/push"


def test_it_stores_lines_of_the_python_handler(intake: IntakeLab) -> None:
    service = intake.unique("loki")
    handler = logging_loki.LokiHandler(
        url=f"{intake.url}{_PATH}", tags={"service": service, "host": "web-3"}, version="1"
    )
    logger = logging.getLogger(service)
    logger.addHandler(handler)
    logger.warning("something %s", "happened", extra={"tags": {"order": "42"}})
    [row] = intake.arrived(_ROWS, s=service)
    assert (row["message"], row["host"], row["attributes"]["order"]) == ("something happened", "web-3", "42")
    assert (row["component"], row["source"]) == (service, "loki")


def test_it_stores_protobuf(intake: IntakeLab) -> None:
    service, now = intake.unique("pb"), time.time_ns()
    push = _PUSH()
    stream = push.streams.add(labels=f'{{app="{service}", pod="p-1", level="error", path="a\\\\b \\"q\\""}}')
    entry = stream.entries.add(line="broken")
    entry.timestamp.seconds, entry.timestamp.nanos = divmod(now, 1_000_000_000)
    entry.metadata.add(name="trace_id", value="ab" * 16)
    body = bytes(cramjam.snappy.compress_raw(push.SerializeToString()))
    assert intake.post(_PATH, body, "application/x-protobuf") == (204, b"")
    [row] = intake.arrived("SELECT *, toUnixTimestamp64Nano(ts) AS ns FROM logs WHERE service = {s:String}", s=service)
    assert (int(row["ns"]), row["level"], row["trace_id"]) == (now, "error", "ab" * 16)
    assert row["attributes"]["path"] == 'a\\b "q"'
    assert row["resource"]["k8s.pod.name"] == "p-1"


def test_it_stores_json_with_metadata(intake: IntakeLab) -> None:
    service = intake.unique("js")
    values = [[str(time.time_ns()), "hello", {"span_id": "cd" * 8, "user": "u1"}]]
    body = orjson.dumps({"streams": [{"stream": {"service_name": service, "instance": "h:1"}, "values": values}]})
    assert intake.post(_PATH, body) == (204, b"")
    [row] = intake.arrived(_ROWS, s=service)
    assert (row["span_id"], row["attributes"]["user"], row["host"]) == ("cd" * 8, "u1", "h:1")


def test_it_says_in_text_what_is_wrong(intake: IntakeLab) -> None:
    assert intake.post("/ready", b"", method="GET") == (200, b"ready\n")
    for body, kind in ((b"{", "application/json"), (b"\xff\xff", "application/x-protobuf")):
        status, answer = intake.post(_PATH, body, kind)
        assert status == 400
        assert answer.startswith(b"the body is no ")
