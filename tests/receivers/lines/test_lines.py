"""Lines over HTTP with curl."""

from __future__ import annotations

import subprocess

import orjson
import pytest
from tests.lab.intake import IntakeLab

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]
_ROWS = "SELECT * FROM logs WHERE service = {s:String} ORDER BY ts"


def test_it_stores_text(intake: IntakeLab) -> None:
    service = intake.unique("text")
    url = f"{intake.url}/lines?service={service}&host=web-2&source=a.log"
    command = ["curl", "-sS", "-H", "Content-Type: text/plain", "--data-binary", "@-", url]
    done = subprocess.run(
        command, input="2026 ERROR one\r\n\ntwo 中文\n".encode(), capture_output=True, check=True, timeout=30
    )
    assert orjson.loads(done.stdout) == {"accepted": 2, "refused": 0}
    rows = intake.arrived(_ROWS, 2, s=service)
    assert [(row["message"], row["level"]) for row in rows] == [("2026 ERROR one", "error"), ("two 中文", "")]
    assert (rows[0]["host"], rows[0]["attributes"]["source"]) == ("web-2", "a.log")
    [sender] = intake.arrived("SELECT kind FROM senders WHERE name = {n:String}", n=service)
    assert sender["kind"] == "service"


def test_it_stores_json(intake: IntakeLab) -> None:
    service = intake.unique("json")
    body = b'{"message":"a","log":{"level":"info"}}\n\nno json\n{"msg":"b","service":{"name":"' + service.encode()
    status, answer = intake.post(f"/lines?service={service}&source=x", body + b'"}}\n', "application/x-ndjson")
    assert (status, orjson.loads(answer)) == (202, {"accepted": 2, "refused": 1})
    rows = intake.arrived(_ROWS, 2, s=service)
    assert {(row["message"], row["level"], row["attributes"]["source"]) for row in rows} == {
        ("a", "info", "x"), ("b", "", "x"),
    }  # fmt: skip


def test_what_is_neither_is_refused(intake: IntakeLab) -> None:
    assert intake.post("/lines", b"x", "image/png")[0] == 415
    status, answer = intake.post("/lines", b"no json", "application/x-ndjson")
    assert (status, orjson.loads(answer)) == (400, {"accepted": 0, "refused": 1})
