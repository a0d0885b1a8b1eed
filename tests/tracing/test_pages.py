"""The pages and the API of traces and services, through the whole stack to the engine."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from django.test import Client
from tests.api.conftest import ApiClient
from tests.tracing.conftest import Load
from tests.tracing.making import START, load_logs, span, span_id, trace_id
from tests.web.conftest import signed_in

from quarterdeck.access.actions import create_token
from quarterdeck.access.models import User
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory.actions import add_event
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry.canonical import LogRow

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
HOSTILE = "<script>alert(1)</script>\x1b[31mred\u202e"
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt;"


@pytest.fixture
def as_owner(owner_user: User) -> Client:
    return signed_in(owner_user)


@pytest.fixture
def as_teammate(teammate_user: User) -> Client:
    return signed_in(teammate_user)


@pytest.fixture
def admin(db: None) -> ApiClient:
    return ApiClient(create_token(SYSTEM, "test", ["admin"])[1])


@pytest.fixture
def hostile(sent: Load) -> None:
    """A trace in which every text is hostile."""
    events = [(START, "exception", {"exception.type": HOSTILE, "exception.message": HOSTILE})]
    sent(
        span(1, 1, name=HOSTILE, service=HOSTILE, host="web1", version=HOSTILE, ms=900, is_error=True,
             status_message=HOSTILE, attributes={HOSTILE: HOSTILE}, resource={HOSTILE: HOSTILE}, events=events),
        *(span(1, 10 + n, 1, name="SELECT " + HOSTILE, service=HOSTILE, kind="client", at_ms=n * 10, ms=5,
               attributes={"db.system": HOSTILE, "db.query.text": f"SELECT '{HOSTILE}' FROM t WHERE id = {n}"})
          for n in range(6)),
        span(1, 2, 1, name="answer", service="other", host="web2", at_ms=100, ms=50),
    )  # fmt: skip
    load_logs(LogRow(START, HOSTILE, "other", "web2", level="error", trace_id=trace_id(1), span_id=span_id(1)))


def page(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    found = response.content.decode()
    assert response.status_code == status, found[:800]
    assert "<script>alert" not in found
    assert "\x1b" not in found
    return found


@pytest.mark.usefixtures("hostile")
def test_hostile_text_stays_text_on_every_page(as_owner: Client) -> None:
    for address in ("/traces", "/services", "/services/map", f"/services/{quote(HOSTILE)}", f"/traces/{trace_id(1)}"):
        assert SHOWN in page(as_owner, address), address
    details = page(as_owner, f"/traces/{trace_id(1)}/spans/{span_id(1)}?kind=server")
    assert details.count(SHOWN) >= 7
    for category in ("database", "cache", "queue", "external", "nonsense"):
        page(as_owner, f"/statements?category={category}")
    assert SHOWN in page(as_owner, "/statements")


@pytest.mark.usefixtures("hostile")
def test_a_trace_is_shown_with_hints_logs_and_its_critical_path(as_owner: Client) -> None:
    found = page(as_owner, f"/traces/{trace_id(1)}")
    for text in ("Repeated calls", "One after another", "Critical path by service", "Log lines", "900 ms"):
        assert text in found, text
    data = as_owner.get(f"/traces/{trace_id(1)}/spans").json()
    assert (len(data["spans"]), data["duration"]) == (8, 900_000)
    assert [row[:2] for row in data["spans"][:2]] == [[-1, 0], [0, 1]]
    assert data["services"][0] == HOSTILE
    assert sum(end - start for _span, start, end in data["critical"]) == 900_000


@pytest.mark.usefixtures("hostile")
def test_the_search_keeps_its_query_and_says_what_is_wrong_with_one(as_owner: Client) -> None:
    found = page(as_owner, "/traces?q=service:other")
    points = json.loads(found.partition('<script id="points" type="application/json">')[2].partition("</script>")[0])
    assert [(point[2], point[3], point[4]) for point in points] == [(False, trace_id(1), "other · answer")]
    assert "No trace matches" in page(as_owner, "/traces?q=service:nobody")
    assert "cannot be compared" in page(as_owner, "/traces?q=duration:%3Efast", 400)
    assert "There is no trace" in page(as_owner, f"/traces/{trace_id(77)}", 404).replace("there", "There")
    page(as_owner, "/traces/nonsense", 422)


def test_empty_pages_tell_the_next_step(as_owner: Client, sent: Load) -> None:
    for address, text in (
        ("/traces", "No traces in this time"), ("/services", "No service called"),
        ("/services/map", "No service called another"), ("/statements", "No such call"),
    ):  # fmt: skip
        found = page(as_owner, address)
        assert text in found
        assert "Connect a sender" in found


@pytest.mark.usefixtures("hostile")
def test_a_teammate_sees_the_services_of_their_items_only(as_teammate: Client) -> None:
    page(as_teammate, f"/traces/{trace_id(1)}", 404)
    Item.objects.filter(name="other").update(env="prod")
    found = page(as_teammate, "/services")
    assert "/services/other" in found
    assert SHOWN not in found
    assert SHOWN not in page(as_teammate, f"/traces/{trace_id(1)}").partition("Log lines")[0]
    page(as_teammate, f"/traces/{trace_id(1)}/spans/{span_id(1)}", 404)


def test_a_stranger_is_refused(stranger_user: User, sent: Load) -> None:
    for address in ("/traces", "/services", "/services/map", "/statements", f"/traces/{trace_id(1)}"):
        assert signed_in(stranger_user).get(address).status_code == 403


@pytest.mark.usefixtures("hostile")
def test_a_services_charts_and_links(as_owner: Client) -> None:
    found = page(as_owner, "/services/other")
    assert f'href="/items/{Item.objects.get(name="other").pk}"' in found
    assert quote('service:"other"', safe="") in found.replace("%3A", "%3A")
    rate = as_owner.get("/services/other/chart/rate?range=1h").json()
    assert max(value for _at, value in rate["series"][0]["points"]) == pytest.approx(1 / 60)
    assert as_owner.get("/services/other/chart/nonsense").status_code == 404
    assert as_owner.get("/services/nobody").status_code == 404
    drawn = as_owner.get("/services/map/graph").json()
    assert {node["name"] for node in drawn["nodes"]} == {HOSTILE, "other", HOSTILE}
    assert {node["name"]: node["url"] for node in drawn["nodes"]}["other"].startswith("/items/")


def test_deployments_and_changes_are_drawn_on_charts(as_owner: Client, sent: Load) -> None:
    sent(span(1, 1, service="other", version="2.0", ms=5))
    item = Item.objects.get(name="other")
    add_event(SYSTEM, item, "deploy.finished", HOSTILE, severity="warning", at=datetime.fromtimestamp(START / 1e9, UTC))
    for address in ("/services/other/chart/rate", f"/items/{item.pk}/requests/rate", f"/items/{item.pk}/charts/cpu"):
        marks = as_owner.get(f"{address}?range=1h").json()["marks"]
        assert [START / 1e6, "warning", HOSTILE] in marks, address
        assert "appeared" in {text for _at, _severity, text in marks}, address
        assert ("version 2.0" in {text for _at, _severity, text in marks}) is address.startswith("/services"), address
    marks = as_owner.get("/metrics/data?q=vector(1)&range=1h").json()["marks"]
    texts = {text for _at, _severity, text in marks}
    assert {"other: version 2.0", "other: appeared"} <= texts
    assert [START / 1e6, "warning", f"other: {HOSTILE}"[:200]] in marks
    assert as_owner.get("/metrics/data?q=vector(1)&range=1h&marks=off").json()["marks"] == []
    found = page(as_owner, f"/items/{item.pk}/requests?range=1h")
    assert 'href="/services/other"' in found
    assert 'href="/traces?q=service%3A%22other%22"' in found


@pytest.mark.usefixtures("hostile")
def test_the_api_answers_what_the_pages_show(admin: ApiClient) -> None:
    [row] = admin.call("GET", "/traces?q=service:other").json()["items"]
    assert (row["trace_id"], row["spans"], row["errors"], row["span_name"]) == (trace_id(1), 8, 1, "answer")
    trace = admin.call("GET", f"/traces/{trace_id(1)}").json()
    assert (len(trace["spans"]), trace["hints"][0]["count"], trace["spans"][0]["attributes"]) == (
        8,
        6,
        {HOSTILE: HOSTILE},
    )
    assert {one["name"]: one["count"] for one in admin.call("GET", "/services").json()["items"]} == {
        HOSTILE: 1,
        "other": 1,
    }
    service = admin.call("GET", "/services/other?step_seconds=300").json()
    assert (service["answered"]["count"], service["step_seconds"]) == (1, 300)
    assert service["edges"][0]["callee"] == "other"
    assert len(admin.call("GET", "/service-map").json()["edges"]) == 2
    assert admin.call("GET", "/statements").json()["items"][0]["count"] == 6
    assert admin.call("GET", "/traces?q=duration:%3Ex").status_code == 400
    assert admin.call("GET", "/traces?since=never").status_code == 422
    assert admin.call("GET", f"/traces/{trace_id(9)}").status_code == 404


def test_two_traces_are_compared_by_page_and_api(as_owner: Client, admin: ApiClient, sent: Load) -> None:
    sent(
        span(1, 1, ms=100, name=HOSTILE), span(1, 2, 1, at_ms=10, ms=20, name="sql"),
        span(2, 1, ms=400, name=HOSTILE), span(2, 2, 1, at_ms=10, ms=320, name="sql", is_error=True),
        span(2, 3, 1, at_ms=340, ms=20, name="mail"),
    )  # fmt: skip
    found = page(as_owner, f"/traces/compare?trace={trace_id(1)}&trace={trace_id(2)}")
    for text in (SHOWN, "+300 ms", "only in B", "Where the difference comes from"):
        assert text in found, text
    rows = admin.call("GET", f"/traces/{trace_id(1)}/compare/{trace_id(2)}").json()
    assert [(row["name"], row["difference_ns"] // 10**6) for row in rows["steps"]] == [
        (HOSTILE, -20), ("sql", 300), ("mail", 20),
    ]  # fmt: skip
    for asked in ("", f"?trace={trace_id(1)}", "?trace=a&trace=b&trace=c"):
        assert "Which two?" in page(as_owner, f"/traces/compare{asked}")
    page(as_owner, f"/traces/compare?trace={trace_id(1)}&trace={trace_id(9)}", 404)
    page(as_owner, f"/traces/compare?trace={trace_id(1)}&trace=nonsense", 422)


def test_the_outline_of_ten_thousand_spans_is_small(as_owner: Client, sent: Load) -> None:
    sent(*(span(5, n, n // 8, at_ms=n, ms=20_000 - n) for n in range(1, 10_001)))
    # The first page of a process imports them all.
    page(as_owner, f"/traces/{trace_id(77)}", 404)
    started = time.process_time()
    answer = as_owner.get(f"/traces/{trace_id(5)}/spans")
    assert len(answer.content) < 1_000_000
    assert len(answer.json()["spans"]) == 10_000
    assert time.process_time() - started < 2


@pytest.mark.usefixtures("sent")
def test_what_differs_shows_both_sides_and_narrows_the_query(as_owner: Client, sent: Load, admin: ApiClient) -> None:
    assert "No traces in this time" in page(as_owner, "/traces/changed")
    sent(
        *(span(n + 1, 1, at_ms=n, name=HOSTILE, is_error=True, attributes={"zone": HOSTILE}) for n in range(20)),
        *(span(n + 30, 1, at_ms=n, name="fine", attributes={"zone": "b"}) for n in range(20)),
    )
    shown = page(as_owner, "/traces/changed?q=status:error&against=rest")
    assert "20 spans are selected; they are compared with 20 others" in shown
    assert SHOWN in shown
    assert "<script>alert" not in shown
    addresses = [part.partition('"')[0].replace("&amp;", "&") for part in shown.split('qd-line" href="')[1:]]
    chosen = next(address for address in addresses if "attr.zone" in address)
    # The box has the query as it is, with what a terminal would obey.
    assert as_owner.get(chosen).content.decode().count('name="trace" value=') == 20
    assert "nothing to compare" in page(as_owner, "/traces/changed")
    assert "<mark>" in page(as_owner, "/traces/changed?q=kind:servr", 400)
    chinese = as_owner.get("/traces/changed?q=status:error&against=rest", headers={"accept-language": "zh-hans"})
    assert "有何变化？" in chinese.content.decode()
    found = admin.call("GET", "/traces/changed?q=status:error&against=rest").json()
    assert (found["against"], found["before_since"], found["fields"]["now"]) == ("rest", None, 20)
    assert {"status", "operation", "attr.zone"} <= {one["field"] for one in found["fields"]["fields"]}
    assert admin.call("GET", "/traces/changed?against=after").status_code == 422
