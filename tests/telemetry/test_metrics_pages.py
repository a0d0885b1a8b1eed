"""The metrics explorer through the whole stack to the engine: whose series, which values, what completes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.inventory.actions import create_item, update_item
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry.actions import write_samples
from quarterdeck.telemetry.samples import Sample

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture
def web1(owner: Actor) -> Item:
    return create_item(owner, "host", "web1", {"env": "prod"})


@pytest.fixture
def lab1(owner: Actor) -> Item:
    return create_item(owner, "host", "lab1", {"env": "lab"})


@pytest.fixture
def measured(telemetry: Engine, web1: Item, lab1: Item) -> None:
    """Two disks of each host: 10 and 30 bytes on web1, 100 and 300 on lab1; a week ago half of it on web1."""
    rows = []
    for item, factor, age in ((web1, 10, 0), (lab1, 100, 0), (web1, 5, 7)):
        for index in range(20):
            at = now() - timedelta(days=age, seconds=index * 15)
            for disk, times in (("a", 1), ("b", 3)):
                rows.append(Sample("disk_used_bytes", {"disk": disk}, item.pk, at, float(factor * times)))
    write_samples(rows)


def get(user: User, path: str, **parameters: Any) -> Any:
    response = signed_in(user).get(path, parameters)
    assert response.status_code == 200, response.content[:500]
    return response.json()


def test_each_person_sees_the_series_of_their_items(measured: None, owner_user: User, teammate_user: User) -> None:
    found = get(owner_user, "/metrics/data", q="sum by (item) (disk_used_bytes)", range="15m")
    assert [(one["name"], one["last"], one["unit"]) for one in found["series"]] == [
        ("item=lab1", 400, "bytes"),
        ("item=web1", 40, "bytes"),
    ]
    assert found["series"][1]["item"]["name"] == "web1"
    assert "web1" in found["series"][1]["narrow"]
    found = get(teammate_user, "/metrics/data", q="disk_used_bytes", range="15m")
    assert [one["last"] for one in found["series"]] == [10, 30]


def test_a_week_earlier_stands_beside_now(measured: None, owner_user: User, web1: Item) -> None:
    found = get(owner_user, "/metrics/data", q='sum(disk_used_bytes{item="web1"})', range="15m", compare="week")
    line = found["series"][0]
    assert len(line["values"]) == len(line["earlier"]) == found["points"]
    assert {value for value in line["values"] if value} == {40}
    assert {value for value in line["earlier"] if value} == {20}


def test_an_error_of_one_query_leaves_the_other(measured: None, owner_user: User) -> None:
    found = get(owner_user, "/metrics/data", q=["disk_used_bytes", "x y", "foo(x)"], range="15m")
    assert len(found["series"]) == 4
    assert [(one["query"], one["marked"] and one["marked"]["at"]) for one in found["errors"]] == [(1, "y"), (2, "foo")]


def test_a_fleet_has_a_row_for_each_item_of_the_selector(measured: None, owner_user: User, web1: Item) -> None:
    browser = signed_in(owner_user)
    address = "/metrics/fleet/data?metric=disk_used_bytes&range=15m"
    rows = browser.get(f"{address}&aggregate=max").json()["series"]
    assert [(row["name"], row["last"]) for row in rows] == [("lab1", 300), ("web1", 30)]
    browser.post("/shell/selector", {"selector": "env:prod", "next": "/"})
    rows = browser.get(address).json()["series"]
    assert [(row["name"], row["last"]) for row in rows] == [("web1", 20)]


def test_a_fleet_is_what_the_person_may_ask_of(measured: None, teammate_user: User) -> None:
    found = get(teammate_user, "/metrics/fleet/data", metric="disk_used_bytes", range="15m")
    assert [row["name"] for row in found["series"]] == ["web1"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("disk", "disk_used_bytes"),
        ("rat", "rate("),
        ("disk_used_bytes{di", 'disk="'),
        ('disk_used_bytes{disk="', 'a"'),
        ('disk_used_bytes{item=~"we', 'web1"'),
        ("sum by (di", "disk"),
        ("rate(disk_used_bytes[", "1m"),
        ('disk_used_bytes{disk="a"', None),
        ("disk_used_bytes > 5", None),
    ],
)
def test_it_completes_what_stands_at_the_cursor(measured: None, owner_user: User, text: str, first: str | None) -> None:
    found = get(owner_user, "/metrics/completions", text=text, cursor=len(text))
    assert (found[0]["text"] if found else None) == first
    if found:
        assert found[0]["end"] == len(text)


def test_values_of_others_do_not_complete(measured: None, teammate_user: User) -> None:
    found = get(teammate_user, "/metrics/completions", text='disk_used_bytes{item="', cursor=22)
    assert [one["text"] for one in found] == ['web1"']


def test_a_file_has_a_column_for_each_series(measured: None, as_owner: Client) -> None:
    answer = as_owner.get("/metrics/export.csv", {"q": "disk_used_bytes", "range": "15m"})
    head, *rows = answer.content.decode().splitlines()
    assert head.count("disk_used_bytes") == 4
    assert len(rows) == 91
    assert as_owner.get("/metrics/export.csv", {"q": "x y"}).status_code == 400
    assert as_owner.get("/metrics/export.csv").status_code == 422


def test_without_a_query_it_lists_what_there_is(measured: None, as_owner: Client) -> None:
    assert "/metrics?q=disk_used_bytes" in as_owner.get("/metrics").content.decode()


def test_without_metrics_it_tells_the_next_step(telemetry: Engine, as_owner: Client) -> None:
    assert 'href="/intake"' in as_owner.get("/metrics").content.decode()


@pytest.fixture
def as_owner(owner_user: User) -> Client:
    return signed_in(owner_user)


def test_what_happened_to_the_items_is_drawn(
    measured: None, owner: Actor, owner_user: User, teammate_user: User, web1: Item, lab1: Item
) -> None:
    def marks(user: User, query: str, **more: str) -> list[str]:
        return [text for _at, _severity, text in get(user, "/metrics/data", q=query, range="15m", **more)["marks"]]

    update_item(owner, web1, {"notes": "new disks"})
    assert marks(owner_user, 'disk_used_bytes{item="web1"}') == ["appeared", "changed: Notes"]
    both = marks(owner_user, "disk_used_bytes")
    assert {"web1: changed: Notes", "lab1: appeared"} <= set(both)
    # A sum names no item: what happened to all is shown.
    assert marks(owner_user, "sum(disk_used_bytes)") == both
    assert "lab1: appeared" not in marks(teammate_user, "sum(disk_used_bytes)")
    assert marks(owner_user, "disk_used_bytes", marks="off") == []
