"""Sentry's own SDK for Node, unchanged, from npm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.lab.intake import IntakeLab
from tests.lab.parts import wait_until
from tests.receivers.sentry.clients import build_shop, dsn, install_node_sdk, run_node, sentry_cli

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_node_sdk(tmp_path_factory.mktemp("node"))


def test_it_keeps_all_that_the_sdk_sends(intake: IntakeLab, program: Path) -> None:
    name = intake.unique("node")
    said = run_node(program, name, dsn(intake, project=43))
    found = intake.arrived("SELECT * FROM error_events WHERE service = {s:String}", 3, s=name)
    by_id = {event["event_id"]: event for event in found}
    raised = by_id[said["exception"]]
    assert (raised["message"], raised["user"]) == ("Error: order failed: secret=***", "9")
    assert (raised["culprit"], raised["host"], raised["project"]) == ("shop in fail", f"{name}-host", 43)
    values = json.loads(raised["payload"])["exception"]["values"]
    assert [one["type"] for one in values] == ["TypeError", "Error"]
    assert raised["trace_id"] == said["trace"]
    message = by_id[said["message"]]
    assert (message["message"], message["level"]) == ("a warning 支付", "warning")
    assert len(json.loads(message["payload"])["extra"]["page"]) > 30_000

    spans = intake.arrived(
        "SELECT *, lower(hex(trace_id)) AS trace FROM spans WHERE trace = {t:String}", 2, t=said["trace"]
    )
    by_kind = {span["kind"]: span for span in spans}
    assert by_kind["server"]["name"] == "GET /orders"
    assert (by_kind["client"]["name"], by_kind["client"]["db_system"]) == ("db SELECT", "mysql")
    assert by_kind["client"]["version"] == f"{name}@2.0.0"

    [line] = intake.arrived("SELECT * FROM logs WHERE host = {h:String}", h=f"{name}-host")
    assert (line["message"], line["level"], line["attributes"]["token"]) == ("out of bread", "error", "Bearer ***")
    assert intake.series_arrived("orders_delta", host=f"{name}-host")[0]["values"] == [2]
    assert intake.series_arrived("checkout_milliseconds", host=f"{name}-host")[0]["values"] == [2.5]

    [file] = intake.arrived(
        "SELECT hex(content) AS h FROM error_attachments WHERE event_id = {e:String}", e=said["exception"]
    )
    assert file["h"] == "000A0DFF"
    [feedback] = intake.arrived("SELECT * FROM user_feedback WHERE feedback_id = {f:String}", f=said["feedback"])
    assert (feedback["message"], feedback["event_id"], feedback["service"]) == ("it broke", said["exception"], name)
    [job] = intake.arrived("SELECT * FROM check_ins WHERE monitor = {m:String} AND status = 'error'", m=f"{name}-job")
    assert (job["duration_s"], job["environment"]) == (1.5, "staging")
    [monitor] = intake.arrived("SELECT * FROM check_in_monitors WHERE monitor = {m:String}", m=f"{name}-job")
    assert json.loads(monitor["config"])["schedule"]["unit"] == "minute"
    sessions = intake.arrived("SELECT * FROM release_sessions WHERE release = {r:String}", 2, r=f"{name}@2.0.0")
    assert {session["status"] for session in sessions} == {"exited"}


def test_it_keeps_transactions_of_the_older_form(intake: IntakeLab, program: Path) -> None:
    name = intake.unique("node")
    said = run_node(program, name, dsn(intake, project=43), LIFECYCLE="static")
    spans = intake.arrived("SELECT * FROM spans WHERE service = {s:String}", 2, s=name)
    assert {span["name"] for span in spans} == {"GET /orders", "db SELECT"}
    assert (
        intake.sql("SELECT count() AS n FROM spans WHERE lower(hex(trace_id)) = {t:String}", t=said["trace"])[0]["n"]
        == 2
    )


def _built(intake: IntakeLab, program: Path, build: int, *upload: str) -> Path:
    """Build the shop, upload its source map as a build does, and return the program."""
    dist = build_shop(program.parent, build)
    sentry_cli(intake, "sourcemaps", "inject", dist, project=44)
    said = sentry_cli(intake, "sourcemaps", "upload", dist, *upload, project=44)
    assert "File processing complete" in said
    return dist / "shop.mjs"


def test_minified_programs_are_one_issue_of_the_source(intake: IntakeLab, program: Path) -> None:
    name = intake.unique("built")
    address = dsn(intake, project=44)
    for build in (1, 2):
        said = run_node(_built(intake, program, build, "--wait"), name, address)
        intake.arrived("SELECT event_id FROM error_events WHERE event_id = {e:String}", e=said["exception"])

    def found() -> list[dict[str, Any]]:
        answer = intake.instance.qd("errors", "list", "-q", f"service:{name}", "-o", "json").stdout
        return [one for one in json.loads(answer) if one["events"] == 2]

    wait_until(lambda: bool(found()), "both events are one issue", 60)
    [issue] = found()
    assert issue["culprit"].endswith("shop/payments.mjs in chargeCustomer")
    event = json.loads(intake.instance.qd("errors", "event", str(issue["id"]), "-o", "json").stdout)
    [raised] = event["payload"]["exception"]["values"]
    assert len(raised["stacktrace"]["frames"][-1]["function"]) < len("chargeCustomer")
    frame = event["source"]["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["lineno"], frame["in_app"]) == ("chargeCustomer", 4, True)
    assert frame["context_line"] == '    throw new RangeError("the amount is negative");'
    assert frame["pre_context"][0] == "export function chargeCustomer(order) {"
    callers = [one["function"] for one in event["source"]["exception"]["values"][0]["stacktrace"]["frames"]]
    assert "placeOrder" in callers
    uploads = json.loads(intake.instance.qd("source-maps", "list", "-o", "json").stdout)
    assert {one["files"] for one in uploads if one["project"] == 44} == {2}
