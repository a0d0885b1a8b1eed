"""Keys, state, dead letters and SQL of a running intake, by the commands and with real requests."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from tests.lab.intake import IntakeLab
from tests.lab.parts import wait_until

from quarterdeck.intake.spool.dead import bury
from quarterdeck.intake.spool.frames import Entry
from quarterdeck.telemetry import canonical
from quarterdeck.telemetry.receiving import Frame

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]
# The intake reads its keys every two seconds.
KNOWN_SECONDS = 10


def line(text: str, count: int = 1) -> bytes:
    """Return an OTLP request with `count` log lines."""
    record = {"timeUnixNano": str(time.time_ns()), "severityText": "INFO", "body": {"stringValue": text}}
    scope = {"logRecords": [record] * count}
    return json.dumps({"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": [scope]}]}).encode()


def made(intake: IntakeLab, *options: str) -> dict[str, Any]:
    name = intake.unique("key")
    found: dict[str, Any] = json.loads(
        intake.instance.qd("keys", "create", "--name", name, *options, "-o", "json").stdout
    )
    return found


def send(intake: IntakeLab, body: bytes, key: str) -> int:
    return intake.post("/v1/logs", body, Authorization=f"Bearer {key}")[0]


def wait_known(intake: IntakeLab, key: str) -> None:
    wait_until(lambda: send(intake, line("hello"), key) == 200, "the key to be known", KNOWN_SECONDS)


def test_what_comes_with_a_key_carries_its_labels(intake: IntakeLab) -> None:
    key = made(intake, "--protocols", "otlp", "--label", "env=lab", "--label", 'site=it\'s "x"')
    assert len(bytes.fromhex(key["key"])) == 16
    wait_known(intake, key["key"])
    text = intake.unique("labelled")
    assert send(intake, line(f"{text} password=hunter2"), key["key"]) == 200
    [row] = intake.arrived("SELECT message, resource, key FROM logs WHERE message LIKE {text:String}", text=f"{text}%")
    assert row == {
        "message": f"{text} password=***",
        "resource": {"env": "lab", "site": 'it\'s "x"'},
        "key": key["id"],
    }
    shown = json.loads(intake.instance.qd("intake", "status", "--by-key", "-o", "json").stdout)
    assert next(one for one in shown if one["key_id"] == key["id"])["accepted"] >= 2


def test_a_key_is_for_its_protocols_until_it_is_revoked(intake: IntakeLab) -> None:
    key = made(intake, "--protocols", "prometheus_remote_write")
    wait_until(lambda: send(intake, line("x"), key["key"]) == 403, "the key to be known", KNOWN_SECONDS)
    other = made(intake, "--protocols", "all")
    wait_known(intake, other["key"])
    intake.instance.qd("keys", "revoke", str(other["id"]))
    wait_until(lambda: send(intake, line("x"), other["key"]) == 401, "the key to be refused", KNOWN_SECONDS)
    assert send(intake, line("x"), "0" * 32) == 401


def test_rate_and_quota_answer_with_a_time_to_come_back(intake: IntakeLab) -> None:
    rate, day = made(intake, "--rate", "1"), made(intake, "--per-day", "5")
    for key in (rate, day):
        wait_known(intake, key["key"])
    assert send(intake, line("x", 10), rate["key"]) in (200, 429)
    assert send(intake, line("x", 10), rate["key"]) == 429
    assert send(intake, line("x", 5), day["key"]) == 429
    reasons = json.loads(intake.instance.qd("intake", "status", "-o", "json").stdout)
    [otlp] = [one for one in reasons if one["protocol"] == "otlp"]
    assert "quota" in otlp["refused_by_reason"]
    # Told by its head, or once it is known how many records there are: whichever comes first.
    assert {"rate", "rate_early"} & set(otlp["refused_by_reason"])
    assert {"accepted", "refused", "spooled", "loaded", "dead", "lag_seconds"} <= set(otlp)


def test_dead_letters_are_shown_redacted_retried_and_deleted(intake: IntakeLab) -> None:
    instance, text = intake.instance, intake.unique("revived")
    good, bad = "000001a2193250ae-00000001-000000", "000001a2193250ae-00000001-000001"
    directory = instance.data / "spool" / "dead"
    content = json.dumps({"text": f"{text} password=hunter2"}).encode()
    now_ms = time.time_ns() // 1_000_000
    bury(directory, good, Entry("otlp", 0, now_ms, canonical_frame(text)), "once, password=hunter2")
    bury(directory, bad, Entry("otlp", 0, now_ms, Frame("otlp.logs", b"\xff\xfe" + content, 1)), "twice")
    listed = {one["name"]: one for one in json.loads(instance.qd("intake", "dead", "list", "-o", "json").stdout)}
    assert listed[good]["reason"] == "once, password=***"
    shown = json.loads(instance.qd("intake", "dead", "show", bad, "-o", "json").stdout)
    assert (shown["is_binary"], "hunter2" in shown["text"]) == (True, False)
    assert "68 75 6e 74 65 72 32" not in shown["text"]
    instance.qd("intake", "dead", "retry", good)
    assert len(intake.arrived("SELECT 1 FROM logs WHERE message = {text:String}", text=text)) == 1
    instance.qd("intake", "dead", "delete", bad)
    left = {one["name"] for one in json.loads(instance.qd("intake", "dead", "list", "-o", "json").stdout)}
    assert not left & {good, bad}
    assert instance.qd("intake", "dead", "show", bad, check=False).returncode == 66
    verbs = json.loads(instance.qd("audit", "list", "-q", "verb:telemetry.*", "-o", "json").stdout)
    assert {"telemetry.show_dead", "telemetry.retry_dead", "telemetry.delete_dead"} <= {one["verb"] for one in verbs}


def canonical_frame(text: str) -> Frame:
    return canonical.frame_of_logs([canonical.LogRow(time.time_ns(), text)])


def test_sql_answers_as_rows(intake: IntakeLab) -> None:
    qd = intake.instance.qd
    assert "count()" in json.loads(qd("sql", "SELECT count() FROM spans", "-o", "json").stdout)[0]
    assert qd("sql", "SELECT 1 AS a, 'x' AS b", "-o", "csv").stdout == "a,b\n1,x\n"
    assert qd("sql", "SELECT 1 AS a", "-o", "table").stdout.split() == ["A", "1"]
    for table in ("samples", "series", "spans", "logs"):
        qd("sql", f"SELECT * FROM {table} LIMIT 1")
    refused = qd("sql", "SELECT file('/etc/passwd')", check=False)
    assert (refused.returncode, "error:" in refused.stderr, refused.stdout) == (65, True, "")


def test_the_intake_measures_itself(intake: IntakeLab) -> None:
    send(intake, line("x"), "0" * 32)
    assert intake.post("/v1/logs", line("measured"))[0] == 200
    for metric in ("quarterdeck_intake_accepted_records_total", "quarterdeck_intake_lag_seconds"):
        assert intake.series_arrived(metric, protocol="otlp")
    assert intake.series_arrived("quarterdeck_intake_refused_records_total", protocol="otlp", reason="bad_key")
