"""Callers of the API: a client with a token of each role, through the whole stack of middleware."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from quarterdeck.access.actions import create_token
from quarterdeck.access.models import Token
from quarterdeck.api import limits
from quarterdeck.audit.actor import SYSTEM

pytestmark = pytest.mark.django_db


class ApiClient(Client):
    """Speaks JSON to addresses below /api/v1, with a token when it has one."""

    def __init__(self, token: str = "", **settings: Any) -> None:
        super().__init__(raise_request_exception=False, **settings)
        self.token = token

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            given.setdefault("Authorization", f"Bearer {self.token}")
        content = {} if body is None else {"data": body, "content_type": "application/json"}
        return self.generic(method, f"/api/v1{path}", headers=given, **self._encoded(content))

    def _encoded(self, content: dict[str, Any]) -> dict[str, Any]:
        if content and not isinstance(content["data"], str | bytes):
            content["data"] = self._encode_json(content["data"], "application/json")
        return content


@pytest.fixture(autouse=True)
def _fresh_rates() -> Iterator[None]:
    limits.forget()
    yield
    limits.forget()


@pytest.fixture
def token_client(db: None) -> Callable[..., ApiClient]:
    def make(*roles: str, name: str = "test") -> ApiClient:
        _token, plain = create_token(SYSTEM, name, list(roles))
        return ApiClient(plain)

    return make


@pytest.fixture
def admin(token_client: Callable[..., ApiClient]) -> ApiClient:
    return token_client("admin", name="admin")


@pytest.fixture
def viewer(token_client: Callable[..., ApiClient]) -> ApiClient:
    return token_client("viewer", name="viewer")


@pytest.fixture
def nobody(token_client: Callable[..., ApiClient]) -> ApiClient:
    """A token whose roles were all taken away."""
    client = token_client("viewer", name="nobody")
    Token.objects.get(name="nobody").roles.clear()
    return client


@pytest.fixture
def anonymous(db: None) -> ApiClient:
    return ApiClient()


@pytest.fixture
def low_rate(settings: Any) -> Callable[[int], None]:
    def set_rate(per_minute: int) -> None:
        settings.QD = {**settings.QD, "api_rate_per_minute": per_minute}

    return set_rate


def problem_of(response: Any, status: int, code: str) -> dict[str, Any]:
    """Return the problem after checking that it is a well-formed one."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (problem["status"], problem["code"]) == (status, code), problem
    assert problem["type"] == f"urn:quarterdeck:problem:{code}"
    assert problem["detail"]
    assert problem["request_id"] == response["X-Request-ID"]
    assert b"Traceback" not in response.content
    return problem
