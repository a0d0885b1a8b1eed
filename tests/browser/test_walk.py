"""What people do, in a real browser, by mouse and by keyboard."""

from __future__ import annotations

import json
import socket

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Deck, Open

HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
pytestmark = pytest.mark.slow


def make(deck: Deck, name: str, **attributes: object) -> int:
    """Create a host through the API."""
    import urllib.request

    body = json.dumps({"type": "host", "name": name, "labels": {"note": name}, "attributes": attributes}).encode()
    request = urllib.request.Request(deck.url("/api/v1/items"), body, method="POST")
    request.add_header("Authorization", f"Bearer {deck.instance.token}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(json.loads(answer.read())["id"])


def test_this_machine_shows_itself_with_live_charts(deck: Deck, open_page: Open, machine: int) -> None:
    page = open_page("/")
    assert page.locator("html").get_attribute("lang") == ("zh-Hans" if deck.language == "zh-hans" else "en")
    page.get_by_role("link", name=socket.gethostname(), exact=True).first.click()
    expect(page.locator("h1")).to_have_text(socket.gethostname())
    page.goto(deck.url(f"/items/{machine}/metrics?range=15m"))
    chart = page.locator('[data-island=chart][data-url*="/memory"]')
    expect(chart.locator("canvas")).to_be_visible(timeout=60_000)
    expect(chart).to_have_attribute("aria-label", __import__("re").compile("GiB|MiB"), timeout=60_000)


def test_the_keyboard_reaches_everything_through_the_palette(deck: Deck, open_page: Open, machine: int) -> None:
    page = open_page("/settings")
    page.keyboard.press("Control+k")
    expect(page.locator("#qd-palette input")).to_be_focused()
    page.keyboard.type(socket.gethostname()[:12])
    expect(page.locator("#qd-palette [role=option]").first).to_contain_text(socket.gethostname())
    page.keyboard.press("Enter")
    page.wait_for_url("**/items/*")
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    expect(page.locator("#qd-palette")).not_to_be_visible()


def test_the_first_tab_stop_skips_to_the_content(open_page: Open) -> None:
    page = open_page("/items")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("main#main")).to_be_focused()


def test_the_query_box_completes_by_keyboard(open_page: Open, machine: int) -> None:
    page = open_page("/items")
    page.locator("#q").click()
    page.keyboard.type("typ")
    expect(page.locator("#q-options [role=option]").first).to_have_text("type:")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type("hos")
    expect(page.locator("#q-options [role=option]").first).to_contain_text("host")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#q")).to_have_value("type:host ")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=type%3Ahost**")
    expect(page.locator("table.qd-table tbody tr").first).to_be_visible()


def test_rows_are_chosen_confirmed_trashed_and_taken_back(deck: Deck, open_page: Open) -> None:
    make(deck, "doomed-1")
    page = open_page("/items?q=name:doomed-1")
    bar = page.locator("[data-bulk]")
    expect(bar).to_be_hidden()
    page.locator("thead input[type=checkbox]").check()
    expect(bar.locator("[data-count]")).to_have_text("1")
    bar.locator("button[value=trash]").click()
    page.locator("#qd-confirm [data-yes]").click()
    notice = page.locator(".qd-notice.good")
    expect(notice).to_be_visible()
    expect(page.locator("table[data-selectable]")).to_have_count(0)
    notice.locator("button").click()
    expect(page.get_by_role("link", name="doomed-1")).to_be_visible()


def test_a_change_of_many_is_undone_except_where_somebody_came_between(deck: Deck, open_page: Open) -> None:
    for name in ("undone-1", "undone-2"):
        make(deck, name)
    deck.instance.qd("items", "bulk", "-q", "name:undone-*", "owner=ops")
    deck.instance.qd("items", "set", "undone-1", "owner=ann")
    number = json.loads(deck.instance.qd("changes", "list", "-o", "json").stdout)[1]["id"]
    page = open_page(f"/changes/{number}")
    page.locator("form[action$='/undo'] button").click()
    page.locator("#qd-confirm [data-yes]").click()
    refused = page.locator(".qd-notice.bad")
    expect(refused).to_contain_text("undone-1")
    refused.locator("button").click()
    expect(page.get_by_role("link", name="undone-2")).to_be_visible()
    rows = json.loads(deck.instance.qd("items", "list", "-q", "name:undone-*", "-o", "json").stdout)
    assert [row["owner"] for row in rows] == ["ann", ""]


def test_a_change_by_somebody_else_is_shown_and_nothing_is_lost(deck: Deck, open_page: Open) -> None:
    pk = make(deck, "shared-1")
    mine, theirs = open_page(f"/items/{pk}/edit"), open_page(f"/items/{pk}/edit")
    theirs.fill("input[name=owner]", "them")
    theirs.locator(".qd-form-foot button.btn-primary").click()
    theirs.wait_for_url(f"**/items/{pk}")
    mine.fill("input[name=owner]", "me")
    mine.locator(".qd-form-foot button.btn-primary").click()
    expect(mine.locator(".qd-notice.warn table")).to_contain_text("them")
    expect(mine.locator("input[name=owner]")).to_have_value("me")


def test_hostile_names_stay_text_on_every_page_and_in_every_drawing(deck: Deck, open_page: Open) -> None:
    pk = make(deck, HOSTILE, vendor=HOSTILE, notes=HOSTILE)
    for path in ("/", "/items", "/topology", *(f"/items/{pk}{tab}" for tab in ("", "/relations", "/history", "/edit"))):
        page = open_page(path)
        assert page.locator("img[src=x]").count() == 0
    page.keyboard.press("Control+k")
    page.keyboard.type("img")
    expect(page.locator("#qd-palette [role=option]").first).to_contain_text("<img src=x")
    assert page.locator("img[src=x]").count() == 0


def test_the_theme_stays_chosen(deck: Deck, open_page: Open) -> None:
    page = open_page("/")
    page.locator("[data-theme-choice=dark]").evaluate("button => button.click()")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.goto(deck.url("/items"))
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_the_menu_opens_and_closes_on_a_small_screen(open_page: Open) -> None:
    page = open_page("/", width=390)
    expect(page.locator(".qd-sidebar")).not_to_be_in_viewport()
    page.locator("[data-nav-open]").click()
    expect(page.locator(".qd-sidebar a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("[data-nav-open]")).to_be_focused()


def test_the_language_is_switched_and_back(deck: Deck, open_page: Open) -> None:
    page = open_page("/items")
    other = "en" if deck.language == "zh-hans" else "zh-hans"
    page.locator(f"button[name=language][value={other}]").evaluate("button => button.click()")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans" if other == "zh-hans" else "en")
    page.locator(f"button[name=language][value={deck.language}]").evaluate("button => button.click()")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans" if deck.language == "zh-hans" else "en")
