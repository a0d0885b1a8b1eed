"""The metrics explorer without an engine: its address, its guesses, its words."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from django.http import HttpRequest, QueryDict
from django.test import Client
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry.promql.narrowing import narrowed
from quarterdeck.telemetry.promql.parsing import parse
from quarterdeck.telemetry.promql.units import unit_of_expression
from quarterdeck.web.metrics.answers import Found, Grid, Line, full_name, short_names, statistics
from quarterdeck.web.metrics.exporting import as_csv
from quarterdeck.web.metrics.items import item_of, named_items
from quarterdeck.web.metrics.states import State, state_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("query", "unit"),
    [
        ("system_memory_usage_bytes", "bytes"),
        ("sum by (device) (rate(system_disk_io_bytes_total[5m]))", "bytes/s"),
        ("rate(http_requests_total[5m])", "/s"),
        ("rate(process_cpu_seconds_total[5m])", "ratio"),
        ("histogram_quantile(0.9, sum by (le) (rate(request_duration_seconds_bucket[5m])))", "seconds"),
        ("rate(request_duration_seconds_count[5m])", "/s"),
        ("used_bytes / size_bytes", "ratio"),
        ("used_bytes / size_bytes * 100", "percent"),
        ("used_bytes + free_bytes", "bytes"),
        ("used_bytes * wait_seconds", ""),
        ("used_bytes > 5", "bytes"),
        ("used_bytes > bool 5", ""),
        ("count(used_bytes)", ""),
        ("max_over_time(used_bytes[1h])", "bytes"),
        ("time() - last_seconds", "seconds"),
        ("increase(sent_bytes_total[1h])", "bytes"),
        ("-used_bytes", "bytes"),
        ("max_over_time(rate(sent_bytes_total[5m])[1h:])", "bytes/s"),
    ],
)
def test_it_guesses_units_from_names(query: str, unit: str) -> None:
    assert unit_of_expression(parse(query)) == unit


@pytest.mark.parametrize(
    ("query", "labels", "narrow"),
    [
        ("up", {"__name__": "up", "job": "a"}, 'up{job="a"}'),
        ("sum by (job) (rate(x[5m]))", {"job": "a"}, 'sum by (job) (rate(x{job="a"}[5m]))'),
        ('x{env="p"}', {"__name__": "x", "env": "p", "job": "a"}, 'x{job="a", env="p"}'),
        ("x / y", {"job": "a"}, 'x{job="a"} / y{job="a"}'),
        ('{job="a"}', {"__name__": "up", "job": "a"}, '{__name__="up", job="a"}'),
        ("up", {"__name__": "up", "p": 'a"b\\\n'}, 'up{p="a\\"b\\\\\\n"}'),
        ("up", {"__name__": "up", "k8s.pod": "a"}, 'up{"k8s.pod"="a"}'),
        ('up{job="a"}', {"__name__": "up", "job": "a"}, ""),
        ("x * on (a) group_left (b) y", {"a": "1", "b": "2"}, ""),
        ('label_replace(x, "b", "$1", "a", "(.*)")', {"a": "1", "b": "2"}, ""),
    ],
)
def test_it_narrows_a_query_to_a_series(query: str, labels: dict[str, str], narrow: str) -> None:
    assert narrowed(query, labels) == narrow


def test_all_of_the_state_stands_in_the_address() -> None:
    state = State(("up", 'x{a="&"}'), "heat", True, 30, "6h")
    request = HttpRequest()
    request.GET = QueryDict(state.parameters())
    assert state_of(request) == state
    assert state_of(HttpRequest()) == State(())


def test_what_is_wrong_in_an_address_is_as_usual() -> None:
    request = HttpRequest()
    request.GET = QueryDict("q=&q=%20&view=<b>&refresh=1&compare=no" + "&q=a" * 20)
    assert state_of(request) == State(("a",) * 6)


def test_series_are_named_by_what_differs() -> None:
    found = [{"__name__": "up", "job": "a", "env": "p"}, {"__name__": "up", "job": "b", "env": "p"}]
    assert short_names(found, "up") == ["job=a", "job=b"]
    assert short_names(found[:1], "up") == ["up"]
    assert full_name(found[0]) == 'up{job="a", env="p"}'


def test_statistics_leave_gaps_out() -> None:
    assert statistics([None, 1.0, None, 3.0, None]) == {"last": 3.0, "min": 1.0, "max": 3.0, "avg": 2.0}
    assert statistics([None]) == {"last": None, "min": None, "max": None, "avg": None}


def test_a_file_has_no_formulas_and_keeps_negative_numbers() -> None:
    line = Line(0, {"__name__": "=cmd|' /C calc'!A0"}, [-1.5, None], [2.0, 3.0])
    rows = list(csv.reader(StringIO(as_csv(State(("x",)), Found(Grid(60, 120, 60), [line], {}, {}, 0)).decode())))
    assert rows[0] == ["time", "'=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0, a week earlier"]
    assert rows[1] == ["1970-01-01T00:01:00+00:00", "-1.5", "2.0"]
    assert rows[2] == ["1970-01-01T00:02:00+00:00", "", "3.0"]


def test_a_series_leads_to_the_item_that_its_labels_name(owner: Actor, teammate: Actor, web1: Item, lab1: Item) -> None:
    labels = [{"item": "web1"}, {"instance": "lab1:9100"}, {"instance": "other:1"}]
    items = named_items(owner, labels)
    assert [item_of(one, items) for one in labels] == [web1, lab1, None]
    assert named_items(teammate, labels) == {"web1": web1}


def test_an_error_stands_under_its_box_in_both_languages(as_owner: Client) -> None:
    for language, words in (("en", "cannot be read at character 3"), ("zh-hans", "第 3 个字符")):
        as_owner.cookies["django_language"] = language
        found = as_owner.get("/metrics", {"q": ["up", "x y"]}).content.decode()
        assert words in found
        assert 'id="q1-error"' in found
        assert 'id="q0-error"' not in found
        assert "<mark>y</mark>" in found


def test_a_hostile_query_stays_text(as_owner: Client) -> None:
    found = as_owner.get("/metrics", {"q": '"><script>alert(1)</script>'}).content.decode()
    assert "<script>alert" not in found
    assert "&lt;script&gt;alert" in found


def test_a_range_that_is_chosen_replaces_the_one_of_a_shared_address(as_owner: Client) -> None:
    answer = as_owner.post("/shell/range", {"range": "6h", "next": "/metrics?q=up&range=1h&view=heat"})
    assert answer.headers["Location"] == "/metrics?q=up&view=heat"


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/metrics/data",
        "/metrics/completions",
        "/metrics/export.csv",
        "/metrics/fleet",
        "/metrics/fleet/data",
    ],
)
def test_nobody_gets_in_without_the_right(client: Client, stranger_user: User, path: str) -> None:
    assert client.get(path, {"q": "up"}).status_code == 302
    assert signed_in(stranger_user).get(path, {"q": "up"}).status_code == 403
