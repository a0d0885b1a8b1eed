"""The page of lines and its parts, and the API: what is shown, what stays text, what is said when nothing is."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client
from tests.logs.lines import ago, found, line, load
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.core.clock import now
from quarterdeck.logs.models import SavedSearch

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
HOSTILE = '<script>alert(1)</script> "x" \x1b[31mred\x1b]0;title\x07'


@pytest.fixture(autouse=True)
def _empty(logs: Engine) -> None:
    return


@pytest.fixture
def browser(owner_user: User) -> Client:
    return signed_in(owner_user)


def text_of(browser: Client, address: str, status: int = 200) -> str:
    answer = browser.get(address)
    assert answer.status_code == status, answer.content[:2000]
    return answer.content.decode()


def test_an_empty_page_tells_the_next_step(browser: Client) -> None:
    assert "Connect a sender" in text_of(browser, "/logs")
    assert "All lines" in text_of(browser, "/logs?q=nothing")
    assert "No log lines" in text_of(browser, "/logs/patterns")
    assert "接入发送方" in browser.get("/logs", headers={"accept-language": "zh-hans"}).content.decode()


def test_rows_unfold_to_every_field_and_stay_text(browser: Client) -> None:
    load(
        line(
            HOSTILE, service="<b>shop", level="error", trace_id="ab" * 16, attributes={"a.b": HOSTILE, "bad name": "1"}
        )
    )
    page = text_of(browser, "/logs")
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "&lt;b&gt;shop" in page
    address = page.partition('hx-get="/logs/lines/')[2].partition('"')[0].replace("&amp;", "&")
    detail = text_of(browser, f"/logs/lines/{address}")
    assert "<script>" not in detail
    assert "a.b" in detail
    assert "trace%3A" + "ab" * 16 in detail
    around = text_of(browser, f"/logs/lines/{address.partition('?')[0]}/context")
    assert 'aria-current="true"' in around
    assert browser.get("/logs/lines/1/00").status_code == 404


def test_only_and_without_narrow_the_query(browser: Client) -> None:
    load(line("one", attributes={"user": 'a "b" \\c'}), line("two", attributes={"user": "d"}))
    facets = text_of(browser, "/logs/facets")
    addresses = [part.partition('"')[0].replace("&amp;", "&") for part in facets.split('href="')[1:]]
    chosen = next(address for address in addresses if "user" in address and "%5C" in address)
    page = text_of(browser, f"/logs{chosen}")
    assert ">one<" in page
    assert ">two<" not in page
    assert "Has it" in text_of(browser, "/logs/statistics?field=user")


def test_a_wrong_query_is_shown_with_its_place(browser: Client) -> None:
    page = text_of(browser, "/logs?q=level:eror", 400)
    assert "did you mean" in page.lower()
    assert "<mark>" in page
    assert browser.get("/logs/histogram?q=level:eror").status_code == 400


def test_a_window_in_the_address_bounds_the_lines(browser: Client) -> None:
    load(line("early", ago(minutes=50)), line("late", ago(minutes=5)))
    at = now()
    since, until = (int((at - timedelta(minutes=n)).timestamp() * 1000) for n in (55, 45))
    page = text_of(browser, f"/logs?since={since}&until={until}")
    assert ">early<" in page
    assert ">late<" not in page
    bars = json.loads(text_of(browser, f"/logs/histogram?since={since}&until={until}"))
    assert bars["total"] == 1
    assert ">late<" in text_of(browser, "/logs?since=5&until=4")


def test_completion_knows_fields_and_values(browser: Client) -> None:
    load(line("x", service="shop", attributes={"status": "500"}))
    ask = lambda text: [one["text"] for one in browser.get("/logs/completions", {"text": text}).json()]  # noqa: E731
    assert ask("sta") == ["status:"]
    assert ask("a service:sh") == ["shop"]
    assert ask("-level:>=war") == ["warning"]
    assert ask("status:") == ["500"]


def test_views_are_kept_shared_and_deleted(browser: Client, teammate_user: User) -> None:
    answer = browser.post("/logs/views", {"title": "Mine", "q": "level:error", "columns": "host,status", "shared": "1"})
    assert "q=level%3Aerror" in answer["Location"]
    assert "Mine" in text_of(browser, "/logs")
    other = signed_in(teammate_user)
    assert "Mine" in text_of(other, "/logs")
    view = SavedSearch.objects.get()
    assert browser.post("/logs/views", {"title": "Bad", "q": "level:eror"}).status_code == 400
    assert browser.post(f"/logs/views/{view.pk}/delete").status_code == 302
    assert not SavedSearch.objects.exists()


def test_patterns_lead_to_their_lines(browser: Client) -> None:
    load(*[line(f"order {number} failed for user {number}", ago(seconds=number)) for number in range(1, 9)])
    page = text_of(browser, "/logs/patterns?order=new")
    assert "order &lt;num&gt; failed for user &lt;num&gt;" in page
    address = page.partition('class="qd-line" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert text_of(browser, address).count("failed for user") == 8


def test_the_api_answers_each_question(browser: Client) -> None:
    load(
        *[line(f"order {number} failed", ago(seconds=number), level="error", service="shop") for number in range(1, 9)]
    )
    get = lambda path, **query: browser.get(f"/api/v1{path}", query).json()  # noqa: E731
    first = get("/logs", q="service:shop", limit=5)
    assert [row["message"] for row in first["items"]] == [f"order {n} failed" for n in range(1, 6)]
    second = get("/logs", q="service:shop", limit=5, after=first["next"])
    assert [row["message"] for row in second["items"]] == [f"order {n} failed" for n in range(6, 9)]
    assert second["next"] is None
    assert get("/logs/histogram")["total"] == 8
    assert get("/logs/facets")["items"][0] == {
        "field": "level",
        "is_sampled": False,
        "values": [{"value": "error", "count": 8}],
    }
    assert get("/logs/statistics", field="service")["present"] == 8
    row = first["items"][2]
    context = get("/logs/context", ts_ns=row["ts_ns"], id=row["id"], limit=1)
    assert (context["before"][0]["message"], context["after"][0]["message"]) == ("order 4 failed", "order 2 failed")
    assert get("/logs/patterns")["items"][0]["template"] == "order <num> failed"
    assert browser.get("/api/v1/logs", {"q": "level:x"}).json()["code"] == "bad_query"
    assert browser.get("/api/v1/logs/tail", {"q": "level:x"}).status_code == 400
    assert len(found("service:shop")) == 8


def changing() -> None:
    for minutes, zone, word in ((90, "old<b>", "cache hit"), (30, 'new "zone" OR x', "card declined")):
        load(*[line(f"{word} {n}", ago(minutes=minutes, seconds=n), attributes={"zone": zone}) for n in range(20)])


def test_what_changed_shows_both_times_and_narrows_the_query(browser: Client) -> None:
    assert "No log lines" in text_of(browser, "/logs/changed")
    changing()
    page = text_of(browser, "/logs/changed?q=source:otlp+OR+x")
    assert "20 in the same length of time before" in page
    assert "old&lt;b&gt;" in page
    assert page.count("<progress") == 8
    addresses = [part.partition('"')[0].replace("&amp;", "&") for part in page.split('qd-line" href="')[1:]]
    chosen = next(address for address in addresses if "zone" in address and "new" in address)
    assert text_of(browser, chosen).count("card declined") == 20
    chosen = next(address for address in addresses if "declined" in address)
    assert text_of(browser, chosen).count("card declined") == 20
    chinese = browser.get("/logs/changed", headers={"accept-language": "zh-hans"}).content.decode()
    assert "有何变化？" in chinese
    assert "One of the two times has no lines" in text_of(browser, "/logs/changed?q=card")
    assert "<mark>" in text_of(browser, "/logs/changed?q=level:eror", 400)


def test_the_api_answers_what_changed(browser: Client) -> None:
    changing()
    found = browser.get("/api/v1/logs/changed", {"q": "source:otlp"}).json()
    fields = found["fields"]
    assert (fields["now"], fields["before"], fields["is_sampled"], fields["is_cut"]) == (20, 20, False, False)
    assert [one["field"] for one in fields["fields"]] == ["zone"]
    values = {one["value"]: one for one in fields["fields"][0]["values"]}
    assert values['new "zone" OR x']["query"] == 'zone:"new \\"zone\\" OR x"'
    assert (values['new "zone" OR x']["is_new"], values["old<b>"]["is_gone"]) == (True, True)
    assert [(one["template"], one["now"], one["before"]) for one in found["patterns"]] == [
        ("cache hit <num>", 0, 20), ("card declined <num>", 20, 0),
    ]  # fmt: skip
    assert browser.get("/api/v1/logs/changed", {"q": "level:x"}).json()["code"] == "bad_query"
    assert browser.get("/api/v1/logs/changed", {"limit": 51}).status_code == 422


def test_metrics_are_made_changed_and_deleted(browser: Client, teammate_user: User) -> None:
    assert "No metrics of log lines yet" in text_of(browser, "/logs/metrics")
    form = {
        "name": "failures", "query": 'level:error "<script>alert(1)</script>"', "kind": "count",
        "labels": "service, status", "series_max": "50", "is_enabled": "on",
    }  # fmt: skip
    assert browser.post("/logs/metrics", form).status_code == 302
    page = text_of(browser, "/logs/metrics")
    assert "<script>alert" not in page
    assert "failures%3Acount1m" in page
    assert 'value="service,status"' in text_of(browser, "/logs/metrics?metric=failures")
    wrong = browser.post("/logs/metrics", form | {"query": "level:eror"})
    assert wrong.status_code == 422
    assert "did you mean" in wrong.content.decode().lower()
    assert "日志指标" in browser.get("/logs/metrics", headers={"accept-language": "zh-hans"}).content.decode()
    other = signed_in(teammate_user)
    assert "failures" in text_of(other, "/logs/metrics")
    assert other.post("/logs/metrics", form).status_code == 403
    assert other.post("/logs/metrics/failures/delete").status_code == 403
    assert browser.post("/logs/metrics/failures/backfill", {"hours": "3"}).status_code == 302
    assert browser.post("/logs/metrics/failures/backfill", {"hours": "x"}).status_code == 422
    assert browser.post("/logs/metrics/failures/delete").status_code == 302
    assert browser.get("/api/v1/logs/metrics").json()["items"] == []


def test_the_api_keeps_metrics(browser: Client) -> None:
    address = "/api/v1/logs/metrics/answer"
    body = {"kind": "distribution", "field": "ms", "unit": "milliseconds", "labels": ["path"], "query": "service:shop"}
    made = browser.put(address, body, content_type="application/json")
    assert made.status_code == 200, made.content
    assert made.json()["series"] == [f"answer_milliseconds:{one}1m" for one in ("count", "sum", "min", "max")]
    assert browser.get(address).json() == browser.get("/api/v1/logs/metrics").json()["items"][0]
    moved = browser.post(f"{address}/backfill", {"hours": 2}, content_type="application/json").json()
    assert moved["evaluated_until"] < now().isoformat()
    assert browser.put(address, {"kind": "rate"}, content_type="application/json").status_code == 422
    assert browser.delete(address).status_code == 204
    assert browser.get(address).status_code == 404
