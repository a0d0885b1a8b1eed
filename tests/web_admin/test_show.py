"""Pages show what they should, whatever is stored: nothing that people typed becomes markup, no secret is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client, RequestFactory, override_settings

from quarterdeck.access.actions import create_group, create_token, create_user, set_role
from quarterdeck.access.models import Role, Token, User
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.conf.options import Option, Setting
from quarterdeck.core.clock import now
from quarterdeck.inventory.actions import create_item, set_attribute, set_type
from quarterdeck.inventory.models import Import
from quarterdeck.web.audit.titles import TITLES
from quarterdeck.web.errors import server_error
from quarterdeck.web.settings.values import shown

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
LEFT_OVER = ("<script>alert(1)", "<img src=x")


def assert_harmless(client: Client, *addresses: str) -> None:
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 200, address
        page = answer.content.decode()
        assert not [text for text in LEFT_OVER if text in page], address
        assert "alert(1)" in page, f"{address} does not show the value at all"


def test_types_count_the_items_that_one_may_see(as_owner: Client, as_teammate: Client, owner: Actor) -> None:
    for name, env in (("a", "prod"), ("b", "test"), ("c", "test")):
        create_item(owner, "host", name, {"env": env})
    assert [client.get("/types/host").context["items"] for client in (as_owner, as_teammate)] == [3, 1]


def test_it_escapes_types_and_attributes(as_owner: Client, owner: Actor) -> None:
    titles = {"title_en": EVIL[:80], "title_zh": EVIL[:80], "description": EVIL}
    set_type(owner, {"code": "evil", "group": EVIL[:40], **titles})
    rules = {"unit": EVIL[:24], "authority": [EVIL], "default": EVIL}
    set_attribute(owner, "evil", {"code": "bad", "kind": "choice", "choices": [EVIL], **titles, **rules})
    edit = "/types/evil/attributes/bad"
    assert_harmless(as_owner, "/types", "/types/evil", "/types/evil/edit", edit, f"{edit}/remove")


def test_it_escapes_people_groups_roles_and_tokens(as_owner: Client, owner: Actor) -> None:
    user = create_user(owner, "mallory")
    User.objects.filter(pk=user.pk).update(first_name=EVIL, last_name=EVIL, email=EVIL, username=EVIL)
    group = create_group(owner, EVIL[:150])
    role = set_role(owner, "evil", verbs=["inventory.view"], query="", title=EVIL, description=EVIL)
    Role.objects.filter(pk=role.pk).update(query=EVIL)
    create_token(owner, EVIL, ["viewer"])
    assert_harmless(as_owner, "/access", f"/access/users/{user.pk}", "/access/groups", f"/access/groups/{group.pk}")
    assert_harmless(as_owner, "/access/roles", f"/access/roles/{role.pk}", "/access/tokens", "/me/tokens")
    preview = as_owner.get("/access/roles/preview", {"query": EVIL}).content.decode()
    assert not [text for text in LEFT_OVER if text in preview]


def test_it_escapes_the_audit_log(as_owner: Client, owner: Actor) -> None:
    evil = Actor(owner.kind, EVIL, owner.id, source_ip="::1", user_agent=EVIL, request_id=EVIL[:60])
    event = record(evil, EVIL[:60], (EVIL[:40], "1", EVIL), EVIL, before={EVIL: EVIL}, after={EVIL: 1}, error=EVIL)
    assert_harmless(as_owner, "/audit", f"/audit/{event.seq}", f"/audit?q={EVIL}")


def test_it_escapes_imports(as_owner: Client, owner: Actor) -> None:
    errors = [{"row": 1, "field": EVIL, "message": EVIL}]
    result = {"create": 1, "update": 0, "unchanged": 0, "errors": errors}
    values = {"file_name": EVIL, "file_path": "/nowhere", "format": "csv", "actor": owner.name, "created_at": now()}
    mine = {"actor_kind": owner.kind.value, "actor_id": owner.id}
    done = Import.objects.create(**values, **mine, phase="done", result=result)
    failed = Import.objects.create(**values, **mine, phase="failed", result={"message": EVIL, "hint": EVIL})
    assert_harmless(as_owner, "/imports", f"/imports/{done.pk}", f"/imports/{failed.pk}")
    text = as_owner.get(f"/imports/{done.pk}/errors.csv").content.decode()
    assert "row,field,message" in text


def test_it_shows_an_import_only_to_whoever_brought_it(as_owner: Client, teammate: Actor) -> None:
    values = {"file_name": "a.csv", "file_path": "/nowhere", "format": "csv", "created_at": now()}
    theirs = Import.objects.create(
        **values, actor=teammate.name, actor_kind=teammate.kind.value, actor_id=teammate.id, phase="done"
    )
    assert as_owner.get(f"/imports/{theirs.pk}").status_code == 404


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("postgresql://qd:hunter2@db:5432/qd?password=hunter2", "postgresql://••••@db:5432/qd"),
        ("hunter2", "••••••••"),
        ("redis://:hunter2@cache", "redis://••••@cache"),
        ("", ""),
    ],
)
def test_it_shows_of_a_secret_only_that_there_is_one(value: str, expected: str) -> None:
    assert shown(value, secret=True) == expected


def test_the_settings_page_shows_values_and_origins_but_no_secret(as_owner: Client) -> None:
    option = Option("broker_url", "", "Celery broker.", secret=True)
    values = {"broker_url": Setting(option, "amqp://user:hunter2@queue//", "environment")}
    with override_settings(QD_SETTINGS=values):
        page = as_owner.get("/settings").content.decode()
    assert "hunter2" not in page
    assert "QD_BROKER_URL" in page
    assert "environment" in page


def test_a_token_is_shown_once(as_owner: Client) -> None:
    made = as_owner.post("/access/tokens/new", {"name": "ci", "roles": ["viewer"], "days": "7"})
    page = made.content.decode()
    assert "qd_" in page
    assert made.headers["Cache-Control"] == "no-store"
    again = as_owner.get("/me/tokens").content.decode()
    assert Token.objects.get().name in again
    assert page.partition('value="qd_')[2].partition('"')[0] not in again


def test_every_verb_that_is_recorded_has_a_title(as_owner: Client, owner: Actor) -> None:
    source = Path(__file__).resolve().parents[2] / "src" / "quarterdeck"
    call = re.compile(r"\brecord\(\s*[\w.()' :\"]+,\s*\"([a-z_.]+)\"")
    found = {verb for path in source.rglob("*.py") for verb in call.findall(path.read_text(encoding="utf-8"))}
    assert len(found) > 30
    assert sorted(found - set(TITLES)) == []


@pytest.mark.parametrize(
    "address", ["/nowhere", "/types/nothing", "/audit/999999", "/access/users/999", "/imports/999"]
)
def test_it_answers_what_is_not_there_with_the_error_page(as_owner: Client, address: str) -> None:
    answer = as_owner.get(address)
    assert answer.status_code == 404
    assert "Status 404" in answer.content.decode()


def test_it_answers_a_bug_with_a_page_that_needs_no_database() -> None:
    page = server_error(RequestFactory().get("/types"))
    problem = server_error(RequestFactory().get("/api/v1/items"))
    assert (page.status_code, problem.status_code) == (500, 500)
    assert "qd-plain" in page.content.decode()
    assert problem.headers["Content-Type"] == "application/problem+json"


def test_verify_says_that_the_chain_is_whole(as_owner: Client, owner: Actor) -> None:
    record(owner, "inventory.update", None, "something")
    assert "qd-notice good" in as_owner.post("/audit/verify").content.decode()
    assert AuditEvent.objects.filter(verb="audit.verify").exists()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_it_exports_what_the_filters_select(as_owner: Client, owner: Actor, form: str) -> None:
    record(owner, "inventory.update", ("item", "1", "wanted"))
    record(owner, "inventory.create", ("item", "2", "other"))
    answer = as_owner.get(f"/audit/export.{form}?verb=inventory.update")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[arg-type]
    assert "wanted" in text
    assert "other" not in text


def test_a_wrong_query_keeps_what_was_typed(as_owner: Client) -> None:
    page = as_owner.get("/audit?q=actr:x").content.decode()
    assert 'value="actr:x"' in page
    assert "Did you mean" in page
