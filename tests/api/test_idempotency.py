"""`Idempotency-Key`: a write that is sent again happens once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.api.conftest import ApiClient, problem_of

from quarterdeck.api import idempotency, tasks
from quarterdeck.api.models import IdempotentAnswer
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.clock import now
from quarterdeck.inventory.models import Item

pytestmark = pytest.mark.django_db
BODY = {"type": "host", "name": "web1"}


def test_it_creates_once_and_repeats_the_answer(admin: ApiClient) -> None:
    first = admin.call("POST", "/items", BODY, Idempotency_Key="k1")
    again = admin.call("POST", "/items", BODY, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert (first["ETag"], first["Location"]) == (again["ETag"], again["Location"])
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Item.objects.filter(name="web1").count() == 1


def test_it_audits_once(admin: ApiClient) -> None:
    for _attempt in range(3):
        admin.call("POST", "/items", BODY, Idempotency_Key="k1")
    assert AuditEvent.objects.filter(verb="inventory.create").count() == 1


def test_it_rejects_the_key_for_another_body_or_address(admin: ApiClient) -> None:
    admin.call("POST", "/items", BODY, Idempotency_Key="k1")
    other = {**BODY, "name": "web2"}
    problem_of(admin.call("POST", "/items", other, Idempotency_Key="k1"), 409, "conflict")
    problem_of(admin.call("POST", "/items/trash", {"ids": [1]}, Idempotency_Key="k1"), 409, "conflict")
    assert not Item.objects.filter(name="web2").exists()


def test_it_keeps_callers_apart(admin: ApiClient, token_client: object) -> None:
    other = token_client("admin", name="other")  # type: ignore[operator]
    assert (
        admin.call("POST", "/items", BODY, Idempotency_Key="k1").json()["id"]
        != (other.call("POST", "/items", {**BODY, "name": "web2"}, Idempotency_Key="k1").json()["id"])
    )


def test_it_repeats_refusals_too(admin: ApiClient) -> None:
    first = admin.call("POST", "/items", {**BODY, "type": "nothing"}, Idempotency_Key="k1")
    again = admin.call("POST", "/items", {**BODY, "type": "nothing"}, Idempotency_Key="k1")
    assert first.status_code == again.status_code == 422
    assert again["Content-Type"] == "application/problem+json"


def test_it_forgets_answers_that_may_be_tried_again(admin: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from quarterdeck.api.routers import items

    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(items.actions, "create_item", broken)
        assert admin.call("POST", "/items", BODY, Idempotency_Key="k1").status_code == 500
    assert admin.call("POST", "/items", BODY, Idempotency_Key="k1").status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_it_rejects_keys_that_are_none(admin: ApiClient, key: str) -> None:
    problem_of(admin.call("POST", "/items", BODY, Idempotency_Key=key), 422, "bad_input")


def test_it_needs_a_caller(anonymous: ApiClient) -> None:
    problem_of(anonymous.call("POST", "/items", BODY, Idempotency_Key="k1"), 401, "unauthenticated")
    assert not IdempotentAnswer.objects.exists()


def test_it_ignores_the_key_on_reads(admin: ApiClient) -> None:
    admin.call("GET", "/items", Idempotency_Key="k1")
    assert not IdempotentAnswer.objects.exists()


def test_it_lets_a_key_be_used_again_after_a_day(admin: ApiClient) -> None:
    admin.call("POST", "/items", BODY, Idempotency_Key="k1")
    IdempotentAnswer.objects.update(created_at=now() - timedelta(hours=idempotency.KEPT_HOURS, minutes=1))
    response = admin.call("POST", "/items", {**BODY, "name": "web2"}, Idempotency_Key="k1")
    assert response.status_code == 201


def test_housekeeping_drops_old_answers_only(admin: ApiClient) -> None:
    admin.call("POST", "/items", BODY, Idempotency_Key="old")
    IdempotentAnswer.objects.update(created_at=now() - timedelta(hours=25))
    admin.call("POST", "/items", {**BODY, "name": "web2"}, Idempotency_Key="new")
    tasks.forget()
    assert list(IdempotentAnswer.objects.values_list("key", flat=True)) == ["new"]
