"""A template that is taken, asks and runs, and a schedule that begins by itself, seen in a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Deck, Open
from tests.browser.test_pass_axe import inspect, inspect_both
from tests.lab.parts import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
TITLES = {"en": "Collect diagnostics", "zh-hans": "收集诊断信息"}
NEW = {"en": "New schedule", "zh-hans": "新建计划任务"}
RESULT = {"en": "Could not start", "zh-hans": "无法启动"}
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


def test_a_schedule_is_made_and_begins_by_itself(deck: Deck, open_page: Open) -> None:
    page = open_page("/schedules", theme="auto")
    inspect(page)
    page.get_by_role("link", name=NEW[deck.language]).first.click()
    page.fill("[name=name]", "soon")
    page.fill("[name=command]", "uptime")
    page.fill("#query", "name:nobody-at-all")
    page.select_option("[name=rhythm]", "every")
    page.fill("[name=when]", "5s")
    expect(page.locator("#times .is-bad")).to_be_visible()
    page.fill("[name=when]", "10s")
    expect(page.locator("#times li")).to_have_count(5)
    inspect_both(page)
    page.select_option("[name=rhythm]", "at")
    page.fill("[name=when]", (datetime.now(UTC) + timedelta(seconds=4)).isoformat())
    page.locator("form .card-footer button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("soon")
    wait_until(lambda: page.reload() is not None and page.locator("tbody tr").count() > 0, "its first time")
    expect(page.locator("tbody tr").first).to_contain_text(RESULT[deck.language])
    inspect_both(page)
    page.goto(deck.url("/schedules"))
    expect(page.locator("tbody tr")).to_contain_text(["soon"])
    inspect_both(page)
    page.goto(deck.url("/schedules/soon/edit"))
    inspect_both(page)
    assert not deck.complaints
