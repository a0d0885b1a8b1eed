"""Fluent forward with fluent-logger, and the modes that it does not use by hand."""

from __future__ import annotations

import gzip
import socket
import time

import msgpack
import pytest
from fluent.sender import FluentSender
from tests.lab.intake import IntakeLab

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]
_ROWS = "SELECT *, toUnixTimestamp64Nano(ts) AS ns FROM logs WHERE service = {s:String} ORDER BY message"


@pytest.mark.parametrize("is_exact", [True, False])
def test_it_stores_events_of_fluent_logger(intake: IntakeLab, is_exact: bool) -> None:
    service = intake.unique("fl")
    sender = FluentSender("app", host="127.0.0.1", port=intake.port("intake_fluent"), nanosecond_precision=is_exact)
    for at in range(3):
        assert sender.emit("orders", {"message": f"m{at}", "level": "warn", "service": service, "n": {"x": at}})
    sender.close()
    rows = intake.arrived(_ROWS, 3, s=service)
    assert [(row["message"], row["level"], row["attributes"]["n.x"]) for row in rows] == [
        (f"m{at}", "warning", str(at)) for at in range(3)
    ]
    assert rows[0]["attributes"]["fluent.tag"] == "app.orders"
    assert abs(int(rows[0]["ns"]) - time.time_ns()) < 120 * 10**9


def _event_time(ns: int) -> msgpack.ExtType:
    return msgpack.ExtType(0, (ns // 10**9).to_bytes(4, "big") + (ns % 10**9).to_bytes(4, "big"))


@pytest.mark.parametrize("mode", ["message", "forward", "packed", "compressed"])
def test_it_acknowledges_each_mode(intake: IntakeLab, mode: str) -> None:
    service, now = intake.unique(mode), time.time_ns()
    record = {"log": "hi", "service": service, b"raw": b"\xff"}
    entries = [[_event_time(now), record]]
    packed = b"".join(map(msgpack.packb, entries))
    option = {"chunk": "abc==", "size": 1}
    message = {
        "message": ["t", *entries[0], option],
        "forward": ["t", entries, option],
        "packed": ["t", packed, option],
        "compressed": ["t", gzip.compress(packed), {**option, "compressed": "gzip"}],
    }[mode]
    with socket.create_connection(("127.0.0.1", intake.port("intake_fluent")), timeout=30) as connection:
        connection.sendall(msgpack.packb(message))
        assert msgpack.unpackb(connection.recv(100)) == {"ack": "abc=="}
    [row] = intake.arrived(_ROWS, s=service)
    assert (row["message"], int(row["ns"]), row["attributes"]["raw"]) == ("hi", now, "\ufffd")


def test_it_answers_a_heartbeat(intake: IntakeLab) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heart:
        heart.settimeout(30)
        heart.sendto(b"\0", ("127.0.0.1", intake.port("intake_fluent")))
        assert heart.recv(10) == b"\0"
