"""A person makes a dashboard of a running instance: panels, choices, moves, the full view, versions, Grafana's file."""

from __future__ import annotations

import json
import re
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from tests.browser.conftest import Deck, Open
from tests.browser.test_metrics import MEMORY, measured
from tests.browser.test_pass_axe import inspect_both
from tests.lab.parts import wait_until

__all__ = ["measured"]
pytestmark = pytest.mark.slow
EVIL = "<img src=x onerror=alert(1)>"
GRAFANA = Path(__file__).parents[1] / "monitoring" / "dashboards" / "grafana"
QUERY = f'{MEMORY}{{item=~"$host"}}'
HOST = {"name": "host", "title": EVIL, "kind": "items", "query": "type:host", "multi": True, "all": True}
KINDS = ("timeseries", "stat", "gauge", "bars", "table", "heatmap")


@pytest.fixture(scope="module")
def board(deck: Deck, measured: int, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A panel of each kind, and a text."""
    panels = [
        {
            "id": number,
            "kind": kind,
            "title": f"{kind} {EVIL}",
            "x": (number - 1) % 3 * 8,
            "y": (number - 1) // 3 * 8,
            "w": 8,
            "thresholds": [{"value": 1, "level": "warn"}],
            "queries": [{"expr": QUERY, "legend": "{{item}} {{state}}"}],
        }
        for number, kind in enumerate(KINDS, 1)
    ]
    panels.append({"id": 9, "kind": "text", "title": "About", "y": 16, "h": 4, "text": f"**Hello** {EVIL}"})
    file = tmp_path_factory.mktemp("boards") / "kinds.json"
    file.write_text(json.dumps({"title": "Kinds", "range": "15m", "variables": [HOST], "panels": panels}))
    deck.instance.qd("dashboards", "import", str(file))
    return "/dashboards/kinds"


def drawn(page: Page) -> Page:
    """Load the page again until it has a chart: one shows the first sample from its next step on."""

    def has_chart() -> bool:
        chart = page.locator("#panel-1 canvas")
        with suppress(PlaywrightTimeoutError):
            chart.first.wait_for(timeout=5_000)
            return True
        page.reload()
        return False

    wait_until(has_chart, "the first chart", seconds=120)
    return page


def test_every_kind_is_drawn(open_page: Open, board: str) -> None:
    page = drawn(open_page(board, theme="auto"))
    for number, inside in enumerate(
        ("canvas", ".qd-numbers b", ".qd-gauges svg", ".qd-bars .qd-bar", "tbody tr", "canvas"), 1
    ):
        one = page.locator(f"#panel-{number}")
        one.scroll_into_view_if_needed()
        expect(one.locator(inside).first).to_be_visible()
    expect(page.locator("#panel-2")).to_contain_text(re.compile("[GM]iB"))
    expect(page.locator("#panel-2 .qd-level.warn").first).to_be_visible()
    expect(page.locator("#panel-5 tbody")).to_contain_text("used")
    expect(page.locator("#panel-1 .qd-panel-legend")).to_contain_text(f"{socket.gethostname()} used")
    expect(page.locator("#panel-9 strong")).to_have_text("Hello")
    assert page.locator("img[src=x]").count() == 0
    inspect_both(page)


def test_a_choice_stands_in_the_address(open_page: Open, board: str) -> None:
    page = open_page(board, theme="auto")
    page.locator("#var-host").click()
    page.locator("input[value='$__all']").uncheck()
    page.locator(f"input[value='{socket.gethostname()}']").check()
    with page.expect_response("**/panels/1/data?**"):
        page.locator(".qd-several-box button").click()
    assert f"var-host={socket.gethostname()}" in page.url
    with page.expect_response("**/panels/1/data?**range=1h**"):
        page.locator("#range").select_option("1h")
    with page.expect_response("**/panels/1/data?**") as figures:
        page.goto(page.url + "&kiosk=1")
    assert figures.value.ok
    assert page.locator(".qd-sidebar").count() == 0
    inspect_both(page)


def test_it_renews_itself(open_page: Open, board: str) -> None:
    page = open_page(f"{board}?refresh=10")
    with page.expect_response("**/panels/1/data?**", timeout=20_000) as again:
        pass
    assert again.value.ok


def test_a_board_is_made_by_hand(deck: Deck, open_page: Open, measured: int) -> None:
    page = open_page("/dashboards/new", theme="auto")
    page.fill("input[name=title]", "By hand")
    page.locator("main form button.btn-primary").click()
    page.wait_for_url("**/dashboards/by-hand?edit=1")
    inspect_both(page)
    for title in ("First", "Second"):
        page.goto(deck.url("/dashboards/by-hand/panels/new"))
        page.fill("input[name=title]", title)
        page.fill("textarea[name=queries]", f"{MEMORY}  # {{{{state}}}}")
        page.locator("main form button.btn-primary").click()
        page.wait_for_url("**/dashboards/by-hand?edit=1")
    expect(page.locator("#panel-1 canvas")).to_be_visible()
    inspect_both(page)
    page.locator("#panel-2 [data-handle]").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#panel-2")).to_have_attribute("data-top", "0")
    expect(page.locator("#panel-2 [data-handle]")).to_be_focused()
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator("#panel-2")).to_have_attribute("data-width", "11")
    handle = page.locator("#panel-2 [data-handle]").bounding_box()
    assert handle
    page.mouse.move(handle["x"] + 5, handle["y"] + 5)
    page.mouse.down()
    page.mouse.move(handle["x"] + 605, handle["y"] + 5, steps=4)
    page.mouse.up()
    expect(page.locator("#panel-2")).not_to_have_attribute("data-column", "1")
    page.locator("#panel-1 .qd-panel-tools a").click()
    inspect_both(page)
    page.fill("textarea[name=queries]", "sum(")
    page.locator("main form button.btn-primary").click()
    expect(page.locator(".qd-field-error, .qd-notice").first).to_be_visible()
    page.goto(deck.url("/dashboards/by-hand/settings"))
    inspect_both(page)
    page.goto(deck.url("/dashboards/by-hand/versions"))
    inspect_both(page)
    page.locator("tbody tr", has_text="First").last.locator("button").click()
    page.wait_for_url("**/dashboards/by-hand")
    expect(page.locator("#panel-2")).to_have_count(0)


def test_grafanas_file_becomes_a_board(deck: Deck, open_page: Open, measured: int) -> None:
    page = open_page("/dashboards/import", theme="auto")
    page.set_input_files("input[type=file]", GRAFANA / "today.json")
    page.locator("main form button.btn-primary").click()
    expect(page.locator("tbody")).to_contain_text("geomap")
    inspect_both(page)
    page.locator(".qd-actions a.btn-primary").click()
    page.wait_for_url("**/dashboards/machines")
    expect(page.locator("#panel-2 [data-note]")).not_to_be_empty()
    inspect_both(page)


def test_a_types_own_board_shows_what_its_items_send(open_page: Open, measured: int) -> None:
    page = open_page("/dashboards/types/host?range=15m")
    one = page.locator(".qd-panel", has_text=MEMORY).first
    one.scroll_into_view_if_needed()
    expect(one.locator("canvas")).to_be_visible()
    page.locator(".qd-actions form button").click()
    page.wait_for_url("**/dashboards/host*?edit=1")
