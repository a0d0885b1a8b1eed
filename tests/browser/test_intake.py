"""A newcomer points a client here, sees it arrive, and works with keys, dead letters and rules, in a real browser."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Deck, Open
from tests.browser.test_pass_axe import inspect_both

from quarterdeck.intake.spool.dead import bury
from quarterdeck.intake.spool.frames import Entry
from quarterdeck.telemetry.receiving import Frame

pytestmark = pytest.mark.slow
EVIL = "<img src=x onerror=alert(1)>"


def send(deck: Deck, text: str, key: str = "") -> int:
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": text}}
    body = {"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": [{"logRecords": [record]}]}]}
    address = f"http://{deck.instance.environment['QD_INTAKE_HTTP']}/v1/logs"
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


def test_a_client_is_pointed_here_with_a_fresh_key_and_is_seen_to_arrive(deck: Deck, open_page: Open) -> None:
    page = open_page("/intake", theme="auto")
    page.locator("a[href='/intake/connect/otlp']").first.click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=deck.instance.url)
    name = f"team-{deck.language}-{time.time_ns()}"
    page.fill("input[name=name]", name)
    page.locator("form[action$='/key'] button").click()
    key = page.locator(".qd-secret input").input_value()
    assert len(bytes.fromhex(key)) == 16
    address = deck.instance.environment["QD_INTAKE_HTTP"]
    expect(page.locator("#setup-1")).to_contain_text(f"http://{address}")
    expect(page.locator("#setup-1")).to_contain_text(f"Bearer {key}")
    page.locator("[data-copy-from=setup-1]").click()
    expect(page.locator(".qd-toast.good")).to_be_visible()
    assert f"Bearer {key}" in page.evaluate("navigator.clipboard.readText()")
    inspect_both(page)
    time.sleep(3)
    assert send(deck, "hello", key) == 200
    expect(page.locator("#arrived .icon")).to_be_visible(timeout=30_000)
    page.goto(deck.url("/intake/keys"))
    expect(page.get_by_role("row", name=name)).to_contain_text(key[:6])
    assert key not in page.content()


def test_a_key_that_is_pasted_stays_in_the_page(open_page: Open) -> None:
    page = open_page("/intake/connect/otlp", theme="auto")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url + (request.post_data or "")))
    page.fill("#paste", "0123456789abcdef")
    expect(page.locator("#setup-1")).to_contain_text("Bearer 0123456789abcdef")
    page.fill("#paste", "")
    expect(page.locator("#setup-1")).not_to_contain_text("0123456789abcdef")
    assert not [one for one in asked if "0123456789abcdef" in one]


def test_counts_and_lag_are_live(deck: Deck, open_page: Open) -> None:
    page = open_page("/intake", theme="auto")
    row = page.get_by_role("row", name="OTLP")
    before = int(row.locator("td.num").first.inner_text())
    assert send(deck, "counted") == 200
    expect(row.locator("td.num").first).to_have_text(str(before + 1), timeout=30_000)


def test_a_key_is_changed_and_revoked(deck: Deck, open_page: Open) -> None:
    page = open_page("/intake/keys/new", theme="auto")
    name = f"site-{deck.language}"
    page.fill("input[name=name]", name)
    page.fill("textarea[name=labels]", f"env={EVIL}")
    page.locator(".card-footer button").click()
    page.goto(deck.url("/intake/keys"))
    page.get_by_role("link", name=name).click()
    inspect_both(page)
    page.fill("input[name=records_per_second]", "7")
    page.locator(".card-footer button").click()
    row = page.get_by_role("row", name=name)
    expect(row).to_contain_text("7")
    assert page.locator("img[src=x]").count() == 0
    row.locator("button").click()
    page.locator("#qd-confirm [data-yes]").click()
    expect(page.get_by_role("row", name=name).locator("button")).to_have_count(0)


def test_a_dead_letter_is_looked_at_and_deleted(deck: Deck, open_page: Open) -> None:
    name = "000001a2193250ae-00000001-000007"
    content = f'{{"text": "password=hunter2 {EVIL}"}}'.encode()
    entry = Entry("otlp", 0, time.time_ns() // 1_000_000, Frame("otlp.logs", content, 1))
    bury(deck.instance.data / "spool" / "dead", name, entry, f"cannot be read near {EVIL}")
    page = open_page("/intake/dead", theme="auto")
    inspect_both(page)
    page.locator(f"a[href$='{name}']").click()
    expect(page.locator("pre")).to_contain_text("password=***")
    expect(page.locator("pre")).to_contain_text(EVIL)
    assert "hunter2" not in page.content()
    assert page.locator("img[src=x]").count() == 0
    inspect_both(page)
    page.locator("button[value=delete]").click()
    page.locator("#qd-confirm [data-yes]").click()
    page.wait_for_url("**/intake/dead")
    expect(page.locator(f"a[href$='{name}']")).to_have_count(0)


def test_a_rule_is_tried_while_it_is_written(deck: Deck, open_page: Open) -> None:
    page = open_page("/intake/redaction", theme="auto")
    page.fill("#trial-text", "card 4111 1111 1111 1111")
    expect(page.locator("#trial-result pre")).to_have_text("card [card]")
    page.goto(deck.url("/intake/redaction/new"))
    page.fill("#trial-text", "by E123456")
    page.fill("input[name=pattern]", "E[0-9")
    expect(page.locator("#trial-result .qd-notice.bad")).to_be_visible()
    page.fill("input[name=pattern]", "E[0-9]{6}")
    page.fill("input[name=replacement]", "[staff]")
    expect(page.locator("#trial-result pre")).to_have_text("by [staff]")
    page.fill("input[name=name]", "staff-id")
    inspect_both(page)
    page.locator(".card-footer button").click()
    row = page.get_by_role("row", name="staff-id")
    expect(row).to_be_visible()
    row.locator("button").click()
    page.locator("#qd-confirm [data-yes]").click()
    expect(page.get_by_role("row", name="staff-id").locator(".is-idle")).to_be_visible()


def test_the_palette_finds_a_protocol(deck: Deck, open_page: Open) -> None:
    page = open_page("/", theme="auto")
    page.keyboard.press("Control+k")
    page.keyboard.type("opentelemetry")
    expect(page.locator("#qd-palette [role=option]").first).to_contain_text("otlp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/intake/connect/otlp")
