"""Every kind of write over HTTP: it works, it is audited under the caller's name, and its errors are told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from tests.api.conftest import ApiClient, problem_of

from quarterdeck.access.models import Role, RoleBinding, User
from quarterdeck.audit.models import AuditEvent

pytestmark = pytest.mark.django_db

# Steps of one story: (method, address, body, status, verb in the audit log). {name} stands for an earlier answer's id.
STORY: list[tuple[str, str, Any, int, str, str]] = [
    ("POST", "/items", {"type": "host", "name": "web1"}, 201, "inventory.create", "web1"),
    ("POST", "/items", {"type": "host", "name": "web2"}, 201, "inventory.create", "web2"),
    ("PATCH", "/items/{web1}", {"env": "prod"}, 200, "inventory.update", ""),
    ("POST", "/items/bulk", {"query": "type:host", "owner": "ops"}, 200, "inventory.bulk_update", "bulk"),
    ("POST", "/changes/{bulk}/undo", {"untouched_only": False, "reason": "x"}, 200, "inventory.revert", ""),
    ("POST", "/relations", {"src": "{web1}", "dst": "{web2}", "type": "uses"}, 201, "inventory.relate", ""),
    ("POST", "/relations/remove", {"src": "{web1}", "dst": "{web2}", "type": "uses"}, 204, "inventory.unrelate", ""),
    ("POST", "/items/{web1}/timeline", {"kind": "deploy.finished", "title": "v2"}, 201, "inventory.event", ""),
    ("POST", "/merges", {"keep": "{web1}", "other": "{web2}"}, 201, "inventory.merge", "merge"),
    ("POST", "/merges/{merge}/undo", {}, 200, "inventory.unmerge", ""),
    ("POST", "/items/trash", {"ids": ["{web2}"]}, 200, "inventory.trash", ""),
    ("POST", "/items/restore", {"ids": ["{web2}"]}, 200, "inventory.restore", ""),
    ("DELETE", "/items/{web2}", None, 204, "inventory.trash", ""),
    ("POST", "/items/purge", {"ids": ["{web2}"]}, 200, "inventory.purge", ""),
    ("POST", "/items", {"type": "host", "name": "new1", "labels": {"claim": "unclaimed"}}, 201, "inventory.create", ""),
    ("POST", "/items/adopt", {"query": "name:new1"}, 200, "inventory.bulk_update", "adopted"),
    ("POST", "/changes/{adopted}/undo", {"untouched_only": False}, 200, "inventory.revert", ""),
    ("POST", "/items/ignore", {"query": ""}, 200, "inventory.trash", ""),
    ("PUT", "/types/printer", {"title_en": "Printer"}, 200, "", ""),
    ("PUT", "/types/printer/attributes/pages", {"title_en": "Pages", "kind": "integer"}, 200, "", ""),
    ("DELETE", "/types/printer/attributes/pages", None, 204, "", ""),
    ("DELETE", "/types/printer", None, 204, "", ""),
    ("PUT", "/views/mine", {"title": "Mine", "query": "type:host"}, 200, "", ""),
    ("DELETE", "/views/mine", None, 204, "", ""),
    ("PUT", "/roles/prod-viewer", {"verbs": ["inventory.view"], "query": "env:prod"}, 200, "access.set_role", ""),
    ("POST", "/users", {"username": "ann"}, 201, "access.create_user", "ann"),
    ("PUT", "/users/{ann}/roles/prod-viewer", None, 200, "access.bind_role", ""),
    ("POST", "/tokens", {"name": "ci", "roles": ["viewer"]}, 201, "access.create_token", "ci"),
    ("DELETE", "/tokens/{ci}", None, 204, "access.revoke_token", ""),
    (
        "POST",
        "/credentials",
        {"name": "lab", "kind": "password", "secret": {"password": "p"}},
        201,
        "credentials.create",
        "",
    ),
    ("PATCH", "/credentials/lab", {"username": "ops"}, 200, "credentials.update", ""),
    ("POST", "/credentials/lab/attachments", {"query": "type:host"}, 201, "credentials.attach", "attached"),
    ("POST", "/vault/rotate", {}, 200, "credentials.rotate", ""),
    ("DELETE", "/credentials/lab/attachments/{attached}", None, 204, "credentials.detach", ""),
    ("DELETE", "/credentials/lab", None, 204, "credentials.delete", ""),
]


def filled(value: Any, known: dict[str, int]) -> Any:
    if isinstance(value, dict):
        return {name: filled(inner, known) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, known) for inner in value]
    if isinstance(value, str) and value[:1] == "{" and value[1:-1] in known:
        return known[value[1:-1]]
    return value


def test_every_write_works_and_is_audited(admin: ApiClient) -> None:
    # Somebody must be left who may do everything whenever roles change.
    RoleBinding.objects.create(role=Role.objects.get(name="admin"), user=User.objects.create_user("root"))
    known: dict[str, int] = {}
    for method, path, body, status, verb, name in STORY:
        last = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
        for key, value in known.items():
            path = path.replace(f"{{{key}}}", str(value))
        response = admin.call(method, path, filled(body, known))
        assert response.status_code == status, (method, path, response.content)
        if name:
            known[name] = response.json().get("id") or response.json()["change_set"]
        events = AuditEvent.objects.filter(seq__gt=last, result="ok", actor_name="token:admin")
        assert events, f"{method} {path} left no record"
        assert {event.request_id for event in events} == {response["X-Request-ID"]}
        if verb:
            assert verb in {event.verb for event in events}, (method, path)


def upload(client: ApiClient, content: bytes, name: str = "hosts.csv", **fields: str) -> Any:
    file = SimpleUploadedFile(name, content)
    headers = {"Authorization": f"Bearer {client.token}"}
    return client.post("/api/v1/imports", {"file": file, "type": "host", **fields}, headers=headers)


def test_an_upload_waits_for_its_task(admin: ApiClient) -> None:
    response = upload(admin, b"name,env\nweb1,prod\n")
    started = response.json()
    assert response.status_code == 202, response.content
    assert (started["phase"], started["dry_run"], started["format"], started["key"]) == (
        "uploaded",
        True,
        "csv",
        "name",
    )
    assert admin.call("GET", f"/imports/{started['id']}").json() == started


def test_an_import_is_seen_by_its_uploader_only(admin: ApiClient, token_client: Any) -> None:
    started = upload(admin, b"name\nweb1\n").json()
    problem_of(token_client("admin", name="other").call("GET", f"/imports/{started['id']}"), 404, "not_found")


def test_an_upload_must_be_a_file_of_a_known_format(admin: ApiClient) -> None:
    problem_of(upload(admin, b"\x00\x01", "blob.bin"), 422, "bad_input")
    problem_of(upload(admin, b"name\n", format="cvs"), 422, "bad_input")
    problem_of(admin.call("POST", "/imports", {}), 422, "bad_input")


def test_an_upload_over_the_limit_is_refused_unread(admin: ApiClient, settings: Any) -> None:
    settings.QD = {**settings.QD, "upload_max_mb": 1}
    problem_of(upload(admin, b"x" * ((1 << 20) + 1)), 413, "too_large")


def test_types_go_out_and_in_unchanged(admin: ApiClient) -> None:
    text = admin.call("GET", "/types/export").content.decode()
    applied = admin.call("POST", "/types/apply", {"yaml": text})
    assert applied.status_code == 200, applied.content
    assert applied.json()["types"] > 20
    assert admin.call("GET", "/types/export").content.decode() == text
    problem_of(admin.call("POST", "/types/apply", {"yaml": "{"}), 422, "bad_input")


def test_a_new_token_works_until_it_is_revoked_and_is_not_kept(admin: ApiClient) -> None:
    body = {"name": "ci", "roles": ["viewer"]}
    response = admin.call("POST", "/tokens", body, Idempotency_Key="k1")
    made = response.json()
    assert response["Cache-Control"] == "no-store"
    other = ApiClient(made["token"])
    assert other.call("GET", "/me").json()["name"] == "token:ci"
    assert (
        "shown once" in problem_of(admin.call("POST", "/tokens", body, Idempotency_Key="k1"), 409, "conflict")["detail"]
    )
    listed = admin.call("GET", "/tokens")
    assert made["token"] not in listed.content.decode()
    assert admin.call("DELETE", f"/tokens/{made['id']}").status_code == 204
    problem_of(other.call("GET", "/me"), 401, "unauthenticated")


def test_nobody_gives_more_than_they_have(token_client: Any) -> None:
    operator = token_client("operator", name="operator")
    problem_of(operator.call("POST", "/tokens", {"name": "x", "roles": ["admin"]}), 403, "denied")


def test_secrets_of_settings_are_not_shown(admin: ApiClient) -> None:
    rows = {row["name"]: row for row in admin.call("GET", "/settings").json()["items"]}
    assert rows["database_url"]["value"] is None
    assert rows["database_url"]["is_secret"] is True
    assert rows["api_rate_per_minute"]["value"] == 600
    assert rows["data"]["origin"] == "environment"


def test_the_audit_log_is_read_exported_and_verified(admin: ApiClient) -> None:
    admin.call("POST", "/items", {"type": "host", "name": "web1"})
    [event] = admin.call("GET", "/audit?q=verb:inventory.create").json()["items"]
    assert (event["actor"]["name"], event["object"]["name"], event["after"]["name"]) == ("token:admin", "web1", "web1")
    assert admin.call("GET", f"/audit/{event['seq']}").json() == event
    exported = b"".join(admin.call("GET", "/audit/export").streaming_content)
    assert event in [json.loads(line) for line in exported.splitlines()]
    assert admin.call("POST", "/audit/verify").json()["ok"] is True
    first = admin.call("GET", "/audit?limit=1").json()
    assert (
        admin.call("GET", f"/audit?limit=1&after={first['next']}").json()["items"][0]["seq"] == int(first["next"]) - 1
    )


def test_roles_show_what_they_would_cover(admin: ApiClient) -> None:
    admin.call("POST", "/items", {"type": "host", "name": "web1", "env": "prod"})
    admin.call("POST", "/items", {"type": "host", "name": "web2", "env": "test"})
    preview = admin.call("GET", "/roles/preview?q=env:prod").json()
    assert (preview["count"], [item["name"] for item in preview["sample"]]) == (1, ["web1"])
    assert "inventory.view" in {verb["name"] for verb in admin.call("GET", "/verbs").json()["items"]}


def test_a_role_on_a_query_hides_the_rest(admin: ApiClient, token_client: Any) -> None:
    seen = admin.call("POST", "/items", {"type": "host", "name": "web1", "env": "prod"}).json()
    hidden = admin.call("POST", "/items", {"type": "host", "name": "web2", "env": "test"}).json()
    admin.call("PUT", "/roles/prod-editor", {"verbs": ["inventory.view", "inventory.edit"], "query": "env:prod"})
    limited = token_client("prod-editor", name="limited")
    assert [item["name"] for item in limited.call("GET", "/items").json()["items"]] == ["web1"]
    assert limited.call("PATCH", f"/items/{seen['id']}", {"owner": "ops"}).status_code == 200
    for path in ("", "/history", "/timeline", "/graph", "/relations", "/observations"):
        problem_of(limited.call("GET", f"/items/{hidden['id']}{path}"), 404, "not_found")
    problem_of(limited.call("PATCH", f"/items/{hidden['id']}", {"owner": "x"}), 404, "not_found")
    assert limited.call("PATCH", f"/items/{seen['id']}", {"env": "test"}).status_code == 403, "it would leave the scope"
