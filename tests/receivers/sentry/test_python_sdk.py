"""Sentry's own SDK for Python, unchanged."""

from __future__ import annotations

import json

import pytest
from tests.lab.intake import IntakeLab
from tests.receivers.sentry.clients import dsn, run_python

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]


def test_it_keeps_errors_with_their_cause_and_their_trace(intake: IntakeLab) -> None:
    name = intake.unique("shop")
    said = run_python("errors", name, dsn(intake))
    found = intake.arrived("SELECT * FROM error_events WHERE service = {s:String} ORDER BY ts", 2, s=name)
    raised, logged = found
    assert raised["event_id"] == said["exception"]
    assert raised["message"] == "ValueError: order 17 failed: password=***"
    assert (raised["type"], raised["level"], raised["handled"]) == ("ValueError", "error", True)
    assert (raised["host"], raised["release"], raised["environment"]) == (f"{name}-host", f"{name}@1.2.3", "prod")
    assert (raised["user"], raised["transaction"], raised["platform"]) == ("user-7", "POST /orders", "python")
    assert raised["culprit"] == "__main__ in errors"
    assert raised["trace_id"] == said["trace_id"]
    chain = json.loads(raised["payload"])["exception"]["values"]
    assert [one["value"] for one in chain] == [
        "cannot charge [card] of ada",
        "order 17 failed: password=***",
    ]
    assert "hunter22" not in raised["payload"]
    assert "4111" not in raised["payload"]
    assert logged["message"] == "payment 17 of Bearer *** failed 支付失败"
    assert (logged["logger"], logged["kind"]) == ("shop.payment", "message")
    assert json.loads(logged["payload"])["logentry"]["message"] == "payment %s of %s failed 支付失败"


def test_it_keeps_the_transaction_as_spans(intake: IntakeLab) -> None:
    name = intake.unique("shop")
    said = run_python("errors", name, dsn(intake))
    spans = intake.arrived(
        "SELECT *, lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS id, lower(hex(parent_id)) AS parent"
        " FROM spans WHERE service = {s:String}",
        2,
        s=name,
    )
    by_kind = {span["kind"]: span for span in spans}
    root, select = by_kind["server"], by_kind["client"]
    assert {span["trace"] for span in spans} == {said["trace_id"]}
    assert (root["name"], root["host"], root["env"]) == ("POST /orders", f"{name}-host", "prod")
    assert (select["name"], select["db_system"], select["parent"]) == ("db SELECT", "postgresql", root["id"])
    assert int(root["duration_ns"]) > int(select["duration_ns"]) >= 0
    senders = intake.arrived("SELECT kind, name FROM senders WHERE startsWith(name, {s:String})", 2, s=name)
    assert {(row["kind"], row["name"]) for row in senders} == {("host", f"{name}-host"), ("service", name)}


def test_it_keeps_structured_logs_and_metrics(intake: IntakeLab) -> None:
    name = intake.unique("shop")
    run_python("telemetry", name, dsn(intake))
    lines = intake.arrived("SELECT * FROM logs WHERE host = {h:String} ORDER BY ts", 2, h=f"{name}-host")
    assert [line["message"] for line in lines] == ["stock of bread is low", "no bread, token secret=***"]
    assert [line["level"] for line in lines] == ["warning", "error"]
    assert (lines[0]["attributes"]["shelf"], lines[1]["component"]) == ("3", "shop.stock")
    assert lines[0]["resource"]["service.version"] == f"{name}@1.2.3"
    # Logs carry no tags: without a label of the key their service is the project.
    assert lines[0]["service"] == "project-42"
    [orders] = intake.series_arrived("orders_delta", host=f"{name}-host")
    assert (sum(orders["values"]), orders["labels"]["kind"]) == (5, "web")
    assert intake.series_arrived("queue_length", host=f"{name}-host")[0]["values"] == [7]
    assert intake.series_arrived("checkout_milliseconds", host=f"{name}-host")[0]["values"] == [250.5]


def test_it_keeps_jobs_sessions_files_and_reports(intake: IntakeLab) -> None:
    name = intake.unique("shop")
    said = run_python("health", name, dsn(intake))
    jobs = intake.arrived(
        "SELECT * FROM check_ins WHERE startsWith(monitor, {s:String}) AND status != 'in_progress' ORDER BY monitor",
        2,
        s=name,
    )
    assert [(job["monitor"], job["status"]) for job in jobs] == [(f"{name}-broken", "error"), (f"{name}-nightly", "ok")]
    assert jobs[1]["duration_s"] >= 0.05
    [monitor] = intake.arrived("SELECT * FROM check_in_monitors WHERE monitor = {m:String}", m=f"{name}-nightly")
    assert json.loads(monitor["config"])["schedule"]["value"] == "0 3 * * *"

    sessions = intake.arrived(
        "SELECT * FROM release_sessions WHERE release = {r:String} ORDER BY seq", 2, r=f"{name}@1.2.3"
    )
    counted, whole = sessions
    assert (counted["status"], counted["count"], whole["status"], whole["errors"]) == ("exited", 1, "exited", 1)
    assert int(whole["user_hash"]) != 0
    health = "SELECT 1 - sumIf(count, status = 'crashed') / sum(count) AS crash_free FROM release_sessions FINAL"
    assert intake.sql(f"{health} WHERE release = {{r:String}} GROUP BY release", r=f"{name}@1.2.3") == [
        {"crash_free": 1}
    ]

    files = intake.arrived(
        "SELECT * FROM error_attachments WHERE event_id = {e:String} ORDER BY name", 2, e=said["exception"]
    )
    assert [file["name"] for file in files] == ["core.bin", "shop.log"]
    assert (files[1]["content"], files[1]["content_type"]) == ("first line\npassword=***\n", "text/plain")
    whole_file = intake.sql(
        "SELECT hex(content) AS h, lower(hex(SHA256(content))) = sha256 AS same FROM error_attachments"
        " WHERE event_id = {e:String} AND name = 'core.bin'",
        e=said["exception"],
    )
    assert whole_file == [{"h": bytes(range(256)).hex().upper(), "same": 1}]

    [feedback] = intake.arrived("SELECT * FROM user_feedback WHERE event_id = {e:String}", e=said["exception"])
    assert (feedback["message"], feedback["name"]) == ("no bread, pwd=***", "Ada")
    reports = intake.arrived("SELECT * FROM client_reports WHERE reason = 'sample_rate' AND quantity = 3")
    assert reports[0]["category"] == "error"


def test_it_keeps_what_a_web_framework_did_not_handle(intake: IntakeLab) -> None:
    name = intake.unique("shop")
    assert run_python("flask", name, dsn(intake)) == {"status": 500}
    [event] = intake.arrived("SELECT * FROM error_events WHERE service = {s:String}", s=name)
    assert (event["message"], event["handled"], event["transaction"]) == ("LookupError: no order 17", False, "order")
    assert json.loads(event["payload"])["request"]["url"] == "http://localhost/orders/17"
    [span] = intake.arrived("SELECT * FROM spans WHERE service = {s:String}", s=name)
    assert (span["kind"], span["is_error"], span["http_status"]) == ("server", True, 500)
