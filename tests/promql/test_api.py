"""Prometheus' HTTP API: its answers, its errors, and who may read what."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from tests.promql.judging import empty
from tests.telemetry.engines import Engine

from quarterdeck.access.models import User
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import Denied, TooMany
from quarterdeck.inventory.actions import create_item
from quarterdeck.monitoring import prometheus
from quarterdeck.telemetry import client
from quarterdeck.telemetry.actions import forget_series, write_samples
from quarterdeck.telemetry.canonical import MetricRow, frame_of_metrics
from quarterdeck.telemetry.loading import Origin, load
from quarterdeck.telemetry.promql.answering import Answer
from quarterdeck.telemetry.samples import Sample
from quarterdeck.telemetry.turns import RUNNING_MAX, WAITING_MAX, Turns

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
NOW = int(time.time()) // 60 * 60


@pytest.fixture
def filled(engine: Engine) -> Iterator[Engine]:
    """Two counters, `up`, and a label's value that would be SQL if it could."""
    empty()
    forget_series()
    nasty = "'); DROP TABLE samples; -- \\ {x:String}"
    rows = [
        MetricRow("http_requests_total", {"job": job}, [(1000 * (NOW - 600 + i * 15), float(i * n)) for i in range(41)])
        for job, n in (("a", 15), ("b", 30))
    ]
    rows.append(MetricRow("up", {"job": "a", "nasty": nasty}, [(1000 * (NOW - 15), 1.0)]))
    load([frame_of_metrics(rows)], Origin("rows", 0, NOW * 1000, {}), uuid4().hex)
    yield engine
    empty()


@pytest.fixture
def web(owner_user: User) -> Client:
    browser = Client()
    browser.force_login(owner_user)
    return browser


def get(web: Client, path: str, **parameters: Any) -> tuple[int, Any]:
    response = web.get(f"/prometheus/api/v1/{path}", parameters)
    assert response["Content-Type"] == "application/json"
    return response.status_code, response.json()


def test_it_answers_an_instant_query(web: Client, filled: Engine) -> None:
    status, found = get(web, "query", query="sum by (job) (increase(http_requests_total[10m]))", time=NOW)

    assert status == 200
    assert found == {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {"metric": {"job": "a"}, "value": [NOW, "600"]},
                {"metric": {"job": "b"}, "value": [NOW, "1200"]},
            ],
        },
    }


def test_it_answers_scalars_and_strings(web: Client, filled: Engine) -> None:
    assert get(web, "query", query="1 / 0", time="0.5")[1]["data"] == {"resultType": "scalar", "result": [0.5, "+Inf"]}
    assert get(web, "query", query='"a"', time="7")[1]["data"] == {"resultType": "string", "result": [7.0, "a"]}


def test_it_answers_a_range_query(web: Client, filled: Engine) -> None:
    bounds = {"start": NOW - 30, "end": NOW, "step": "15"}
    _status, found = get(web, "query_range", query='http_requests_total{job="a"} > 585', **bounds)

    assert found["data"]["resultType"] == "matrix"
    assert found["data"]["result"] == [
        {"metric": {"__name__": "http_requests_total", "job": "a"}, "values": [[NOW, "600"]]}
    ]


def test_it_takes_a_form(owner_user: User, filled: Engine) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner_user)
    form = {"query": "vector(3)", "time": str(NOW)}

    # A page of somebody else's may not ask in a person's name; a token needs no such proof.
    assert strict.post("/prometheus/api/v1/query", form).status_code == 403
    strict.get("/")
    sent = strict.post("/prometheus/api/v1/query", form, headers={"X-CSRFToken": strict.cookies["csrftoken"].value})
    assert sent.json()["data"]["result"][0]["value"] == [NOW, "3"]


