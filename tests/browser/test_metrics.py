"""A person explores metrics of a running instance: completes, draws, narrows, compares, exports, shares."""

from __future__ import annotations

import csv
import json
import re
import socket
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Deck, Open
from tests.browser.test_pass_axe import inspect_both
from tests.lab.parts import wait_until

from quarterdeck.web.items.figures import step_seconds

pytestmark = pytest.mark.slow
EVIL = "<img src=x onerror=alert(1)>"
MEMORY = "system_memory_usage_bytes"
# The machine appeared a moment ago.
HAPPENED = re.compile("appeared|出现")


@pytest.fixture(scope="module")
def measured(deck: Deck, machine: int) -> int:
    """Return this machine's item, once its memory has been measured at a time that a chart of an hour shows."""
    step_s = step_seconds(3600)
    wait_until(
        lambda: series(deck, MEMORY, int(time.time()) // step_s * step_s),
        lambda: f"a sample of {MEMORY}\n{deck.instance.logs()}",
        90,
    )
    return machine


def series(deck: Deck, metric: str, at_s: int | None = None) -> list[Any]:
    """Return the series of a metric that have a value at a Unix time, which is now by default."""
    at = "" if at_s is None else f"&time={at_s}"
    _status, answer = deck.instance.get(f"/prometheus/api/v1/query?query={metric}{at}", token=deck.instance.token)
    found: list[Any] = answer["data"]["result"]
    return found


def send(deck: Deck, metric: str, values: dict[str, float]) -> None:
    """Send a gauge with a value for each value of its label `note`, as of a minute ago: a chart ends at a step that has
    passed, and shows nothing of what is newer."""
    points = [
        {
            "timeUnixNano": str(time.time_ns() - 60_000_000_000),
            "asDouble": value,
            "attributes": [{"key": "note", "value": {"stringValue": note}}],
        }
        for note, value in values.items()
    ]
    scope = {"metrics": [{"name": metric, "gauge": {"dataPoints": points}}]}
    body = {"resourceMetrics": [{"resource": {"attributes": []}, "scopeMetrics": [scope]}]}
    address = f"http://{deck.instance.environment['QD_INTAKE_HTTP']}/v1/metrics"
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def test_a_query_is_written_by_keyboard_and_drawn(deck: Deck, open_page: Open, measured: int) -> None:
    page = open_page("/metrics", theme="auto")
    inspect_both(page)
    page.locator("#q0").click()
    page.keyboard.type("system_mem")
    expect(page.locator("#q0-options [role=option]").first).to_contain_text("system_memory")
    page.keyboard.type("ory_usage_bytes{st")
    expect(page.locator("#q0-options [role=option]").first).to_contain_text('state="')
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type("us")
    expect(page.locator("#q0-options [role=option]").first).to_contain_text("used")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#q0")).to_have_value(f'{MEMORY}{{state="used"')
    page.keyboard.type("}")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=system_memory_usage_bytes**")
    expect(page.locator("[data-drawing] canvas")).to_be_visible()
    expect(page.locator("[data-table] tbody tr")).to_contain_text(re.compile("[GM]iB"))
    expect(page.locator("[data-drawing]")).to_have_attribute("aria-label", re.compile("[GM]iB"))
    page.get_by_role("link", name=socket.gethostname(), exact=True).last.click()
    page.wait_for_url(f"**/items/{measured}")


@pytest.mark.parametrize("view", ["line", "area", "stacked", "table", "heat"])
def test_every_view_is_drawn_from_the_address_alone(open_page: Open, measured: int, view: str) -> None:
    page = open_page(f"/metrics?q={MEMORY}&q=up%20or%20vector(1)&view={view}&compare=week&range=15m", theme="auto")
    expect(page.locator("[data-table] tbody tr").nth(1)).to_be_visible()
    assert (page.locator("[data-drawing] canvas").count() > 0) == (view != "table")
    if view == "heat":
        expect(page.locator("[data-drawing]")).to_have_attribute("aria-label", HAPPENED)
    inspect_both(page)


def test_a_series_narrows_the_query(open_page: Open, measured: int) -> None:
    page = open_page(f"/metrics?q={MEMORY}")
    page.locator("[data-table] tbody").get_by_role("link", name="used").click()
    page.wait_for_url("**used**")
    expect(page.locator("#q0")).to_have_value(re.compile('state="used"'))
    expect(page.locator("[data-table] tbody tr")).to_have_count(1)


def test_files_are_exported(open_page: Open, measured: int) -> None:
    page = open_page(f"/metrics?q={MEMORY}&range=15m")
    expect(page.locator("[data-drawing] canvas")).to_be_visible()
    with page.expect_download() as image:
        page.locator("[data-png]").click()
    assert Path(image.value.path()).read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as table:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.reader(Path(table.value.path()).read_text().splitlines()))
    assert any(name.startswith(MEMORY) for name in rows[0])
    assert any(float(cell) > 0 for row in rows[1:] for cell in row[1:] if cell)


