"""Who may call what: a test generated over every operation of the API."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from tests.api.conftest import ApiClient, problem_of

from quarterdeck.access.models import User
from quarterdeck.api.main import api
from quarterdeck.audit.models import AuditEvent

pytestmark = pytest.mark.django_db

# What a caller without any role may know: who it is, and how the API is called.
OPEN_TO_ALL = {("GET", "/me")}


def operations() -> list[tuple[str, str]]:
    paths = api.get_openapi_schema(path_prefix="/api/v1/")["paths"]
    return [(method.upper(), path.removeprefix("/api/v1")) for path, methods in paths.items() for method in methods]


def address(path: str) -> str:
    return (
        re.sub(r"\{\w*id\}", "1", path)
        .replace("{slug}", "none")
        .replace("{code}", "host")
        .replace("{attribute}", "x")
        .replace("{seq}", "1")
        .replace("{name}", "none")
    )


OPERATIONS = operations()
WRITES = [one for one in OPERATIONS if one[0] != "GET"]
# A body that passes the shapes of each write, so that the right is what is asked next.
BODIES: dict[str, Any] = {
    "POST /items": {"type": "host", "name": "x"},
    "POST /items/bulk": {"query": "", "env": "x"},
    "POST /items/trash": {"query": ""},
    "POST /items/restore": {"query": ""},
    "POST /items/purge": {"query": ""},
    "POST /items/adopt": {"query": ""},
    "POST /items/ignore": {"query": ""},
    "POST /types/apply": {"yaml": "types: []"},
    "PUT /types/{code}": {"title_en": "x"},
    "PUT /types/{code}/attributes/{attribute}": {"title_en": "x"},
    "PUT /views/{slug}": {"title": "x"},
    "POST /tokens": {"name": "x", "roles": ["admin"]},
    "POST /credentials": {"name": "x", "kind": "password", "secret": {"password": "x"}},
    "PATCH /credentials/{name}": {"username": "x"},
    "DELETE /credentials/{name}": {},
    "POST /credentials/{name}/attachments": {"query": "type:host"},
    "DELETE /credentials/{name}/attachments/{attachment_id}": {},
    "POST /vault/rotate": {},
    "POST /hosts": {"names": ["x"]},
    "POST /hosts/facts": {"ids": [1]},
    "POST /host-keys/approve": {"ids": [1]},
    "POST /host-keys/refuse": {"ids": [1]},
    "POST /host-keys/forget": {"ids": [1]},
    "POST /host-keys/import": {"text": "x"},
    "PUT /templates/{slug}": {"definition": {"title": "x", "work": {"command": "true"}}},
    "POST /templates/library/{slug}": {},
    "PUT /schedules/{slug}": {"plan": {"work": {"command": "true"}, "query": "type:host", "every": "1h"}},
    "POST /sql": {"query": "SELECT 1"},
    "POST /intake/keys": {"name": "x"},
    "PATCH /intake/keys/{key_id}": {"name": "x"},
    "DELETE /intake/keys/{key_id}": {},
    "POST /intake/dead/retry": {"names": ["x"]},
    "POST /intake/dead/delete": {"names": ["x"]},
    "POST /errors/issues/resolve": {"ids": [1]},
    "POST /errors/issues/reopen": {"ids": [1]},
    "POST /errors/issues/ignore": {"ids": [1]},
    "POST /errors/issues/assign": {"ids": [1]},
    "POST /errors/issues/merge": {"ids": [1, 2]},
    "POST /errors/issues/{issue_id}/split": {"groups": ["1"]},
    "POST /errors/issues/{issue_id}/comments": {"text": "x"},
    "PUT /errors/owners/{project_id}": {"text": "path:x ann"},
    "PUT /errors/releases/commits": {"project": 1, "version": "x", "commits": []},
    "DELETE /errors/artifacts/{artifact_id}": {},
    "PUT /errors/rules/{name}": {"query": "x", "fingerprint": "x"},
    "DELETE /errors/rules/{name}": {},
    "PUT /intake/rules/{name}": {"pattern": "x"},
    "PATCH /intake/rules/{name}": {"enabled": False},
    "DELETE /intake/rules/{name}": {},
}


def test_there_are_operations() -> None:
    assert len(OPERATIONS) > 50
    assert len(WRITES) > 25


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_nobody_is_let_in_without_a_token(anonymous: ApiClient, method: str, path: str) -> None:
    response = anonymous.call(method, address(path), {})
    problem_of(response, 401, "unauthenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["", "x", "qd_" + "A" * 43, "\u00e9", "a b c", "x" * 8000])
def test_a_wrong_token_is_nobodys(anonymous: ApiClient, token: str) -> None:
    anonymous.token = token or " "
    problem_of(anonymous.call("GET", "/items"), 401, "unauthenticated")


@pytest.mark.parametrize(("method", "path"), [one for one in OPERATIONS if one not in OPEN_TO_ALL])
def test_a_caller_without_roles_gets_nothing(nobody: ApiClient, method: str, path: str) -> None:
    response = nobody.call(method, address(path), BODIES.get(f"{method} {path}", {}))
    if response.status_code == 200:
        assert method == "GET", "a write must not succeed"
        assert not list(_data(response.json())), response.content
    else:
        assert response.status_code in (403, 404, 415, 422), response.content
        assert response["Content-Type"] == "application/problem+json"


def _data(body: Any) -> list[Any]:
    """Return what is in an answer besides names of fields: counts that are not 0, and rows."""
    if isinstance(body, dict):
        # "all" is the group that every Ansible inventory has; its hosts stand in "_meta".
        frame = ("field", "version", "status", "processes", "all")
        inner = {name: value for name, value in body.items() if name not in frame}
        return [value for part in inner.values() for value in _data(part)]
    if isinstance(body, list):
        return [value for part in body for value in _data(part)]
    return [body] if body else []


@pytest.mark.parametrize("operation", [key for key in BODIES if key != "PUT /views/{slug}"])
def test_a_viewer_may_not_write_and_the_attempt_is_audited(viewer: ApiClient, operation: str) -> None:
    method, path = operation.split(" ")
    before = AuditEvent.objects.filter(result="denied").count()
    problem_of(viewer.call(method, address(path), BODIES[operation]), 403, "denied")
    denied = AuditEvent.objects.filter(result="denied")
    assert denied.count() == before + 1
    assert denied.order_by("seq").last().actor_name == "token:viewer"


@pytest.fixture
def person(db: None) -> Client:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(User.objects.create_user("ann"))
    return client


def test_a_session_may_read(person: Client) -> None:
    body = person.get("/api/v1/me").json()
    assert (body["kind"], body["name"]) == ("user", "ann")


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_session_must_prove_that_the_page_is_ours(person: Client, method: str, path: str) -> None:
    response = person.generic(method, f"/api/v1{address(path)}", b"{}", content_type="application/json")
    assert "X-CSRFToken" in problem_of(response, 403, "denied")["hint"]


def test_a_session_with_the_csrf_token_may_ask(person: Client) -> None:
    person.cookies["csrftoken"] = "a" * 32
    body = {"type": "host", "name": "x"}
    response = person.post("/api/v1/items", body, content_type="application/json", headers={"X-CSRFToken": "a" * 32})
    problem = problem_of(response, 403, "denied")
    assert "X-CSRFToken" not in problem["hint"], "it is a missing role by now"