@pytest.mark.parametrize(
    ("path", "parameters", "status", "kind", "words"),
    [
        ("query", {"query": "sum("}, 400, "bad_data", "parse error"),
        ("query", {"query": ""}, 400, "bad_data", "there is no query"),
        ("query", {"query": "up", "time": "yesterday"}, 400, "bad_data", 'invalid parameter "time"'),
        ("query", {"query": 'up{job=~"("}'}, 400, "bad_data", "regex"),
        ("query", {"query": "(" * 200 + "up" + ")" * 200}, 400, "bad_data", "nested too deeply"),
        ("query", {"query": "1" + "+1" * 49_000}, 400, "bad_data", "nested too deeply"),
        ("query", {"query": "-" * 50_000 + "up"}, 400, "bad_data", "nested too deeply"),
        ("query", {"query": "histogram_quantiles(up, 'q', 0.5)"}, 400, "bad_data", "not supported"),
        ("query_range", {"query": "up", "start": 0, "end": 10, "step": 0}, 400, "bad_data", "zero or negative"),
        ("query_range", {"query": "up", "start": 10, "end": 0, "step": 1}, 400, "bad_data", "must not be before"),
        ("query_range", {"query": "up", "start": 0, "end": 315_360_000, "step": 1}, 400, "bad_data", "11,000 points"),
        ("query_range", {"query": "'x'", "start": 0, "end": 10, "step": 1}, 422, "execution", "range query"),
        ("query_range", {"query": "up[5m]", "start": 0, "end": 10, "step": 1}, 400, "bad_data", "range vector"),
        ("query", {"query": "max_over_time(up[10y:1s])"}, 400, "bad_data", "the subquery has"),
        ("series", {}, 400, "bad_data", "no match[]"),
        ("series", {"match[]": "up + up"}, 400, "bad_data", "no selector"),
        ("series", {"match[]": "up", "limit": "-1"}, 400, "bad_data", "whole number"),
    ],
)  # fmt: skip
def test_it_says_what_is_wrong(
    web: Client, filled: Engine, path: str, parameters: dict[str, Any], status: int, kind: str, words: str
) -> None:
    found_status, found = get(web, path, **parameters)

    assert (found_status, found["status"], found["errorType"]) == (status, "error", kind)
    assert words in found["error"]


def test_it_refuses_matching_many_to_many(web: Client, filled: Engine) -> None:
    status, found = get(web, "query", query="up + on() http_requests_total", time=NOW)

    assert (status, found["errorType"]) == (422, "execution")
    assert "many-to-many matching not allowed" in found["error"]
    assert "DB::" not in found["error"]


def test_it_answers_what_there_is(web: Client, filled: Engine) -> None:
    assert get(web, "labels")[1]["data"] == ["__name__", "job", "nasty"]
    assert get(web, "label/job/values")[1]["data"] == ["a", "b"]
    assert get(web, "label/__name__/values", **{"match[]": '{job="b"}'})[1]["data"] == ["http_requests_total"]
    assert get(web, "series", **{"match[]": 'http_requests_total{job!="a"}'})[1]["data"] == [
        {"__name__": "http_requests_total", "job": "b"}
    ]
    assert get(web, "metadata")[1]["data"]["http_requests_total"][0]["type"] == "counter"
    assert get(web, "rules")[1]["data"] == {"groups": []}
    assert get(web, "alerts")[1]["data"] == {"alerts": []}
    assert get(web, "query_exemplars", query="up")[1]["data"] == []
    assert get(web, "status/buildinfo")[1]["data"]["application"] == "Quarterdeck"
    assert "rate(" in get(web, "format_query", query="sum(rate(x[5m]))")[1]["data"]


def test_no_text_of_a_query_becomes_sql(web: Client, filled: Engine) -> None:
    nasty = "'); DROP TABLE samples; -- \\\\ {x:String}"
    status, found = get(web, "query", query=f'up{{nasty="{nasty}"}}', time=NOW)
    assert (status, len(found["data"]["result"])) == (200, 1)

    for text in ("') OR 1=1 --", "\\'", "{p0:String}", "a' || file('/etc/passwd') || '", "`", "%00"):
        quoted = text.replace("\\", "\\\\")
        for query in (
            f'{{"{quoted}"="{quoted}"}}',
            f'sum by ("{quoted}") (up)',
            f'label_replace(up, "{quoted}", "{quoted}$1", "job", "(.*)")',
            f'label_join(up, "x", "{quoted}", "job", "{quoted}")',
            f'count_values("{quoted}", up)',
            f'up * on("{quoted}") group_left("{quoted}2") vector(1)',
            f'absent({{job="{quoted}",x="{quoted}"}})',
        ):
            status, found = get(web, "query", query=query, time=NOW)
            assert status == 200, (query, found)
    assert client.query("SELECT count() FROM samples")[0][0] == 83


