"""Dashboards through the whole stack to the engine: whose series a panel shows, what variables offer, what is made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.inventory.actions import create_item
from quarterdeck.inventory.models import Item
from quarterdeck.monitoring.dashboards import actions, choosing
from quarterdeck.monitoring.dashboards.definitions import read
from quarterdeck.monitoring.dashboards.making import made_for
from quarterdeck.telemetry.actions import write_samples
from quarterdeck.telemetry.samples import Sample

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
HOST = {"name": "host", "kind": "items", "query": "type:host", "multi": True, "all": True}
DISK = {"name": "disk", "kind": "labels", "query": 'disk_used_bytes{item=~"$host"}', "label": "disk", "regex": "sd(.)"}


@pytest.fixture
def web1(owner: Actor) -> Item:
    return create_item(owner, "host", "web1", {"env": "prod"})


@pytest.fixture
def lab1(owner: Actor) -> Item:
    return create_item(owner, "host", "lab1", {"env": "lab"})


@pytest.fixture
def measured(telemetry: Engine, web1: Item, lab1: Item) -> None:
    """Disks sda and sdb on web1, sda on lab1; requests by status, and their durations in buckets."""
    rows = []
    for index in range(20):
        at = now() - timedelta(seconds=index * 15)
        for item, disk, value in ((web1, "sda", 10), (web1, "sdb", 30), (lab1, "sda", 100)):
            rows.append(Sample("disk_used_bytes", {"disk": disk}, item.pk, at, float(value)))
        for status, each in (("200", 30), ("500", 3)):
            rows.append(Sample("web_requests_total", {"status": status}, web1.pk, at, float((20 - index) * each)))
        for le, each in (("0.1", 10), ("1", 20), ("+Inf", 20)):
            rows.append(Sample("web_seconds_bucket", {"le": le}, web1.pk, at, float((20 - index) * each)))
        rows.append(Sample("web_seconds_count", {}, web1.pk, at, float((20 - index) * 20)))
    write_samples(rows)


@pytest.fixture
def board(owner: Actor) -> str:
    queries = [
        {
            "expr": 'sum by (item, disk) (disk_used_bytes{item=~"$host", disk=~"sd$disk"})',
            "legend": "{{item}} {{disk}}",
        },
        {"expr": "sum(rate(web_requests_total[$__rate_interval]))", "hidden": True},
    ]
    panels = [
        {"id": 1, "title": "Disks", "queries": queries},
        {"id": 2, "queries": [{"expr": "1 + on() group_left() up{"}]},
    ]
    panels[1]["queries"] = [{"expr": "disk_used_bytes * on (disk) disk_used_bytes"}]
    actions.save_dashboard(owner, "disks", {"title": "Disks", "variables": [HOST, DISK], "panels": panels})
    return "disks"


def figures(user: User, path: str = "/dashboards/disks/panels/1/data", **parameters: Any) -> Any:
    response = signed_in(user).get(path, {"range": "15m", **parameters})
    assert response.status_code == 200, response.content[:500]
    return response.json()


def test_a_panel_shows_what_is_chosen(measured: None, board: str, owner_user: User) -> None:
    found = figures(owner_user, **{"var-host": ["web1", "lab1"], "var-disk": "a"})
    assert sorted((one["name"], one["last"], one["unit"], one["item"]["name"]) for one in found["series"]) == [
        ("lab1 sda", 100, "bytes", "lab1"),
        ("web1 sda", 10, "bytes", "web1"),
    ]
    found = figures(owner_user, **{"var-host": "web1", "var-disk": "b"})
    assert [(one["name"], one["last"]) for one in found["series"]] == [("web1 sdb", 30)]
    assert found["panel"]["kind"] == "timeseries"


def test_it_shows_nobodys_series_but_ones_own(measured: None, board: str, teammate_user: User) -> None:
    for hosts in (["web1", "lab1"], ["lab1"], ["$__all"], ["web1|lab1"], [".*"]):
        found = figures(teammate_user, **{"var-host": hosts, "var-disk": "a"})
        assert {one["item"]["name"] for one in found["series"]} == {"web1"}, hosts


def test_a_query_that_fails_says_why(measured: None, board: str, owner_user: User) -> None:
    found = figures(owner_user, "/dashboards/disks/panels/2/data")
    assert (found["series"], len(found["errors"])) == ([], 1)
    assert found["errors"][0]["message"]


def test_variables_follow_each_other(measured: None, board: str, owner: Actor, teammate: Actor) -> None:
    definition = read({"title": "x", "variables": [HOST, DISK]})

    def options(actor: Actor, **asked: list[str]) -> list[list[str]]:
        return [choice.options for choice in choosing.choices(actor, definition, asked)]

    assert options(owner) == [["lab1", "web1"], ["a", "b"]]
    assert options(owner, host=["lab1"]) == [["lab1", "web1"], ["a"]]
    assert options(teammate) == [["web1"], ["a", "b"]]


def test_a_type_gets_a_dashboard_of_what_its_items_send(measured: None, owner: Actor, owner_user: User) -> None:
    made = made_for(owner, "host")
    assert made.items == 2
    found = {panel.title: panel.queries[0].expr for panel in made.definition.panels if panel.kind != "row"}
    assert found == {
        "disk_used_bytes": 'sum by (item, disk) (disk_used_bytes{item=~"$item"})',
        "web_requests_total": 'sum by (item, status) (rate(web_requests_total{item=~"$item"}[$__rate_interval]))',
        "web_seconds p95": "histogram_quantile(0.95, sum by (item, le) "
        '(rate(web_seconds_bucket{item=~"$item"}[$__rate_interval])))',
    }
    assert [panel.title for panel in made.definition.panels if panel.kind == "row"] == [
        "disk_used", "web_requests", "web_seconds",
    ]  # fmt: skip
    for panel in made.definition.panels:
        if panel.kind != "row":
            address = f"/dashboards/types/host/panels/{panel.id}/data"
            assert figures(owner_user, address, **{"var-item": "web1"})["series"], panel.title


def test_a_made_one_is_kept_as_a_persons(measured: None, owner: Actor, owner_user: User, teammate_user: User) -> None:
    assert "disk_used_bytes" in signed_in(owner_user).get("/dashboards/types/host").content.decode()
    kept = signed_in(owner_user).post("/dashboards/types/host/keep")
    assert kept.headers["Location"] == "/dashboards/host?edit=1"
    assert signed_in(teammate_user).post("/dashboards/types/host/keep").status_code == 403
    page = signed_in(teammate_user).get("/dashboards/types/host").content.decode()
    assert 'value="web1"' in page
    assert "lab1" not in page
