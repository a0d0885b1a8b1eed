"""A service that nobody knows sends to us: its page shows it seconds later, and a person adopts, undoes and merges."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Deck, Open
from tests.browser.test_pass_axe import inspect_both
from tests.lab.opentelemetry import run_service
from tests.lab.parts import wait_until

pytestmark = pytest.mark.slow


def item(deck: Deck, query: str) -> int:
    """Return the only item of a query, when there is one."""
    found: list[int] = []

    def look() -> bool:
        _status, answer = deck.instance.get(f"/api/v1/items?q={query}", token=deck.instance.token)
        found[:] = [row["id"] for row in answer["items"]]
        return bool(found)

    wait_until(look, f"an item {query}", 60)
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def traces(deck: Deck) -> list[str]:
    return run_service(f"http://{deck.instance.environment['QD_INTAKE_HTTP']}", "shop", "shop-host")


def test_its_page_shows_what_it_sent(deck: Deck, open_page: Open, traces: list[str]) -> None:
    shop = item(deck, "type:service+name:shop")
    page = open_page(f"/items/{shop}/requests", theme="auto")
    expect(page.locator("table").last).to_contain_text(traces[-1], timeout=30_000)
    expect(page.locator("section[aria-labelledby=operations]")).to_contain_text("SELECT orders")
    expect(page.locator(".qd-counts")).to_contain_text("20%")
    inspect_both(page)
    page.goto(deck.url(f"/items/{shop}/requests?order=errors"))
    expect(page.locator("table").last).to_contain_text("the card was refused")
    page.goto(deck.url(f"/items/{shop}/logs"))
    expect(page.locator(".qd-line").first).to_have_text("payment failed <b>!</b>", timeout=30_000)
    expect(page.locator(".qd-line").last).to_have_text("order 0 is paid 已支付")
    inspect_both(page)
    page.goto(deck.url(f"/items/{shop}/sources"))
    expect(page.locator("[aria-labelledby=senders] table")).to_contain_text("otlp")
    inspect_both(page)
    host = item(deck, "type:host+name:shop-host")
    page.goto(deck.url(f"/items/{host}/metrics"))
    expect(page.locator("#metric")).to_contain_text("orders_total")


def test_it_is_adopted_and_that_is_undone_and_its_host_is_merged_and_ignored(
    deck: Deck, open_page: Open, traces: list[str], machine: int
) -> None:
    shop, host = item(deck, "type:service+name:shop"), item(deck, "type:host+name:shop-host")
    page = open_page("/", theme="auto")
    page.locator("a[href*='label.claim']").first.click()
    expect(page.locator("table")).to_contain_text("shop-host")
    page.locator(f"a[href='/items/{shop}']").click()
    banner = page.locator(".qd-claim")
    banner.locator("button[value=adopt]").click()
    expect(banner).to_have_count(0)
    inspect_both(page)
    page.locator("form[action$='/undo'] button").click()
    expect(banner).to_be_visible()
    inspect_both(page)
    page.goto(deck.url(f"/items/{host}"))
    banner.locator("a[href$='/merge?into=']").click()
    name = page.goto(deck.url(f"/items/{host}/merge?into="))
    assert name is not None
    page.locator("#pick-into").press_sequentially("shop")
    expect(page.locator("#picked-into")).to_be_visible()
    page.goto(deck.url(f"/items/{host}/merge?into={machine}"))
    page.wait_for_url(f"**/items/{machine}/merge?target={host}")
    page.goto(deck.url(f"/items/{host}"))
    banner.locator("button[value=ignore]").click()
    page.wait_for_url("**/items?q=label.claim*")
    expect(page.locator(".qd-notice.good")).to_be_visible()
    time.sleep(6)  # once the senders were looked at again
    run_service(f"http://{deck.instance.environment['QD_INTAKE_HTTP']}", "shop", "shop-host", requests=1)
    time.sleep(6)
    status, answer = deck.instance.get("/api/v1/items?q=name:shop-host", token=deck.instance.token)
    assert (status, answer["items"]) == (200, [])
