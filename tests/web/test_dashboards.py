"""The pages of dashboards: who sees and changes them, and that what a file or a form holds stays text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.models import Item
from quarterdeck.monitoring.dashboards import actions, queries
from quarterdeck.web.dashboards.figures import legend_of
from quarterdeck.web.dashboards.markdown import html_of

pytestmark = pytest.mark.django_db
EVIL = "<img src=x onerror=alert(1)>"
GRAFANA = Path(__file__).parents[1] / "monitoring" / "dashboards" / "grafana"


@pytest.fixture
def board(owner: Actor) -> str:
    definition = {
        "title": f"Hosts {EVIL}",
        "description": EVIL,
        "range": "6h",
        "refresh_seconds": 45,
        "variables": [
            {"name": "host", "kind": "items", "query": "type:host", "multi": True, "all": True},
            {"name": "step", "kind": "interval", "options": ["1m", "5m"]},
            {"name": "word", "kind": "text", "default": [EVIL]},
        ],
        "panels": [
            {"id": 1, "title": EVIL, "queries": [{"expr": 'up{item=~"$host"}'}]},
            {"id": 2, "kind": "row", "title": "More", "y": 8, "w": 24, "h": 1},
            {"id": 3, "kind": "text", "title": "About", "y": 9, "text": f"# Hello\n\n{EVIL}\n\n| a |\n|---|\n| b |"},
        ],
    }
    actions.save_dashboard(owner, "hosts", definition)
    return "hosts"


def text(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, response.content[:400]
    return response.content.decode()


def panel_form(**changes: Any) -> dict[str, Any]:
    usual = {"title": "Load", "kind": "timeseries", "draw": "line", "reduce": "last", "w": 12, "h": 8, "queries": "up"}
    return {**usual, **changes}


def test_a_board_shows_its_choices_panels_and_rows(as_owner: Client, board: str, web1: Item, lab1: Item) -> None:
    page = text(as_owner, "/dashboards/hosts?var-host=web1&var-step=5m")
    assert re.search(r'value="web1" checked', page)
    assert 'value="lab1" checked' not in page
    assert '<option value="5m" selected>' in page
    assert "<h1>Hello</h1>" in page
    assert "<td>b</td>" in page
    assert EVIL not in page
    assert "/dashboards/hosts/panels/1/data?var-host=web1&amp;var-step=5m" in page
    assert "range=6h" in page
    assert 'data-refresh-seconds="45"' in page


def test_the_choices_are_what_a_person_may_see(as_teammate: Client, board: str, web1: Item, lab1: Item) -> None:
    page = text(as_teammate, "/dashboards/hosts")
    assert 'value="web1"' in page
    assert "lab1" not in page


def test_a_choice_that_is_none_is_not_taken(as_owner: Client, board: str, web1: Item) -> None:
    page = text(as_owner, "/dashboards/hosts?var-host=nobody&var-step=9h&range=forever&refresh=1")
    assert '<option value="1m" selected>' in page
    assert "/dashboards/hosts/panels/1/data?var-host=%24__all&amp;var-step=1m" in page


def test_the_full_view_has_no_menu(as_owner: Client, board: str) -> None:
    page = text(as_owner, "/dashboards/hosts?kiosk=1")
    assert "qd-kiosk" in page
    assert "qd-sidebar" not in page
    assert "/dashboards/hosts/settings" not in page


def test_only_who_may_change_sees_the_tools(
    as_owner: Client, as_teammate: Client, as_stranger: Client, board: str
) -> None:
    assert "data-handle" in text(as_owner, "/dashboards/hosts?edit=1")
    assert "data-handle" not in text(as_teammate, "/dashboards/hosts?edit=1")
    assert "data-handle" not in text(as_owner, "/dashboards/hosts")
    text(as_stranger, "/dashboards", 403)
    for path in ("new", "import", "hosts/settings", "hosts/panels/new", "hosts/panels/1"):
        text(as_teammate, f"/dashboards/{path}", 403)
    for path in ("hosts/delete", "hosts/panels/1/move", "hosts/panels/1/remove", "hosts/versions/1/restore"):
        assert as_teammate.post(f"/dashboards/{path}").status_code == 403


def test_one_is_made_filled_changed_and_restored(as_owner: Client, owner: Actor) -> None:
    assert as_owner.post("/dashboards/new", {"title": "My board"}).headers["Location"] == "/dashboards/my-board?edit=1"
    queries_ = 'rate(x_total{item=~"$host"}[5m])  # {{item}}\nup'
    answer = as_owner.post(
        "/dashboards/my-board/panels/new", panel_form(queries=queries_, thresholds="80 warn, 95 bad")
    )
    assert answer.status_code == 302
    panel = queries.dashboard(owner, "my-board").definition["panels"][0]
    assert panel["queries"] == [{"expr": 'rate(x_total{item=~"$host"}[5m])', "legend": "{{item}}"}, {"expr": "up"}]
    assert panel["thresholds"] == [{"value": 80, "level": "warn"}, {"value": 95, "level": "bad"}]
    assert "# {{item}}" in text(as_owner, "/dashboards/my-board/panels/1")
    variables = "- {name: host, kind: items, query: 'type:host'}"
    settings = {"title": "Mine", "tags": "a, b", "range": "1h", "refresh_seconds": 30, "variables": variables}
    assert as_owner.post("/dashboards/my-board/settings", settings).status_code == 302
    assert queries.dashboard(owner, "my-board").definition["variables"][0]["query"] == "type:host"
    assert "settings" in text(as_owner, "/dashboards/my-board/versions")
    assert as_owner.post("/dashboards/my-board/versions/2/restore").status_code == 302
    assert queries.dashboard(owner, "my-board").title == "My board"
    assert as_owner.post("/dashboards/my-board/delete").status_code == 302
    text(as_owner, "/dashboards/my-board", 404)


def test_what_is_wrong_stays_in_the_form(as_owner: Client, board: str) -> None:
    for changes in ({"queries": "sum("}, {"thresholds": "hot"}, {"thresholds": "80 fatal"}, {"w": 30}, {"kind": "pie"}):
        answer = as_owner.post("/dashboards/hosts/panels/new", panel_form(**changes))
        assert answer.status_code == 422, changes
    settings = {"title": "Mine", "refresh_seconds": 0, "variables": "name: ["}
    assert as_owner.post("/dashboards/hosts/settings", settings).status_code == 422
    assert as_owner.post("/dashboards/new", {"title": "x", "slug": "hosts"}).status_code in (412, 422)
    assert as_owner.post("/dashboards/new", {"title": "x", "slug": "import"}).status_code == 422


def test_a_panel_is_moved_unless_somebody_was_first(as_owner: Client, owner: Actor, board: str) -> None:
    assert as_owner.post("/dashboards/hosts/panels/1/move", {"x": 6, "y": 0, "version": 1}).json() == {"version": 2}
    assert queries.dashboard(owner, "hosts").definition["panels"][0]["x"] == 6
    assert as_owner.post("/dashboards/hosts/panels/1/move", {"x": 7, "version": 1}).status_code == 412
    assert as_owner.post("/dashboards/hosts/panels/1/move", {"x": "left"}).status_code == 422
    assert as_owner.post("/dashboards/hosts/panels/1/remove").status_code == 302
    assert [one["id"] for one in queries.dashboard(owner, "hosts").definition["panels"]] == [2, 3]


def test_the_file_that_goes_out_comes_in_again(as_owner: Client, owner: Actor, board: str) -> None:
    answer = as_owner.get("/dashboards/hosts.yaml")
    assert 'filename="hosts.yaml"' in answer.headers["Content-Disposition"]
    assert yaml.safe_load(answer.content)["slug"] == "hosts"
    file = SimpleUploadedFile("any.yaml", answer.content)
    assert as_owner.post("/dashboards/import", {"file": file}).headers["Location"] == "/dashboards/hosts"
    assert queries.dashboard(owner, "hosts").version == 1


def test_grafanas_file_is_told_what_could_not_be_taken(as_owner: Client) -> None:
    with (GRAFANA / "today.json").open("rb") as file:
        answer = as_owner.post("/dashboards/import", {"file": file})
    assert answer.status_code == 200
    assert "geomap" in answer.content.decode()
    page = text(as_owner, "/dashboards/machines")
    assert "<script>alert(1)" not in page


def test_a_file_that_is_none_is_refused(as_owner: Client) -> None:
    for content in (b"[1]", b"title: [", b"x" * (6 << 20)):
        answer = as_owner.post("/dashboards/import", {"file": SimpleUploadedFile("x.yaml", content)})
        assert answer.status_code == 422


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        (EVIL, "<p>&lt;img src=x onerror=alert(1)&gt;</p>\n"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
        ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>\n"),
        ("![a](https://example.com/x.png)", '<p>!<a href="https://example.com/x.png">a</a></p>\n'),
        ("**b** `c`", "<p><strong>b</strong> <code>c</code></p>\n"),
        (
            '[a](https://example.com "x\\" onclick=1")',
            '<p><a href="https://example.com" title="x&quot; onclick=1">a</a></p>\n',
        ),
    ],
)
def test_markdown_runs_nothing(markdown: str, expected: str) -> None:
    assert html_of(markdown) == expected


def test_a_legend_is_made_of_labels() -> None:
    labels = {"host": "web1", "net.peer": "db"}
    assert legend_of("{{host}} to {{ net.peer }}{{gone}}", labels) == "web1 to db"
    assert legend_of("{{gone}}", labels) == ""
