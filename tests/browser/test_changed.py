"""What changed is seen at a glance and followed by a click: on log lines and on traces, in a real browser."""

from __future__ import annotations

import time

import httpx
import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Deck, Open
from tests.browser.test_pass_axe import inspect_both
from tests.browser.test_traces import MS, _send, _span
from tests.lab.parts import wait_until

# The first one waits for an instance that starts, and for its first person.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
EVIL = "<img src=x onerror=alert(1)>"
EACH = 30


@pytest.fixture(scope="module")
def release(deck: Deck) -> None:
    """An hour and a half ago all was well; half an hour ago version 2 declines cards."""
    for minutes, version, text, level in (
        (90, "1", "order {} paid", "info"),
        (30, f"2 {EVIL}", "card {} declined", "error"),
    ):
        start = time.time_ns() - minutes * 60_000 * MS
        lines = [[str(start + n * MS), text.format(n)] for n in range(EACH)]
        stream = {"service_name": "changing", "version": version, "level": level}
        body = {"streams": [{"stream": stream, "values": lines}]}
        address = f"http://{deck.instance.environment['QD_INTAKE_HTTP']}/loki/api/v1/push"
        assert httpx.post(address, json=body, timeout=30).status_code == 204
        more = {"attributes": [{"key": "app.version", "value": {"stringValue": version}}]}
        more |= {"status": {"code": 2}} if level == "error" else {}
        ms = 25 if level == "error" else 5
        spans = [
            _span(f"{start + n:032x}", n + 1, 0, start + n * 1000 * MS, ms, "POST /pay", **more) for n in range(EACH)
        ]
        _send(deck, "changing", spans)

    def arrived() -> bool:
        found = [
            deck.instance.get(f"/api/v1/{kind}/changed?q=service:changing", token=deck.instance.token)[1]["fields"]
            for kind in ("logs", "traces")
        ]
        return all((one["now"], one["before"]) == (EACH, EACH) for one in found)

    wait_until(arrived, "lines and spans", seconds=90)


@pytest.mark.usefixtures("release")
def test_a_difference_is_seen_and_a_click_leads_to_what_it_is_of(look_at: Open) -> None:
    for kind, rows in (("logs", "#log-rows > li"), ("traces", "table tbody tr")):
        page = look_at(f"/{kind}/changed?q=service:changing")
        inspect_both(page)
        # The facets beside have the same value, and stay on this page.
        page.locator(".qd-changed a", has_text=EVIL).first.click()
        expect(page.locator(rows)).to_have_count(EACH)
        assert EVIL in page.locator("input[name=q], textarea[name=q]").first.input_value()
