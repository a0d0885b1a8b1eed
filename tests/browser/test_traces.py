"""A fault is followed from a point to its span, in a real browser; 10,000 spans are as quick as ten."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Deck, Open
from tests.browser.test_pass_axe import inspect_both
from tests.lab.parts import wait_until

# The first one waits for an instance that starts, and for its first person.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
EVIL = "<img src=x onerror=alert(1)>"
MS = 1_000_000


def _span(trace: str, number: int, parent: int, start_ns: int, ms: float, name: str, **more: Any) -> dict[str, Any]:
    return {
        "traceId": trace, "spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else "", "name": name,
        "kind": 2, "startTimeUnixNano": str(start_ns), "endTimeUnixNano": str(start_ns + int(ms * MS)), **more,
    }  # fmt: skip


def _send(deck: Deck, service: str, spans: list[dict[str, Any]]) -> None:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    address = f"http://{deck.instance.environment['QD_INTAKE_HTTP']}/v1/traces"
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def _wait_for(deck: Deck, trace: str, spans: int) -> None:
    def arrived() -> bool:
        status, found = deck.instance.get(f"/api/v1/traces/{trace}", token=deck.instance.token)
        return status == 200 and len(found["spans"]) == spans

    wait_until(arrived, f"{spans} spans")


@pytest.fixture(scope="module")
def fault(deck: Deck) -> str:
    """A request that failed in its third step; the texts are hostile."""
    trace, start = f"{time.time_ns():032x}", time.time_ns() - 30 * 1000 * MS
    failed = {
        "status": {"code": 2, "message": f"declined {EVIL}"},
        "attributes": [{"key": "card", "value": {"stringValue": EVIL}}],
    }
    _send(
        deck,
        f"shop{EVIL}",
        [_span(trace, 1, 0, start, 900, f"POST /pay {EVIL}"), _span(trace, 2, 1, start, 20, "auth")],
    )
    _send(deck, "bank", [_span(trace, 3, 1, start + 100 * MS, 700, "charge", **failed)])
    _wait_for(deck, trace, 3)
    return trace


def test_a_fault_is_followed_to_its_span_by_keyboard(deck: Deck, open_page: Open, fault: str) -> None:
    page = open_page("/traces?q=status:error", theme="auto")
    expect(page.locator("[data-island=scatter] canvas")).to_be_visible()
    inspect_both(page)
    page.locator(f"a[href='/traces/{fault}']").click()
    tree = page.locator("[role=tree]")
    expect(tree.locator("[role=treeitem]")).to_have_count(3)
    expect(tree).to_contain_text(EVIL)
    tree.focus()
    for key in ("ArrowDown", "End", "Enter"):
        page.keyboard.press(key)
    details = page.locator("#span-details")
    expect(details).to_contain_text(f"declined {EVIL}")
    expect(details).to_contain_text("card")
    inspect_both(page)
    tree.focus()
    for key in ("Home", "ArrowLeft"):
        page.keyboard.press(key)
    expect(tree.locator("[role=treeitem]")).to_have_count(1)
    page.keyboard.press("ArrowRight")
    expect(tree.locator("[role=treeitem]")).to_have_count(3)
    page.locator("[data-view=flame]").click()
    expect(page.locator(".qd-wf-flame canvas")).to_be_visible()
    inspect_both(page)


def test_a_rectangle_over_points_searches_what_lies_in_it(open_page: Open, fault: str) -> None:
    page = open_page("/traces?q=service:bank")
    canvas = page.locator("[data-island=scatter] canvas")
    edge = canvas.bounding_box()
    assert edge
    page.mouse.move(edge["x"] + 80, edge["y"] + 40)
    page.mouse.down()
    page.mouse.move(edge["x"] + edge["width"] - 30, edge["y"] + edge["height"] - 40, steps=5)
    expect(page.locator(".qd-scatter-box")).to_be_visible()
    page.mouse.up()
    page.wait_for_url("**duration**")
    expect(page.locator("input[name=q]")).to_have_value(re.compile(r"^\(service:bank\) time:\[.+\] duration:\[.+\]$"))
    expect(page.locator(f"a[href='/traces/{fault}']")).to_be_visible()


def test_two_traces_are_chosen_and_compared(deck: Deck, open_page: Open) -> None:
    for number, ms in ((1, 100), (2, 300)):
        trace = f"{time.time_ns():032x}"
        start = time.time_ns() - 20 * 1000 * MS
        _send(
            deck, "twins", [_span(trace, 1, 0, start, ms, f"twin {number}"), _span(trace, 2, 1, start, ms / 2, "sql")]
        )
        _wait_for(deck, trace, 2)
    page = open_page("/traces?q=service:twins", theme="auto")
    boxes = page.locator("input[name=trace]")
    expect(boxes).to_have_count(2)
    for index in range(2):
        boxes.nth(index).check()
    page.locator("button[form=compare], form#compare button").click()
    expect(page.locator("#steps")).to_be_visible()
    inspect_both(page)


def test_a_service_is_looked_at(open_page: Open, fault: str) -> None:
    page = open_page("/services", theme="auto")
    page.get_by_role("link", name="bank", exact=True).click()
    expect(page.locator("#operations")).to_be_visible()
    expect(page.locator("[data-island=chart] canvas").first).to_be_visible()
    inspect_both(page)


def test_ten_thousand_spans_are_there_at_once(deck: Deck, open_page: Open) -> None:
    trace, start = f"{time.time_ns():032x}", time.time_ns() - 60 * 1000 * MS
    for first in range(1, 10_001, 2000):
        numbers = range(first, first + 2000)
        _send(deck, "big", [_span(trace, n, n // 8, start + n * MS, 20_000 - n, f"step {n % 50}") for n in numbers])
    _wait_for(deck, trace, 10_000)
    page = open_page(f"/traces/{trace}", theme="auto")
    expect(page.locator("[data-island=waterfall]")).to_have_attribute("data-ready", "10000")
    tree = page.locator("[role=tree]")
    assert tree.locator("[role=treeitem]").count() < 100
    tree.focus()
    page.keyboard.press("End")
    expect(tree.locator(".is-current")).to_have_attribute("data-index", "9999")
    assert tree.locator("[role=treeitem]").count() < 100
    inspect_both(page)
