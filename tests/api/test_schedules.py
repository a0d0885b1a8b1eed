"""Schedules through the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.api.conftest import ApiClient, problem_of

from quarterdeck.access.actions import set_role
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory.actions import create_item
from quarterdeck.jobs.runs import claiming

pytestmark = pytest.mark.django_db
PLAN = {"work": {"command": "uptime"}, "query": "env:lab", "cron": "30 3 * * *", "time_zone": "Asia/Shanghai"}


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "later", lambda *_args, **_more: None)


def test_a_schedule_is_made_changed_started_and_deleted(admin: ApiClient) -> None:
    create_item(SYSTEM, "host", "web1", {"env": "lab"})
    answer = admin.call("PUT", "/schedules/nightly", {"plan": PLAN})
    made = answer.json()
    assert (answer.status_code, answer.headers["ETag"], made["plan"]) == (200, '"1"', PLAN)
    assert [at[11:] for at in made["upcoming"]] == ["19:30:00Z"] * 5
    assert (made["next_run_at"], made["last"], made["owner"]) == (made["upcoming"][0], None, "token:admin")
    assert admin.call("PUT", "/schedules/nightly", {"plan": PLAN}, If_Match='"9"').status_code == 412
    off = admin.call("POST", "/schedules/nightly/disable").json()
    assert (off["is_enabled"], off["next_run_at"], off["upcoming"]) == (False, None, [])
    assert admin.call("PUT", "/schedules/nightly", {"plan": PLAN}).json()["next_run_at"] is None, "it stays off"
    assert admin.call("POST", "/schedules/nightly/enable").json()["is_enabled"]
    run = admin.call("POST", "/schedules/nightly/run")
    assert (run.status_code, run.json()["schedule"]) == (202, "nightly")
    rows = admin.call("GET", "/schedules").json()["items"]
    assert [(row["name"], row["when"], row["last"]["run"]) for row in rows] == [
        ("nightly", "30 3 * * *", run.json()["id"])
    ]
    history = admin.call("GET", "/schedules/nightly/history").json()["items"]
    assert [(row["outcome"], row["run_state"], row["is_by_hand"]) for row in history] == [("started", "queued", True)]
    assert admin.call("DELETE", "/schedules/nightly").status_code == 204
    assert admin.call("GET", "/schedules/nightly").status_code == 404


def test_what_is_wrong_is_a_problem_with_its_place(admin: ApiClient) -> None:
    wrong = {"plan": {**PLAN, "time_zone": "Asia/Shangai"}}
    problem = problem_of(admin.call("PUT", "/schedules/nightly", wrong), 422, "bad_input")
    assert problem["field"] == "time_zone"
    assert "Asia/Shanghai" in problem["hint"]


def test_an_operator_plans_and_a_viewer_does_not(admin: ApiClient, token_client: Callable[..., ApiClient]) -> None:
    viewer, operator = token_client("viewer", name="viewer"), token_client("operator", name="operator")
    assert operator.call("PUT", "/schedules/nightly", {"plan": PLAN}).json()["owner"] == "token:operator"
    for method, path in (("GET", ""), ("POST", "/run"), ("POST", "/enable"), ("POST", "/disable"), ("DELETE", "")):
        assert viewer.call(method, f"/schedules/nightly{path}").status_code == 403
    assert viewer.call("PUT", "/schedules/nightly", {"plan": PLAN}).status_code == 403


def test_only_who_may_change_it_sees_values_of_variables(token_client: Callable[..., ApiClient]) -> None:
    set_role(SYSTEM, "looks", verbs=["jobs.view"])
    work = {"command": "id", "environment": {"DB": "hunter2"}}
    token_client("operator", name="plans").call("PUT", "/schedules/nightly", {"plan": {**PLAN, "work": work}})
    seen = {name: token_client(name, name=name).call("GET", "/schedules/nightly") for name in ("operator", "looks")}
    assert seen["operator"].json()["plan"]["work"] == work
    assert seen["looks"].json()["plan"]["work"] == {"command": "id", "environment": {"DB": "********"}}
