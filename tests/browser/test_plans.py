"""A template is taken from the library, asked with its form, and run, seen in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Deck, Open
from tests.browser.test_pass_axe import inspect, inspect_both

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
TITLES = {"en": "Collect diagnostics", "zh-hans": "收集诊断信息"}
LOG = {"en": "Lines of the log", "zh-hans": "日志行数"}


def test_a_template_is_taken_asks_and_runs(deck: Deck, open_page: Open) -> None:
    deck.instance.qd("items", "create", "--type", "host", "--name", "nowhere", "primary_ip=127.0.0.1", "ssh_port=1")
    page = open_page("/templates", theme="auto")
    inspect(page)
    page.locator("form[action$='/collect-diagnostics'] button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLES[deck.language])
    inspect_both(page)
    page.get_by_label(LOG[deck.language]).fill("0")
    page.fill("#query", "name:nowhere")
    expect(page.locator("#chosen")).to_contain_text("nowhere")
    page.locator("form .card-footer button").click()
    expect(page.locator(".qd-field-error")).to_contain_text("1")
    inspect(page)
    page.get_by_label(LOG[deck.language]).fill("7")
    page.locator("form .card-footer button").click()
    expect(page.locator("#run")).to_contain_text("collect-diagnostics")
    expect(page.locator("#run .qd-facts")).to_contain_text("7")
    page.goto(deck.url("/templates/collect-diagnostics/edit"))
    inspect_both(page)
    assert not deck.complaints