@pytest.mark.parametrize(("operator", "most"), [(" + ", 16), (" or ", 32)])
def test_it_answers_the_longest_queries_that_it_takes(web: Client, filled: Engine, operator: str, most: int) -> None:
    status, found = get(web, "query", query=operator.join(["vector(1)"] * (most + 1)), time=NOW)
    assert (status, found["status"]) == (200, "success"), found

    status, found = get(web, "query", query=operator.join(["vector(1)"] * (most + 2)), time=NOW)
    assert (status, found["errorType"]) == (400, "bad_data")
    assert "too many operators between vectors" in found["error"]
    nested = "abs(" * 90 + "up" + ")" * 90
    assert get(web, "query", query=nested, time=NOW)[0] == 200


def test_regular_expressions_take_linear_time(web: Client, filled: Engine) -> None:
    started = time.monotonic()
    status, _found = get(web, "query", query='up{nasty=~"(a+)+(.*)*(b|b?)*c{0,999}$"}', time=NOW)

    assert status == 200
    assert time.monotonic() - started < 10


def test_it_needs_to_know_who_asks(filled: Engine) -> None:
    status, found = get(Client(), "query", query="up")

    assert (status, found["status"]) == (401, "error")


def test_people_see_only_series_of_their_items(owner: Actor, teammate: Actor, stranger: Actor, filled: Engine) -> None:
    mine = create_item(SYSTEM, "host", "web1", {"env": "prod"})
    other = create_item(SYSTEM, "host", "db1", {"env": "test"})
    from quarterdeck.core.clock import now

    write_samples([Sample("load", {"cpu": "0"}, item.pk, now(), float(item.pk)) for item in (mine, other)])

    def seen(actor: Actor, query: str) -> list[dict[str, str]]:
        answer = prometheus.instant(actor, query, round(time.time() * 1000)).answer()
        assert isinstance(answer, Answer)
        return [series.labels for series in answer.series]

    named = [{"__name__": "load", "cpu": "0", "item": name} for name in ("db1", "web1")]
    assert seen(owner, "load") == named
    assert seen(owner, 'load{item="db1"}') == named[:1]
    assert seen(teammate, "load") == named[1:]
    assert seen(teammate, '{__name__=~".+"}') == named[1:]
    assert seen(teammate, "load or up or http_requests_total") == named[1:]
    assert prometheus.label_values(teammate, "__name__").answer() == ["load"]
    assert prometheus.label_values(teammate, "item").answer() == ["web1"]
    with pytest.raises(Denied):
        prometheus.instant(stranger, "load", 0)


def test_one_caller_cannot_take_every_place() -> None:
    turns = Turns()
    with ThreadPoolExecutor(1000) as pool:

        def ask(_number: int) -> str:
            try:
                with turns.place("user:1"), turns.turn("user:1"):
                    time.sleep(0.05)
                    return "answered"
            except TooMany:
                return "refused"

        found = list(pool.map(ask, range(1000)))
    assert found.count("answered") >= RUNNING_MAX + WAITING_MAX
    assert found.count("refused") > 0
    with turns.place("user:2"), turns.turn("user:2"):
        pass


def test_a_query_that_takes_too_long_is_ended(owner: Actor, filled: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    heavy = "max_over_time(vector(time())[8y:5m])" + " + max_over_time(vector(time())[8y:5m])" * 3
    ask = prometheus.instant(owner, f"quantile_over_time(0.5, ({heavy})[30d:1m])", NOW * 1000)
    ask.stop()

    with pytest.raises(TooMany, match="cancelled"):
        ask.answer()
