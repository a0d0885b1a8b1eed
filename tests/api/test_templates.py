"""Job templates through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.api.conftest import ApiClient, problem_of

from quarterdeck.access.actions import set_role
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory.actions import create_item
from quarterdeck.jobs.runs import claiming

pytestmark = pytest.mark.django_db
DEFINITION: dict[str, Any] = {
    "title": {"en": "Restart a service", "zh-hans": "重启服务"},
    "work": {"command": 'systemctl restart -- "$service"'},
    "survey": [{"name": "service", "required": True}, {"name": "lines", "kind": "integer", "default": 3}],
}


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "later", lambda *_args, **_more: None)


def test_a_template_is_made_changed_started_and_deleted(admin: ApiClient) -> None:
    create_item(SYSTEM, "host", "web1", {"env": "lab"})
    answer = admin.call("PUT", "/templates/restart", {"definition": DEFINITION})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    assert answer.json()["definition"] == DEFINITION
    changed = {"definition": {**DEFINITION, "query": "env:lab"}}
    assert admin.call("PUT", "/templates/restart", changed, If_Match='"9"').status_code == 412
    assert admin.call("PUT", "/templates/restart", changed, If_Match='"1"').json()["version"] == 2
    listed = admin.call("GET", "/templates", Accept_Language="zh-hans").json()["items"]
    assert [(row["name"], row["title"], row["questions"]) for row in listed] == [
        ("restart", "重启服务", ["service", "lines"])
    ]
    run = admin.call("POST", "/templates/restart/run", {"values": {"service": "nginx"}, "reason": "CHG-1"})
    assert run.status_code == 202
    shown = run.json()
    assert (shown["template"], shown["template_version"]) == ("restart", 2)
    assert shown["answers"] == {"service": "nginx", "lines": 3}
    assert shown["reason"] == "CHG-1"
    assert [row["id"] for row in admin.call("GET", "/runs?template=restart").json()["items"]] == [shown["id"]]
    assert admin.call("GET", "/runs?template=other").json()["items"] == []
    assert admin.call("DELETE", "/templates/restart").status_code == 204
    assert admin.call("GET", "/templates/restart").status_code == 404
    assert admin.call("GET", f"/runs/{shown['id']}").json()["template"] == "restart"


def test_what_is_wrong_is_a_problem_with_its_place(admin: ApiClient) -> None:
    wrong = {"definition": {**DEFINITION, "work": {"command": "echo {{ service }}"}}}
    problem = problem_of(admin.call("PUT", "/templates/restart", wrong), 422, "bad_input")
    assert '"$service"' in problem["hint"]
    admin.call("PUT", "/templates/restart", {"definition": DEFINITION})
    body = {"values": {"service": "nginx", "lines": "many"}, "query": "type:host"}
    assert problem_of(admin.call("POST", "/templates/restart/run", body), 422, "bad_input")["field"] == "lines"


def test_the_library_is_taken(admin: ApiClient) -> None:
    rows = admin.call("GET", "/templates/library").json()["items"]
    assert ("patch", False) in [(row["name"], row["is_taken"]) for row in rows]
    assert admin.call("POST", "/templates/library/patch").json()["version"] == 1
    rows = admin.call("GET", "/templates/library").json()["items"]
    assert ("patch", True) in [(row["name"], row["is_taken"]) for row in rows]
    assert admin.call("POST", "/templates/library/none").status_code == 404


def test_who_may_not_run_starts_nothing(admin: ApiClient, token_client: Callable[..., ApiClient]) -> None:
    admin.call("PUT", "/templates/restart", {"definition": DEFINITION})
    viewer, operator = token_client("viewer", name="viewer"), token_client("operator", name="operator")
    body = {"values": {"service": "nginx"}, "query": "type:host"}
    assert viewer.call("POST", "/templates/restart/run", body).status_code == 403
    assert viewer.call("PUT", "/templates/restart", {"definition": DEFINITION}).status_code == 403
    assert viewer.call("GET", "/templates").status_code == 403
    assert operator.call("PUT", "/templates/restart", {"definition": DEFINITION}).status_code == 200


def test_only_who_may_change_it_sees_values_of_variables(token_client: Callable[..., ApiClient]) -> None:
    set_role(SYSTEM, "looks", verbs=["jobs.view"])
    definition = {"title": "Backup", "work": {"command": "id", "environment": {"DB": "hunter2"}}}
    token_client("operator", name="makes").call("PUT", "/templates/backup", {"definition": definition})
    seen = {name: token_client(name, name=name).call("GET", "/templates/backup") for name in ("operator", "looks")}
    assert seen["operator"].json()["definition"] == definition
    assert seen["looks"].json()["definition"]["work"] == {"command": "id", "environment": {"DB": "********"}}
