"""The pages of issues: what they show, that it stays text, and what their buttons do."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client
from tests.errors.making import ago, frame, issues, raised
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.errors.models import Issue

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
HOSTILE = '<script>alert(1)</script> "x" \x1b[31mred'


@pytest.fixture(autouse=True)
def _empty(errors: Engine) -> None:
    return


@pytest.fixture
def browser(owner_user: User) -> Client:
    return signed_in(owner_user)


def text_of(browser: Client, address: str, status: int = 200) -> str:
    answer = browser.get(address)
    assert answer.status_code == status, answer.content[:2000]
    return answer.content.decode()


def test_an_empty_page_tells_how_to_send_the_first_event(browser: Client, viewer_client: Client) -> None:
    page = text_of(browser, "/errors")
    assert "No errors yet" in page
    assert "sentry_sdk.init" in page
    assert "还没有错误" in browser.get("/errors", headers={"accept-language": "zh-hans"}).content.decode()
    assert "No errors yet" in text_of(viewer_client, "/errors")
    issues(raised(at=ago(hours=3)))
    assert "No issue in this time" in text_of(browser, "/errors")


@pytest.fixture
def viewer_client(db: None) -> Client:
    from tests.people import person

    from quarterdeck.access.models import Role

    return signed_in(person("viewer", Role.objects.get(name="viewer")))


def test_the_list_shows_and_narrows(browser: Client) -> None:
    issues(raised("ValueError", HOSTILE), raised("KeyError", level="fatal", user={"id": 1}))
    page = text_of(browser, "/errors")
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "KeyError" in page
    assert "ValueError" not in text_of(browser, "/errors?q=level:fatal")
    assert "<rect" in page
    wrong = text_of(browser, "/errors?q=is:unresolvd", 400)
    assert "did you mean" in wrong.lower()
    assert "<mark>" in wrong
    assert browser.get("/errors?sort=-first_seen").status_code == 200


def test_the_bar_changes_issues(browser: Client, owner_user: User) -> None:
    first, second = issues(raised(at=ago(minutes=9), release="shop@1"), raised("KeyError"))

    def change(operation: str, *ids: int, **more: str) -> Issue:
        sent = {"id": [str(pk) for pk in ids or (first.pk,)], "operation": operation, "next": "/errors?q=", **more}
        answer = browser.post("/errors/change", sent)
        assert (answer.status_code, answer["Location"]) == (302, "/errors?q=")
        return Issue.objects.get(pk=first.pk)

    assert change("resolve_next").resolved_in == "shop@1"
    assert change("resolve_in:shop@1").resolution == "in_release"
    assert change("reopen").state == "unresolved"
    assert change("ignore_100").ignored_count == 101
    assert change("ignore_24h").ignored_until is not None
    assert change("ignore_10_users").ignored_users == 10
    assert change("assign", assignee="owner").assignee == owner_user
    change("merge", first.pk, second.pk)
    assert Issue.objects.get(pk=second.pk).merged_into == first
    assert browser.post("/errors/change", {"id": [first.pk], "operation": "burn"}).status_code == 422
    assert browser.post("/errors/change", {"operation": "resolve"}).status_code == 422


def _full() -> dict[str, object]:
    calls = [frame("main", "runpy", in_app=False), frame("place", vars={"order": HOSTILE})]
    return raised(
        "OrderError",
        HOSTILE,
        exception={
            "values": [
                {"type": "KeyError", "value": "'sku'", "stacktrace": {"frames": [frame("look_up", "shop.stock")]}},
                {"type": "OrderError", "value": HOSTILE, "stacktrace": {"frames": calls},
                 "mechanism": {"type": "django", "handled": False}},
            ]
        },
        breadcrumbs={"values": [{"timestamp": ago(minutes=2).timestamp(), "category": "query", "message": HOSTILE}]},
        request={"method": "POST", "url": "https://shop.example/orders", "headers": [["Host", "shop.example"]],
                 "data": {"sku": HOSTILE}, "query_string": "a=1"},
        user={"id": "ann", "email": "ann@shop.example"},
        contexts={"runtime": {"name": "CPython", "version": "3.11"},
                  "trace": {"trace_id": "ab" * 16, "span_id": "c" * 16}},
        extra={"cart": {"items": 3}},
        modules={"django": "5.2"},
        release="shop@1.0",
    )  # fmt: skip


def test_an_issue_shows_everything_and_stays_text(browser: Client) -> None:
    [issue] = issues(_full())
    page = text_of(browser, f"/errors/{issue.pk}")
    assert "<script>alert" not in page
    assert "\x1b" not in page
    for shown in ("OrderError", "KeyError", "its cause", "shop.stock", "raise ValueError(order)", "Breadcrumbs",
                  "https://shop.example/orders", "ann@shop.example", "CPython", "cart.items", "shop@1.0", "unhandled",
                  "First seen in shop@1.0", "shop.orders:place", "django"):  # fmt: skip
        assert shown in page, shown
    assert page.index("OrderError") < page.index("look_up"), "what was not caught, then its cause"
    assert "ab" * 16 in page
    tags = text_of(browser, f"/errors/{issue.pk}/tags")
    assert "shop@1.0" in tags
    assert "100 %" in tags
    listed = text_of(browser, f"/errors/{issue.pk}/events")
    assert issue.latest_event in listed
    payload = browser.get(f"/errors/{issue.pk}/payload/{issue.latest_event}").json()
    assert payload["extra"] == {"cart": {"items": 3}}
    found = browser.get(f"/errors/events/{issue.latest_event}")
    assert found["Location"] == f"/errors/{issue.pk}?event={issue.latest_event}"
    assert browser.get(f"/errors/events/{'0' * 32}").status_code == 404
    assert browser.get(f"/errors/{issue.pk + 1}").status_code == 404


def test_one_event_leads_to_the_next(browser: Client) -> None:
    made = [raised(value=f"event {number}", at=ago(minutes=9 - number)) for number in range(3)]
    [issue] = issues(*made)
    page = text_of(browser, f"/errors/{issue.pk}?event={made[1]['event_id']}")
    assert f"?event={made[0]['event_id']}" in page
    assert f"?event={made[2]['event_id']}" in page
    assert "There is no such event" in text_of(browser, f"/errors/{issue.pk}?event={'0' * 32}")


def test_a_merged_number_leads_on_and_splits(browser: Client) -> None:
    first, second = issues(raised(at=ago(minutes=9)), raised("KeyError"))
    browser.post("/errors/change", {"id": [first.pk, second.pk], "operation": "merge"})
    assert browser.get(f"/errors/{second.pk}")["Location"] == f"/errors/{first.pk}"
    page = text_of(browser, f"/errors/{first.pk}")
    assert f"Took up #{second.pk}" in page
    groups = [part.partition('"')[0] for part in page.split('name="group" value="')[1:]]
    assert len(groups) == 2
    answer = browser.post(f"/errors/{first.pk}/split", {"group": groups[:1]})
    assert answer["Location"] == f"/errors/{second.pk}"
    browser.post(f"/errors/{first.pk}/comments", {"text": HOSTILE})
    page = text_of(browser, f"/errors/{first.pk}")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_events_of_any_shape_are_shown(browser: Client) -> None:
    odd: list[dict[str, object]] = [
        {"message": "plain"},
        {"exception": {"values": [{"type": 7, "value": {"a": [1]},
                                   "stacktrace": {"frames": ["x", {"lineno": "9" * 40}]}}]}},
        {"exception": [{"type": "A", "stacktrace": {"frames": [{"function": "f", "vars": [1], "context_line": 5}]}}]},
        {"threads": {"values": [{"crashed": True, "stacktrace": {"frames": [frame("crash")]}}]}},
        {"breadcrumbs": 5, "request": "GET", "contexts": [1], "user": "ann", "extra": None, "modules": []},
        {"breadcrumbs": {"values": [{"timestamp": "never", "data": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}}]}},
    ]  # fmt: skip
    made = issues(
        *({"event_id": uuid4().hex, "timestamp": ago(minutes=1).timestamp(), "message": f"odd {n}", **event}
          for n, event in enumerate(odd))
    )  # fmt: skip
    assert len(made) >= 4
    for issue in made:
        text_of(browser, f"/errors/{issue.pk}")


def test_a_viewer_sees_no_buttons(viewer_client: Client) -> None:
    [issue] = issues(raised())
    page = text_of(viewer_client, f"/errors/{issue.pk}")
    assert "ValueError" in page
    assert "/errors/change" not in page
    assert viewer_client.post("/errors/change", {"id": [issue.pk], "operation": "resolve"}).status_code == 403
