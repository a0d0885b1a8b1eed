"""Issues by the API: lists, one, its events, and what is done with them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from tests.errors.making import ago, issues, raised
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.models import User

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
_ROOT = "/api/v1/errors/issues"


@pytest.fixture(autouse=True)
def _empty(errors: Engine) -> None:
    return


@pytest.fixture
def browser(owner_user: User) -> Client:
    return signed_in(owner_user)


def _post(browser: Client, path: str, body: dict[str, Any], status: int = 200) -> Any:
    answer = browser.post(f"{_ROOT}{path}", body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_lists_come_in_pages(browser: Client) -> None:
    issues(*(raised(f"Error{number}", at=ago(minutes=number)) for number in range(1, 4)))
    first = browser.get(f"{_ROOT}?limit=2&q=is:unresolved").json()
    assert [row["type"] for row in first["items"]] == ["Error1", "Error2"]
    assert (first["items"][0]["window_events"], first["items"][0]["events"]) == (1, 1)
    second = browser.get(f"{_ROOT}?limit=2&q=is:unresolved&after={first['next']}").json()
    assert ([row["type"] for row in second["items"]], second["next"]) == (["Error3"], None)
    wrong = browser.get(f"{_ROOT}?q=is:opne")
    assert (wrong.status_code, wrong["Content-Type"]) == (400, "application/problem+json")
    assert browser.get(f"{_ROOT}?sort=title").status_code == 422


def test_an_issue_and_its_events(browser: Client) -> None:
    made = [raised(at=ago(minutes=number), release=f"shop@1.{number}", user={"id": number}) for number in (9, 6, 3)]
    [issue] = issues(*made)
    found = browser.get(f"{_ROOT}/{issue.pk}").json()
    assert (found["issue"]["events"], found["issue"]["users"]) == (3, 3)
    assert found["releases"] == ["shop@1.3", "shop@1.6", "shop@1.9"]
    assert [row["kind"] for row in found["activity"]] == ["first_seen"]
    event = browser.get(f"{_ROOT}/{issue.pk}/events/latest").json()
    assert event["event"]["event_id"] == made[2]["event_id"]
    assert (event["older"], event["newer"]) == (made[1]["event_id"], "")
    assert event["event"]["group"] == found["groups"][0]
    assert event["payload"]["exception"]["values"][0]["value"] == "no such order"
    rows = browser.get(f"{_ROOT}/{issue.pk}/events?limit=2").json()
    assert [row["release"] for row in rows["items"]] == ["shop@1.3", "shop@1.6"]
    tags = {row["name"]: row for row in browser.get(f"{_ROOT}/{issue.pk}/tags").json()["items"]}
    assert tags["service"]["values"] == [{"value": "shop", "count": 3}]
    assert browser.get(f"{_ROOT}/{issue.pk + 1}").status_code == 404
    assert browser.get(f"{_ROOT}/{issue.pk}/events/{'0' * 32}").status_code == 404


def test_what_is_done_by_the_api(browser: Client) -> None:
    first, second = issues(raised(at=ago(minutes=5)), raised("KeyError", release="1.0"))
    assert _post(browser, "/resolve", {"ids": [first.pk, second.pk]}) == {"changed": 2}
    assert browser.get(f"{_ROOT}/{first.pk}").json()["issue"]["state"] == "resolved"
    _post(browser, "/reopen", {"ids": [first.pk]})
    _post(browser, "/ignore", {"ids": [second.pk], "events": 5})
    assert browser.get(f"{_ROOT}/{second.pk}").json()["issue"]["ignored_events"] == 6
    _post(browser, "/assign", {"ids": [first.pk], "assignee": "owner"})
    _post(browser, f"/{first.pk}/comments", {"text": "ours"})
    merged = _post(browser, "/merge", {"ids": [first.pk, second.pk]})
    assert (merged["id"], merged["events"], merged["assignee"]) == (first.pk, 2, "owner")
    assert browser.get(f"{_ROOT}/{second.pk}").json()["issue"]["id"] == first.pk
    groups = browser.get(f"{_ROOT}/{first.pk}").json()["groups"]
    assert _post(browser, f"/{first.pk}/split", {"groups": groups[1:]})["id"] == second.pk
    _post(browser, "/resolve", {"ids": [999_999]}, 404)
    _post(browser, "/resolve", {"ids": []}, 422)
    _post(browser, "/ignore", {"ids": [first.pk], "until": "2020-01-01T00:00:00Z"}, 422)
    _post(browser, "/assign", {"ids": [first.pk], "assignee": "nobody-here"}, 422)


def test_a_stranger_gets_nothing(stranger_user: User) -> None:
    [issue] = issues(raised())
    browser = signed_in(stranger_user)
    assert browser.get(_ROOT).status_code == 403
    assert browser.get(f"{_ROOT}/{issue.pk}").status_code == 403