def test_an_error_of_one_query_leaves_the_other(open_page: Open, measured: int) -> None:
    page = open_page(f"/metrics?q={quote('sum(up) by (')}&q={MEMORY}", theme="auto")
    expect(page.locator("#q0-error pre")).to_contain_text("sum(up) by (")
    expect(page.locator("[data-drawing] canvas")).to_be_visible()
    inspect_both(page)
    many = quote(f"{MEMORY} * on () group_left () {MEMORY}")
    page.goto(page.url.partition("?")[0] + f"?q={many}")
    expect(page.locator("[data-query-error='0']")).to_be_visible()


def test_boxes_are_added_and_removed_and_it_renews_itself(open_page: Open, measured: int) -> None:
    page = open_page(f"/metrics?q={MEMORY}")
    page.locator("button[name=add]").click()
    page.fill("#q1", "vector(7)")
    page.locator(".qd-promql button.btn-primary").click()
    page.wait_for_url("**vector**")
    expect(page.locator("[data-table] tbody tr", has_text="vector(7)")).to_be_visible()
    page.locator(".qd-promql a.btn").first.click()
    expect(page.locator("#q0")).to_have_value("vector(7)")
    with page.expect_response("**/metrics/data?**"):
        page.locator("select[name=refresh]").select_option("10")
    with page.expect_response("**/metrics/data?**", timeout=20_000) as again:
        pass
    assert again.value.ok


def test_hostile_labels_stay_text(deck: Deck, open_page: Open, measured: int) -> None:
    send(deck, "hostile_temperature_celsius", {EVIL: 20.5, "=1+1": 21.5})
    wait_until(lambda: len(series(deck, "hostile_temperature_celsius")) == 2, "both series")
    page = open_page("/metrics?q=hostile_temperature_celsius&range=15m")
    expect(page.locator("[data-table] tbody tr")).to_have_count(2)
    expect(page.locator("[data-table] tbody")).to_contain_text(EVIL)
    assert page.locator("img[src=x]").count() == 0
    for view in ("heat", "table"):
        page.goto(page.url + f"&view={view}")
        expect(page.locator("[data-table] tbody")).to_contain_text(EVIL)
        page.mouse.move(700, 450)
        assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("view", ["heat", "table"])
def test_one_metric_is_seen_over_the_fleet(open_page: Open, measured: int, view: str) -> None:
    page = open_page(f"/metrics/fleet?metric={MEMORY}&aggregate=max&view={view}", theme="auto")
    row = page.locator("[data-table] tbody tr", has_text=socket.gethostname())
    expect(row.locator("td.num").first).to_contain_text(re.compile("[GM]iB"))
    assert (page.locator("[data-drawing] canvas").count() > 0) == (view == "heat")
    inspect_both(page)
    assert page.locator("[data-table] thead th").first.inner_text() in ("Item", "资产")
    row.locator("th a").click()
    page.wait_for_url(f"**/items/{measured}/metrics?metric={MEMORY}")


def test_a_time_is_chosen_on_the_chart_and_compared(deck: Deck, open_page: Open, measured: int) -> None:
    page = open_page(f"/metrics?q={MEMORY}&range=15m", theme="auto")
    canvas = page.locator("[data-drawing] canvas").first
    expect(canvas).to_be_visible()
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 100)
    page.mouse.down()
    # To the end: what is measured began a moment ago.
    page.mouse.move(box["x"] + box["width"] * 0.999, box["y"] + 120, steps=4)
    page.mouse.up()
    expect(page.locator("[data-window-text]")).to_be_visible()
    inspect_both(page)
    page.locator("[data-window-changed]").click()
    page.wait_for_url("**/metrics/changed?**since=**")
    expect(page.locator("[data-drawing] canvas").first).to_be_visible()
    inspect_both(page)
    page.goto(deck.url(f"/metrics?q={MEMORY}&range=15m"))
    expect(page.locator("[data-drawing]")).to_have_attribute("aria-label", HAPPENED)
    page.locator("input[type=checkbox][name=marks]").uncheck()
    page.wait_for_url("**marks=off**")
    expect(page.locator("[data-drawing] canvas").first).to_be_visible()
    expect(page.locator("[data-drawing]")).not_to_have_attribute("aria-label", HAPPENED)


def test_a_row_of_tabs_begins_at_the_chosen_one(deck: Deck, open_page: Open, measured: int) -> None:
    page = open_page(f"/items/{measured}", width=390)
    tabs = page.locator(".qd-tabs").first
    assert tabs.evaluate("row => row.scrollWidth > row.clientWidth")
    page.goto(deck.url(tabs.locator("a").last.get_attribute("href") or ""))
    tab = page.locator(".qd-tabs [aria-current=page]").first
    expect(tab).to_be_in_viewport(ratio=0.99)
    assert page.evaluate("scrollX + scrollY") == 0
