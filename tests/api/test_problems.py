"""Every error is a problem+json with a request id, whoever made it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.db import OperationalError
from tests.api.conftest import ApiClient, problem_of

from quarterdeck.api.routers import items

pytestmark = pytest.mark.django_db


def test_it_answers_unknown_addresses(admin: ApiClient) -> None:
    assert "openapi.json" in problem_of(admin.call("GET", "/nothing/here"), 404, "not_found")["hint"]


def test_it_answers_wrong_methods_with_the_allowed_ones(admin: ApiClient) -> None:
    response = admin.call("PUT", "/items")
    problem_of(response, 405, "method_not_allowed")
    assert {method.strip() for method in response["Allow"].split(",")} == {"GET", "POST"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b"\xff\xfe", 400, "bad_json"),
        (b'{"name": "\\ud800"}', 400, "bad_json"),
        (b'{"type": "host", "name": "a\\u0000b"}', 422, "bad_input"),
        (b"[]", 422, "bad_input"),
        (b"null", 422, "bad_input"),
        (b'"text"', 422, "bad_input"),
        (b"{}", 422, "bad_input"),
        (b'{"type": "host", "name": "x", "nmae": "y"}', 422, "bad_input"),
        (b'{"type": "host", "name": 7}', 422, "bad_input"),
        (b"[" * 100_000, 400, "bad_json"),
    ],
)
def test_it_rejects_bodies_that_are_wrong(admin: ApiClient, body: bytes, status: int, code: str) -> None:
    problem_of(admin.call("POST", "/items", body), status, code)


def test_it_points_at_every_wrong_field(admin: ApiClient) -> None:
    problem = problem_of(admin.call("POST", "/items", {"name": 7, "labels": {"a": 1}}), 422, "bad_input")
    pointers = {error["pointer"] for error in problem["errors"]}
    assert {"/type", "/name", "/labels/a"} <= pointers
    assert all(error["in"] == "body" and error["message"] for error in problem["errors"])


def test_it_points_at_wrong_parameters(admin: ApiClient) -> None:
    problem = problem_of(admin.call("GET", "/items?limit=0"), 422, "bad_input")
    assert (problem["errors"][0]["in"], problem["errors"][0]["pointer"]) == ("query", "/limit")


def test_it_rejects_other_media_types(admin: ApiClient) -> None:
    response = admin.generic(
        "POST", "/api/v1/items", b"a=1", content_type="text/plain", headers={"Authorization": f"Bearer {admin.token}"}
    )
    assert "application/json" in problem_of(response, 415, "unsupported_media_type")["hint"]


def test_it_tells_where_a_query_went_wrong(admin: ApiClient) -> None:
    problem = problem_of(admin.call("GET", "/items?q=nmae:web"), 400, "bad_query")
    assert "name" in problem["hint"]
    assert isinstance(problem["position"], int)


@pytest.mark.parametrize("query", ['"unbalanced', "(a", "a)", "type:", "x:>=", "%22%00", " OR ".join(["a"] * 20_000)])
def test_it_rejects_queries_that_do_not_parse(admin: ApiClient, query: str) -> None:
    response = admin.call("GET", f"/items?q={query.replace(' ', '+')}")
    assert response.status_code in (400, 414, 422), response.content
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/items/0", f"/items/{2**63}", "/items/999999999", "/types/nothing", "/views/nothing"]
)
def test_it_says_that_a_thing_does_not_exist(admin: ApiClient, path: str) -> None:
    response = admin.call("GET", path)
    assert response.status_code in (404, 422)
    assert response.json()["detail"]


def test_it_refuses_bodies_that_are_too_large_unread(admin: ApiClient) -> None:
    response = admin.call("POST", "/items", b" " * ((16 << 20) + 1))
    assert "at most 16 MB" in problem_of(response, 413, "too_large")["detail"]


def test_it_refuses_bodies_of_unknown_length(admin: ApiClient) -> None:
    headers = {"Authorization": f"Bearer {admin.token}", "Transfer-Encoding": "chunked"}
    response = admin.generic("POST", "/api/v1/items", b"", content_type="application/json", headers=headers)
    problem_of(response, 411, "length_required")


def test_a_bug_shows_no_traceback(
    admin: ApiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(items.queries, "items", broken)
    with caplog.at_level(logging.ERROR):
        response = admin.call("GET", "/items")
    problem = problem_of(response, 500, "bug")
    assert b"secret detail" not in response.content
    assert any(problem["request_id"] in record.getMessage() for record in caplog.records)


def test_a_busy_database_asks_to_come_back(admin: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*args: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(items.queries, "items", locked)
    response = admin.call("GET", "/items")
    problem_of(response, 503, "unavailable")
    assert int(response["Retry-After"]) > 0


def test_it_refuses_times_without_a_zone_and_forged_cursors(admin: ApiClient) -> None:
    token = {"name": "x", "roles": ["viewer"], "expires_at": "2099-01-01T00:00:00"}
    problem_of(admin.call("POST", "/tokens", token), 422, "bad_input")
    for cursor in ("2026-01-01T00:00:00~-5", "2026-01-01~x", "9999-12-31T23:59:59.999999Z~0"):
        problem_of(admin.call("GET", f"/timeline?after={cursor}"), 422, "bad_input")


def test_it_keeps_the_callers_request_id(admin: ApiClient) -> None:
    assert admin.call("GET", "/me", X_Request_ID="trace-0123456789")["X-Request-ID"] == "trace-0123456789"
    made = admin.call("GET", "/me", X_Request_ID="bad id\twith<html>")["X-Request-ID"]
    assert len(made) == 32


def test_it_answers_head_as_get(admin: ApiClient) -> None:
    assert admin.call("HEAD", "/items").status_code == 200


def test_it_compresses_large_answers(admin: ApiClient) -> None:
    response = admin.call("GET", "/openapi.json", Accept_Encoding="gzip")
    assert response["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in response["Vary"]
