"""Which labels' values changed a metric: as plain Python tells it of the same samples, whose series, and refusals."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Denied
from quarterdeck.inventory.actions import create_item
from quarterdeck.inventory.models import Item
from quarterdeck.monitoring import prometheus
from quarterdeck.telemetry.actions import write_samples
from quarterdeck.telemetry.differing import Difference, Share
from quarterdeck.telemetry.promql.changing import LabelDifferences
from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.samples import Sample

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
MINUTES = 32
STEP_SECONDS = 30
# Value of a series by its labels in either window, before scatter.
Values = Callable[[dict[str, str], bool], float | None]


@pytest.fixture
def web1(owner: Actor) -> Item:
    return create_item(owner, "host", "web1", {"env": "prod"})


@pytest.fixture
def lab1(owner: Actor) -> Item:
    return create_item(owner, "host", "lab1", {"env": "lab"})


@pytest.fixture
def at(telemetry: Engine) -> datetime:
    """The end of the windows, with no samples anywhere."""
    return now()


def written(at: datetime, item: Item, series: list[dict[str, str]], values: Values, *, scatter: float = 0.05) -> None:
    """Write a gauge `load` with two windows of samples for each series; a value None is no sample."""
    chance = random.Random(11)
    rows = []
    for labels in series:
        for index in range(2 * MINUTES * 60 // STEP_SECONDS):
            value = values(labels, index < MINUTES * 60 // STEP_SECONDS)
            if value is not None:
                moment = at - timedelta(seconds=index * STEP_SECONDS)
                rows.append(Sample("load", labels, item.pk, moment, value * chance.uniform(1 - scatter, 1 + scatter)))
    write_samples(rows)


def changed(at: datetime, query: str = "load", actor: Actor = SYSTEM, **more: Any) -> LabelDifferences:
    found = prometheus.changed(actor, query, at - timedelta(minutes=MINUTES), at, **more).answer()
    assert isinstance(found, LabelDifferences)
    return found


def label_of(found: LabelDifferences, name: str) -> Difference:
    return next(one for one in found.fields if one.field == name)


def value_of(found: LabelDifferences, label: str, text: str) -> Share:
    return next(one for one in label_of(found, label).values if one.text == text)


SERIES = [{"path": path, "status": status} for path in ("/a", "/b", "/c") for status in ("200", "500")]


def failing(labels: dict[str, str], is_now: bool) -> float:
    """Failures rise from 2 to 20 on each path; the rest stays at 40."""
    return 40 if labels["status"] == "200" else 20 if is_now else 2


def test_it_finds_the_label_whose_values_changed(at: datetime, web1: Item) -> None:
    written(at, web1, SERIES, failing)
    found = changed(at)
    assert (found.combine, found.series, found.compared) == ("sum", 6, 4)
    assert found.now == pytest.approx(180, rel=0.05)
    assert found.before == pytest.approx(126, rel=0.05)
    assert [one.field for one in found.fields] == ["status"]
    p, q = (60 / 180, 120 / 180), (6 / 126, 120 / 126)
    divergence = sum(
        (x * math.log2(2 * x / (x + y)) + y * math.log2(2 * y / (x + y))) / 2 for x, y in zip(p, q, strict=True)
    )
    assert found.fields[0].score == pytest.approx(divergence, rel=0.05)
    share = value_of(found, "status", "500")
    assert (share.now, share.before) == (pytest.approx(60, rel=0.05), pytest.approx(6, rel=0.05))
    assert (share.now_share, share.before_share) == (pytest.approx(p[0], abs=0.02), pytest.approx(q[0], abs=0.02))
    assert share.deviations > 3
    assert not share.is_new
    assert share.query == 'load{status="500"}'


def test_nothing_is_told_of_scatter(at: datetime, web1: Item) -> None:
    written(at, web1, SERIES, lambda _labels, _is_now: 10, scatter=0.5)
    assert changed(at).fields == []


def test_a_rise_of_all_series_alike_is_no_difference_between_them(at: datetime, web1: Item) -> None:
    written(at, web1, SERIES, lambda _labels, is_now: 30 if is_now else 10)
    found = changed(at)
    assert found.fields == []
    assert found.now == pytest.approx(180, rel=0.05)
    assert found.before == pytest.approx(60, rel=0.05)


def test_an_aggregation_and_a_factor_are_opened(at: datetime, web1: Item) -> None:
    written(at, web1, SERIES, failing)
    found = changed(at, "(100 * sum by (path) (load)) / 2")
    share = value_of(found, "status", "500")
    assert found.combine == "sum"
    assert share.now == pytest.approx(50 * 60, rel=0.05)
    assert share.query == '(100 * sum by (path) (load{status="500"})) / 2'
    mean = changed(at, "avg(load)")
    assert mean.combine == "mean"
    assert value_of(mean, "status", "500").now == pytest.approx(20, rel=0.05)
    assert changed(at, "max(load)", combine="sum").combine == "sum"


def test_series_that_come_and_go_are_told(at: datetime, web1: Item) -> None:
    def values(labels: dict[str, str], is_now: bool) -> float | None:
        return None if labels["version"] == ("1" if is_now else "2") else 10

    written(at, web1, [{"version": version} for version in ("1", "2")], values)
    found = changed(at, "count(load)")
    assert found.combine == "count"
    assert found.now == pytest.approx(1 + 4.5 / MINUTES, rel=0.02)
    assert found.before == 1
    one, two = (value_of(found, "version", text) for text in ("1", "2"))
    # The last sample before the border is looked back at for five minutes.
    assert one.now == pytest.approx(4.5 / MINUTES, rel=0.2)
    assert two.before == 0
    assert two.is_new
    assert not one.is_new
    assert not two.is_gone
    assert label_of(found, "version").score > 0.7


def test_what_was_nothing_everywhere_is_compared_with_equal_shares(at: datetime, web1: Item) -> None:
    series = [{"job": f"job{number}"} for number in range(4)]
    written(at, web1, series, lambda labels, is_now: 5 if is_now and labels["job"] == "job2" else 0)
    found = changed(at)
    assert [one.field for one in found.fields] == ["job"]
    share = value_of(found, "job", "job2")
    assert (share.now_share, share.before_share, share.before) == (1, 0, 0)
    assert not share.is_new


def test_series_without_the_label_are_a_value_of_their_own(at: datetime, web1: Item) -> None:
    series: list[dict[str, str]] = [{"disk": "a"}, {"disk": "a", "raid": "yes"}]
    written(at, web1, series, lambda labels, is_now: 90 if is_now and "raid" not in labels else 10)
    absent = next(one for one in label_of(changed(at), "raid").values if one.kind == "absent")
    assert absent.now == pytest.approx(90, rel=0.05)
    assert absent.query == 'load{raid=""}'


def test_many_values_are_one_beyond_the_largest(at: datetime, web1: Item) -> None:
    rows = []
    for number in range(260):
        for minutes, value in ((5, 100.0 if number == 0 else 1.0), (MINUTES + 5, 1.0)):
            labels = {"id": f"{number:03}"}
            rows += [Sample("load", labels, web1.pk, at - timedelta(minutes=minutes + 4 * k), value) for k in range(6)]
    write_samples(rows)
    found = label_of(changed(at), "id")
    assert (found.distinct, found.rest) == (260, 60)
    assert found.values[0].text == "000"
    assert found.values[0].now > 50


def test_each_person_compares_the_series_of_their_items(
    at: datetime, web1: Item, lab1: Item, owner: Actor, teammate: Actor, stranger: Actor
) -> None:
    written(at, web1, SERIES, failing)
    written(at, lab1, SERIES, failing)
    assert changed(at, actor=owner).series == 12
    found = changed(at, actor=teammate)
    assert found.series == 6
    assert found.now == pytest.approx(180, rel=0.05)
    with pytest.raises(Denied):
        changed(at, actor=stranger)


def test_items_are_a_label_as_well(at: datetime, web1: Item, lab1: Item) -> None:
    written(at, web1, SERIES, lambda _labels, _is_now: 10)
    written(at, lab1, SERIES, lambda _labels, is_now: 50 if is_now else 10)
    found = changed(at, "sum(load)")
    assert found.fields[0].field == "item"
    assert found.fields[0].values[0].query in ('sum(load{item="lab1"})', 'sum(load{item="web1"})')


@pytest.mark.parametrize("query", ["load[5m]", "1", "nothing(", "sum(", '"text"'])
def test_it_refuses_what_is_no_vector(at: datetime, query: str) -> None:
    with pytest.raises(BadExpression):
        changed(at, query)


@pytest.mark.parametrize("query", ["sum(rate(a[5m])) / sum(b)", "100 * (1 - sum(b) / sum by () (rate(a[5m])))"])
def test_it_says_what_to_compare_of_what_is_computed_from_totals(at: datetime, query: str) -> None:
    with pytest.raises(BadExpression, match="no labels") as refused:
        changed(at, query)
    said = str(refused.value.hint)
    assert "sum(b)" in said, said
    assert "sum(rate(a[5m]))" in said, said


def test_it_refuses_an_empty_range_and_an_unknown_way(at: datetime) -> None:
    with pytest.raises(BadInput, match="range is empty"):
        prometheus.changed(SYSTEM, "load", at, at)
    with pytest.raises(BadInput, match="combine"):
        changed(at, combine="median")


def test_nothing_is_found_where_nothing_is(at: datetime) -> None:
    found = changed(at)
    assert (found.series, found.now, found.before, found.fields) == (0, None, None, [])


def test_the_api_answers_it(at: datetime, web1: Item, owner_user: User) -> None:
    written(at, web1, SERIES, failing)
    asked = {"query": "sum(load)", "since": (at - timedelta(minutes=MINUTES)).isoformat(), "until": at.isoformat()}
    found = signed_in(owner_user).get("/api/v1/promql/changed", asked).json()
    assert (found["combine"], found["series"], found["compared"]) == ("sum", 6, 4)
    assert [one["label"] for one in found["labels"]] == ["status"]
    assert {one["value"]: one["query"] for one in found["labels"][0]["values"]} == {
        "200": 'sum(load{status="200"})',
        "500": 'sum(load{status="500"})',
    }
    problem = signed_in(owner_user).get("/api/v1/promql/changed", asked | {"query": "sum("})
    assert (problem.status_code, problem.headers["Content-Type"]) == (400, "application/problem+json")
    assert signed_in(owner_user).get("/api/v1/promql/changed", asked | {"combine": "median"}).status_code == 422


def test_the_page_shows_both_times_and_leads_on(at: datetime, web1: Item, owner_user: User) -> None:
    written(at, web1, SERIES, failing)
    until = int(at.timestamp() * 1000)
    asked = {"q": ["sum(load)", "load"], "since": until - MINUTES * 60_000, "until": until}
    browser = signed_in(owner_user)
    text = browser.get("/metrics/changed", asked).content.decode()
    assert "6 series make" in text
    assert "q=sum%28load%7Bstatus%3D%22500%22%7D%29&amp;q=load" in text
    assert f"/metrics/data?q=sum%28load%29&amp;since={until - 2 * MINUTES * 60_000}&amp;until={until}" in text
    second = browser.get("/metrics/changed", asked | {"of": 1}).content.decode()
    assert "q=sum%28load%29&amp;q=load%7Bstatus%3D%22500%22%7D" in second
    assert "There are 6 series" in browser.get("/metrics/changed", asked | {"combine": "count"}).content.decode()
    wrong = browser.get("/metrics/changed", {"q": "sum("})
    assert wrong.status_code == 400
    assert 'id="q0-error"' in wrong.content.decode()
    assert browser.get("/metrics/changed").status_code == 200
    drawn = browser.get("/metrics/data", {"q": "load", "since": until - 3_600_000, "until": until}).json()
    assert drawn["since"] == (until - 3_600_000) // 1000 * 1000
    assert (drawn["points"] - 1) * drawn["step"] <= 3_601_000
