"""Guard rules and approval over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.api.conftest import ApiClient, problem_of
from tests.people import actor, person

from quarterdeck.access.models import Role
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory.actions import create_item
from quarterdeck.jobs.guards.models import GuardRule
from quarterdeck.jobs.runs import claiming
from quarterdeck.jobs.runs.actions import start_run
from quarterdeck.jobs.runs.planning import Options

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "later", lambda *_args, **_more: None)
    GuardRule.objects.all().delete()
    create_item(SYSTEM, "host", "web1", {"env": "prod"})


def test_rules_are_kept(admin: ApiClient, token_client: Callable[..., ApiClient]) -> None:
    body = {"name": "production", "query": "env:prod", "asks": "approval", "commands": "reboot"}
    made = admin.call("POST", "/guards", body)
    assert made.status_code == 201
    rule = made.json()
    assert (rule["applies"], rule["is_enabled"], rule["runners"]) == ("always", True, [])
    problem_of(admin.call("POST", "/guards", body), 409, "conflict")
    problem_of(admin.call("POST", "/guards", body | {"name": "x", "zone": "Mars"}), 422, "bad_input")
    problem_of(token_client("operator").call("POST", "/guards", body | {"name": "x"}), 403, "denied")
    changed = admin.call("PUT", f"/guards/{rule['id']}", body | {"asks": "reason"}).json()
    assert changed["asks"] == "reason"
    assert admin.call("GET", f"/guards/{rule['id']}").json() == changed
    assert [one["name"] for one in admin.call("GET", "/guards").json()["items"]] == ["production"]
    tried = admin.call("POST", "/guards/try", {"work": {"command": "sudo reboot"}, "query": "env:prod"}).json()["items"]
    assert tried == [{"rule": "production", "description": "", "asks": "reason", "why": "reboot; web1"}]
    problem_of(admin.call("POST", "/guards/try", {"work": {"comand": "x"}}), 422, "bad_input")
    assert admin.call("DELETE", f"/guards/{rule['id']}").status_code == 204
    problem_of(admin.call("GET", f"/guards/{rule['id']}"), 404, "not_found")


def test_a_run_waits_for_its_second_person(admin: ApiClient) -> None:
    admin.call("POST", "/guards", {"name": "production", "asks": "approval"})
    body = {"runner": "ssh", "work": {"command": "uptime"}, "query": "type:host"}
    problem_of(admin.call("POST", "/runs", body), 422, "bad_input")
    run = admin.call("POST", "/runs", body | {"reason": "patch day"}).json()
    assert (run["state"], run["asked"][0]["rule"]) == ("approval", "production")
    problem_of(admin.call("POST", f"/runs/{run['id']}/approve", {}), 403, "denied")
    ann = actor(person("ann", Role.objects.get(name="operator")))
    for number, what in enumerate(("approve", "refuse")):
        other = start_run(ann, "ssh", {"command": "uptime"}, "type:host", Options(reason="x"))
        done = admin.call("POST", f"/runs/{other.pk}/{what}", {"decision": "so be it"}).json()
        assert (done["state"], done["decision"]) == (("queued", "refused")[number], "so be it")
        problem_of(admin.call("POST", f"/runs/{other.pk}/{what}", {}), 409, "conflict")
