"""LogQL and Loki's HTTP API, as Grafana asks it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import Client
from tests.logs.lines import ago, line, load
from tests.telemetry.engines import Engine

from quarterdeck.access.models import User
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import BadInput, BadQuery, Denied
from quarterdeck.logs.logql import answering
from quarterdeck.logs.logql.meeting import Grid

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
NS = 1_000_000_000


@pytest.fixture(autouse=True)
def _filled(logs: Engine) -> None:
    began[0] = time.time_ns()
    load(
        line(
            '{"status": 500, "took": "120ms", "req": {"path": "/pay"}}', ago(seconds=50), service="shop", level="error"
        ),
        line('{"status": 200, "took": "1.5s", "req": {"path": "/"}}', ago(seconds=40), service="shop", level="info"),
        line('status=404 size=5KB msg="not found"', ago(seconds=30), service="pay", attributes={"k8s.pod": "p1"}),
        line("\x1b[31mplain\x1b[0m Timeout of db", ago(seconds=20), service="pay", host="web2"),
    )


def lines(query: str, actor: Actor = SYSTEM, **more: Any) -> list[str]:
    """Lines of the last hour, newest first."""
    now = time.time_ns()
    found = answering.lines(actor, query, now - 3600 * NS, now, limit=100, **more)
    pairs = sorted((pair for stream in found for pair in stream.values), reverse=True)
    return [text for _at, text in pairs]


began = [0]


def value(query: str, seconds: int = 0) -> dict[tuple[str, ...], float]:
    """{values of labels: number} when the lines were made: on a busy machine that may be some seconds ago."""
    at = began[0] // 1_000_000 - seconds * 1000
    return {
        tuple(one.labels.values()): one.values[0][1] for one in answering.numbers(SYSTEM, query, Grid(at, at, 1000))
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ('{service_name="shop"}', 2),
        ('{service=~"shop|pay", host!="web2"}', 3),
        ('{service_name=~"sh"}', 0),
        ('{service_name!~"sh.*"}', 2),
        ('{k8s_pod="p1"}', 1),
        ("{}", 4),
        ('{level="error"}', 1),
        ('{} |= "Timeout of db"', 1),
        ('{} |= "timeout of db"', 0),
        ('{} |= "imeout" != "pay"', 1),
        ('{} |~ "(?i)TIMEOUT|found"', 2),
        ('{} !~ "status"', 1),
        ('{} |= "plain" or "404"', 2),
        ("{} | json | status>=500", 1),
        ("{} | json | status=200 or status=500", 2),
        ('{} | json | req_path="/pay"', 1),
        ('{} | json | __error__="JSONParserErr"', 2),
        ('{} | json path="req.path" | path="/"', 1),
        ("{} | json | took > 1s", 1),
        ("{} | json | took <= 1s, status != 200", 1),
        ("{} | logfmt | size > 4KB", 1),
        ('{} | logfmt | msg="not found"', 1),
        ('{} | logfmt code="status" | code=404', 1),
        ('{} | regexp "status=(?P<code>[0-9]+)" | code="404"', 1),
        ('{} | pattern "status=<code> size=<_>" | code="404"', 1),
        ('{service_name="pay"} | label_format svc=service_name | svc="pay"', 2),
        ('{} | keep level | host="web1"', 0),
    ],
)
def test_stages_choose_lines(query: str, count: int) -> None:
    assert len(lines(query)) == count, query


def test_stages_change_lines() -> None:
    assert lines('{host="web2"} | decolorize') == ["plain Timeout of db"]
    assert lines('{} | json | status=500 | line_format "{{.status}} {{ .req_path }}"') == ["500 /pay"]
    now = time.time_ns()
    [stream] = answering.lines(SYSTEM, '{k8s_pod="p1"}', now - 3600 * NS, now, limit=1)
    assert stream.labels.items() >= {"service_name": "pay", "host": "web1", "k8s_pod": "p1", "source": "otlp"}.items()
    [oldest] = answering.lines(SYSTEM, "{}", now - 3600 * NS, now, limit=1, forward=True)
    assert oldest.labels["level"] == "error"


def test_numbers_are_made_of_lines() -> None:
    assert value("sum by (service_name) (count_over_time({}[1h]))") == {("shop",): 2, ("pay",): 2}
    assert value("sum(rate({}[100s]))") == {(): pytest.approx(0.04)}
    assert value('sum(count_over_time({} |= "status" [1h])) + 1') == {(): 4}
    assert value("max(count_over_time({}[1h]) * 2)") == {(): 2}
    assert value("count(count_over_time({}[1h]))") == {(): 4}
    assert value('sum(bytes_over_time({host="web2"}[1h]))') == {(): 28}
    assert value('sum_over_time({service_name="shop"} | json | unwrap status [1h]) by (service_name)') == {
        ("shop",): 700
    }
    assert value("max_over_time({} | json | unwrap duration(took) [1h]) by ()") == {(): 1.5}
    assert value("quantile_over_time(0.5, {} | json | unwrap status [1h]) by ()") == {(): 350}
    assert value("topk(1, sum by (host) (count_over_time({}[1h])))") == {("web1",): 3}
    assert value("sum by (host) (count_over_time({}[1h])) > 2") == {("web1",): 3}
    assert value("sum by (host) (count_over_time({}[1h])) > bool 2") == {("web1",): 1, ("web2",): 0}
    assert value('sum(count_over_time({level="error"}[1h])) / sum(count_over_time({}[1h]))') == {(): 0.25}
    assert value("vector(1)+vector(1)") == {(): 2}
    assert value("2 ^ 3 ^ 2 + 7 % 4 - -1") == {(): 516}
    assert value("2 < sum by (host) (count_over_time({}[1h]))") == {("web1",): 3}
    assert value("sum(count_over_time({}[1h] offset 35s))") == {(): 2}


BY_HOST = "sum by (host) (count_over_time({}[1h]))"
BY_BOTH = "sum by (host, service_name) (count_over_time({}[1h]))"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"{BY_HOST} and {BY_HOST} > 1", {("web1",): 3}),
        (f"{BY_HOST} unless {BY_HOST} > 1", {("web2",): 1}),
        (f"{BY_HOST} > 1 or {BY_HOST} * 10", {("web1",): 3, ("web2",): 10}),
        (f"{BY_HOST} > 1 or {BY_HOST} < 2 and {BY_HOST} > 5", {("web1",): 3}),
        (f"{BY_HOST} and on () vector(1)", {("web1",): 3, ("web2",): 1}),
        (f"{BY_HOST} and vector(1)", {}),
        (f"{BY_HOST} == {BY_HOST}", {("web1",): 3, ("web2",): 1}),
        (f"{BY_HOST} > {BY_HOST}", {}),
        (f"{BY_HOST} >= bool ({BY_HOST} * 0 + 2)", {("web1",): 1, ("web2",): 0}),
        (f"{BY_HOST} / on (host) {BY_HOST}", {("web1",): 1, ("web2",): 1}),
        (f"{BY_HOST} - ignoring (host) sum(count_over_time({{host='web2'}}[1h]))".replace("'", '"'), None),
        (
            f"{BY_BOTH} / on (host) group_left {BY_HOST}",
            {("web1", "pay"): 1 / 3, ("web1", "shop"): 2 / 3, ("web2", "pay"): 1},
        ),
        (
            f"{BY_HOST} * ignoring (service_name) group_right () {BY_BOTH}",
            {("web1", "pay"): 3, ("web1", "shop"): 6, ("web2", "pay"): 1},
        ),
        (
            f"{BY_HOST} * on (host) group_left (service_name) topk by (host) (1, {BY_BOTH})",
            {("web1", "shop"): 6, ("web2", "pay"): 1},
        ),
        (f"sum({BY_HOST} and {BY_HOST} > 1)", {(): 3}),
    ],
)
def test_series_meet_as_in_promql(query: str, found: dict[tuple[str, ...], float] | None) -> None:
    if found is None:
        with pytest.raises(BadInput, match="multiple matches"):
            value(query)
        return
    assert value(query) == {labels: pytest.approx(number) for labels, number in found.items()}


def test_series_meet_at_each_step() -> None:
    end = time.time_ns() // 1_000_000
    grid = Grid(end - 60_000, end, 10_000)
    errors, all_ = (f"sum(count_over_time({lines_of}[15s]))" for lines_of in ('{level="error"}', "{}"))
    counts = {query: dict(answering.numbers(SYSTEM, query, grid)[0].values) for query in (errors, all_)}
    both = [at for at in counts[errors] if at in counts[all_]]
    [share] = answering.numbers(SYSTEM, f"{errors} / {all_}", grid)
    assert both
    assert share.values == [(at, counts[errors][at] / counts[all_][at]) for at in both]
    [either] = answering.numbers(SYSTEM, f"{errors} or {all_}", grid)
    assert dict(either.values) == counts[all_] | counts[errors]


def test_windows_end_at_each_step() -> None:
    """The same as counting for each step by itself, also where step and range do not divide each other."""
    end = time.time_ns() // 1_000_000
    for step, range_ in ((10_000, "10s"), (7_000, "20s"), (25_000, "10s"), (30_000, "60s")):
        [one] = answering.numbers(SYSTEM, f"sum(count_over_time({{}}[{range_}]))", Grid(end - 100_000, end, step))
        query = f"sum(count_over_time({{}}[{range_}]))"
        single = {
            at: answering.numbers(SYSTEM, query, Grid(at, at, 1000)) for at in range(end - 100_000, end + 1, step)
        }
        assert one.values == [(at, found[0].values[0][1]) for at, found in single.items() if found]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "there is no query"),
        ('{a="b"', "parse error at line 1, col"),
        ('{} | line_format "{{ upper .x }}"', "not supported"),
        ('{} |~ "("', "regular expression"),
        ("sum_over_time({}[1m])", "unwrap"),
        ("rate({}[0s])", "empty"),
        ("{} " + '|= "a"' * 50, "too deeply"),
        ("(" * 200 + "1" + ")" * 200, "too deeply"),
        ("1 and 2", "between series"),
        ("vector(1) and vector(1) and 2", "between series"),
        ("vector(1) or on (a) group_left vector(1)", "no grouping"),
        ("vector(1) + bool vector(1)", "parse error"),
        (" + ".join(["vector(1)"] * 30), "too many operators"),
    ],
)
def test_what_is_wrong_is_said(query: str, said: str) -> None:
    with pytest.raises(BadQuery, match=said):
        lines(query) if query.startswith("{") or not query else value(query)


def test_only_those_who_may_read_lines_do(stranger: Actor) -> None:
    with pytest.raises(Denied):
        lines("{}", stranger)


class Asked:
    def __init__(self, browser: Client) -> None:
        self._browser = browser

    def __call__(self, path: str, **asked: Any) -> Any:
        return self._browser.get(f"/loki/api/v1/{path}", asked)


@pytest.fixture
def ask(owner_user: User) -> Asked:
    browser = Client()
    browser.force_login(owner_user)
    return Asked(browser)


def test_grafana_is_answered(ask: Asked) -> None:
    answer = ask("query_range", query='{service_name="shop"}', limit=1).json()
    assert (answer["status"], answer["data"]["resultType"]) == ("success", "streams")
    [stream] = answer["data"]["result"]
    assert stream["stream"]["service_name"] == "shop"
    assert "1.5s" in stream["values"][0][1]
    now = time.time()
    matrix = ask("query_range", query="sum(count_over_time({}[1h]))", start=now - 60, end=now, step="30s").json()
    assert matrix["data"]["result"][0]["values"][-1][1] == "4"
    assert ask("query", query="vector(1)+vector(1)").json()["data"]["result"][0]["value"][1] == "2"
    assert {"host", "service_name", "k8s_pod"} <= set(ask("labels").json()["data"])
    assert ask("label/host/values").json()["data"] == ["web1", "web2"]
    assert ask("label/host/values", query='{service_name="shop"}').json()["data"] == ["web1"]
    assert len(ask("series", **{"match[]": '{service_name="pay"}'}).json()["data"]) == 2
    assert ask("index/stats", query="{}").json()["entries"] == 4
    assert ask("status/buildinfo").json()["version"]


def test_wrong_requests_get_a_sentence(ask: Asked) -> None:
    for asked in ({"query": "{"}, {"query": "{}", "limit": "x"}, {"query": "{}", "start": "soon"},
                  {"query": "{}", "direction": "up"}, {"query": "{}", "limit": 100_000},
                  {"query": "rate({}[1m])", "step": "1ms", "since": "10h"}):  # fmt: skip
        answer = ask("query_range", **asked)
        assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain; charset=utf-8"), asked
        assert answer.content
    assert Client().get("/loki/api/v1/labels").status_code == 401
