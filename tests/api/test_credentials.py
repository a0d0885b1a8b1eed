"""Credentials over HTTP: no answer holds a secret, nor does what is kept for a repeated request."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.api.conftest import ApiClient, problem_of

from quarterdeck.api.models import IdempotentAnswer

pytestmark = pytest.mark.django_db
SECRET = "correct horse"
BODY = {"name": "lab", "kind": "password", "username": "ops", "secret": {"password": SECRET}}


def test_no_answer_holds_the_secret(admin: ApiClient) -> None:
    answers = [
        admin.call("POST", "/credentials", BODY, Idempotency_Key="once"),
        admin.call("POST", "/credentials", BODY, Idempotency_Key="once"),
        admin.call("POST", "/credentials", BODY),
        admin.call("POST", "/credentials", {**BODY, "name": "x", "kind": "ssh_key"}),
        admin.call("POST", "/credentials", {**BODY, "secret": {"password": SECRET, "other": SECRET}}),
        admin.call("POST", "/credentials", {**BODY, "name": "y", "secret": {"private_key": SECRET}, "kind": "ssh_key"}),
        admin.call("PATCH", "/credentials/lab", {"secret": {"password": SECRET}}),
        admin.call("GET", "/credentials/lab"),
        admin.call("GET", "/credentials"),
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 409, 422, 422, 422, 200, 200, 200]
    assert not [answer for answer in answers if SECRET in answer.content.decode()]
    assert SECRET not in str(IdempotentAnswer.objects.values())


def test_which_credentials_are_in_force_on_an_item(admin: ApiClient) -> None:
    admin.call("POST", "/credentials", BODY)
    host = admin.call("POST", "/items", {"type": "host", "name": "web1", "env": "prod"}).json()["id"]
    assert admin.call("GET", f"/items/{host}/credentials").json() == {"sign_in": None, "become": None}
    admin.call("POST", "/credentials/lab/attachments", {"query": "env:prod"})
    assert admin.call("GET", f"/items/{host}/credentials").json() == {"sign_in": "lab", "become": None}


def test_an_operator_sees_credentials_and_does_not_change_them(
    token_client: Callable[..., ApiClient], admin: ApiClient
) -> None:
    operator = token_client("operator")
    admin.call("POST", "/credentials", BODY)
    assert [row["name"] for row in operator.call("GET", "/credentials").json()["items"]] == ["lab"]
    problem_of(operator.call("PATCH", "/credentials/lab", {"username": "root"}), 403, "denied")


def test_the_state_of_the_key_is_told(admin: ApiClient) -> None:
    admin.call("POST", "/credentials", BODY)
    state = admin.call("GET", "/vault").json()
    assert (state["credentials"], state["waiting"], state["lost"]) == (1, 0, 0)
    assert admin.call("POST", "/vault/rotate", {}).json() == {"rewrapped": 1, "forgotten": []}
