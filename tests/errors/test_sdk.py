"""A program with Sentry's own SDK, against a running instance: its error is an issue, is resolved, and comes back."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.lab.intake import IntakeLab
from tests.lab.parts import wait_until
from tests.receivers.sentry.clients import dsn, run_python, sentry_cli

# The first one waits for an instance that starts.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("intake")]


def _qd(intake: IntakeLab, *words: str) -> Any:
    return json.loads(intake.instance.qd("errors", *words, "-o", "json").stdout)


def _issue(intake: IntakeLab, name: str, query: str = "") -> dict[str, Any]:
    """Wait for the ValueError of the service, with a state that the query asks for."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        status, page = intake.instance.get(
            f"/api/v1/errors/issues?q=service:{name}%20type:ValueError%20{query}", token=intake.instance.token
        )
        found[:] = page["items"] if status == 200 else []
        return bool(found)

    wait_until(is_there, f"an issue of {name} {query}", 60)
    return found[0]


def _has_suspects(intake: IntakeLab, issue: dict[str, Any], repository: Path) -> None:
    """Give the release its commits by Sentry's own command, and see the one that touched the program."""
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    for command in (["init", "--quiet"], ["remote", "add", "origin", "https://git.example/acme/shop.git"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    for name in ("shop.py", "README.md"):
        (repository / name).write_text("x")
        subprocess.run(["git", "add", "."], cwd=repository, check=True)
        subprocess.run(["git", *who, "commit", "--quiet", "-m", f"Write {name}"], cwd=repository, check=True)
    release = issue["first_release"]
    sentry_cli(intake, "releases", "new", release, project=issue["project"])
    said = sentry_cli(intake, "releases", "set-commits", release, "--local", project=issue["project"], cwd=repository)
    assert "Success" in said
    sentry_cli(intake, "releases", "finalize", release, project=issue["project"])
    [suspect] = _qd(intake, "origin", str(issue["id"]))["suspects"]
    assert (suspect["path"], suspect["commit"]["message"]) == ("shop.py", "Write shop.py")
    assert suspect["commit"]["author_email"] == "ann@example.org"
    listed = sentry_cli(intake, "releases", "list", project=issue["project"])
    assert release in listed


def test_an_error_is_an_issue_and_a_regression(intake: IntakeLab, tmp_path: Path) -> None:
    name = intake.unique("shop")
    sent = run_python("errors", name, dsn(intake))
    issue = _issue(intake, name)
    assert (issue["events"], issue["users"], issue["level"]) == (1, 1, "error")
    assert (issue["first_release"], issue["title"]) == (f"{name}@1.2.3", "ValueError: order 17 failed: password=***")
    [listed] = _qd(intake, "list", "-q", f"is:unresolved service:{name} type:ValueError")
    assert listed["id"] == issue["id"]
    [logged] = _qd(intake, "list", "-q", f"service:{name} kind:message")
    assert logged["logger"] == "shop.payment"
    shown = _qd(intake, "show", str(issue["id"]))
    assert (shown["releases"], shown["environments"]) == ([f"{name}@1.2.3"], ["prod"])
    event = _qd(intake, "event", str(issue["id"]))
    assert event["event"]["event_id"] == sent["exception"]
    assert [one["type"] for one in event["payload"]["exception"]["values"]] == ["ZeroDivisionError", "ValueError"]
    assert "hunter22" not in json.dumps(event)
    _has_suspects(intake, issue, tmp_path)
    intake.instance.qd("errors", "resolve", str(issue["id"]))
    assert _qd(intake, "show", str(issue["id"]))["state"] == "resolved"
    run_python("errors", name, dsn(intake))
    again = _issue(intake, name, "is:regressed")
    assert (again["id"], again["events"], again["users"]) == (issue["id"], 2, 1)
    intake.instance.qd("errors", "ignore", str(issue["id"]), "--events", "10")
    assert _qd(intake, "show", str(issue["id"]))["ignored_events"] == 12
    refused = intake.instance.qd("errors", "list", "-q", "is:opn", check=False)
    assert refused.returncode != 0
    assert "never" in refused.stderr
