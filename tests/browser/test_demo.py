"""`make demo`, as a newcomer: from the symptom to the cause by clicks alone, in both languages.

With QD_STORY=DIRECTORY the pages of the story are saved there: docs/guides/demo*.md show them.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import PASSWORD, watch
from tests.lab.parts import START_SECONDS, Server, free_port, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, StorageState

# The services' own environment is installed when it is not there yet.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]
# So long the good release answers before the faulty one is there; in pictures both are to be seen for minutes.
FAULT_AFTER_SECONDS = 150 if "QD_STORY" in os.environ else 20
SELECT = "SELECT count(*) FROM order_lines WHERE customer = ?"


class Demo:
    """`state` is the browser of its first person."""

    def __init__(self, data: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._log = data / "demo.log"
        listen = self.url.removeprefix("http://")
        command = [sys.executable, "-m", "demo", "--data", data / "demo", "--listen", listen]
        clean = [f"{name}={value}" for name, value in os.environ.items() if not name.startswith(("QD_", "DJANGO_"))]
        after = ["--fault-after", str(FAULT_AFTER_SECONDS)]
        self.server = Server(["env", "-C", ROOT, "-i", *clean, *command, *after], self._log)
        self.state: StorageState = {}

    def said(self, words: str, seconds: float = START_SECONDS) -> str:
        """Wait for a line with these words."""

        def line() -> str:
            return next((one for one in self._log.read_text().splitlines() if words in one), "")

        wait_until(line, f"{words}; said was {self._log.read_text()}", seconds)
        return line()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Demo]:
    started = Demo(tmp_path_factory.mktemp("demo"))
    try:
        link = re.search(r"http://\S+/set-up/\S+", started.said("make yourself an account first"))
        assert link is not None
        with chromium.new_context() as context:
            page = context.new_page()
            page.goto(link[0])
            page.fill("input[name=username]", "captain")
            page.fill("input[name=email]", "captain@example.com")
            page.fill("input[name=password]", PASSWORD)
            page.fill("input[name=again]", PASSWORD)
            page.click("main form button.btn-primary")
            page.wait_for_url(started.url + "/")
            started.state = context.storage_state()
        started.said("orders 2.1.0 is deployed", FAULT_AFTER_SECONDS + 60)
        time.sleep(FAULT_AFTER_SECONDS if "QD_STORY" in os.environ else 0)
        yield started
    finally:
        started.server.stop()


class Walk:
    """A person who only clicks. Every page of the story is photographed, and none may complain."""

    def __init__(self, page: Page, language: str, pictures: Path) -> None:
        self.page, self._language, self._pictures, self._taken = page, language, pictures, 0

    def click(self, what: str | Locator) -> None:
        (self.page.locator(what).first if isinstance(what, str) else what).click()
        self.page.wait_for_load_state("networkidle")

    def until(self, what: str) -> Locator:
        """Look again until there is such an element: telemetry takes seconds to arrive."""

        found = self.page.locator(what)

        def there() -> bool:
            if not found.count():
                self.page.reload()
                self.page.wait_for_load_state("networkidle")
            return bool(found.count())

        wait_until(there, f"{what} on {self.page.url}", seconds=120)
        return found.first

    def picture(self, name: str) -> None:
        self._taken += 1
        self.page.screenshot(
            path=self._pictures / f"demo-{self._taken}-{name}{self._language}.png", animations="disabled"
        )


@pytest.fixture(params=["en", "zh-hans"])
def walk(request: pytest.FixtureRequest, demo: Demo, chromium: Browser, tmp_path: Path) -> Iterator[Walk]:
    pictures = Path(os.environ.get("QD_STORY", tmp_path))
    complaints: list[str] = []
    with chromium.new_context(storage_state=demo.state, viewport={"width": 1440, "height": 900}) as context:
        context.add_cookies([{"name": "django_language", "value": request.param, "url": demo.url}])
        page = watch(context.new_page(), complaints)
        page.goto(demo.url)
        expect(page.locator("html")).to_have_attribute("lang", re.compile(request.param, re.IGNORECASE))
        yield Walk(page, "" if request.param == "en" else "-zh", pictures)
    assert not complaints


def test_the_fault_is_found_by_clicks_alone(walk: Walk) -> None:
    _symptom(walk)
    _why_it_is_slow(walk)
    _why_it_fails(walk)


def _symptom(walk: Walk) -> None:
    """Services: orders fails and is slow. Its page: since 2.1.0."""
    walk.page.locator("header .dropdown:has(button[name=range]) > button").click()
    walk.click("button[name=range][value='15m']")
    walk.click("nav a[href='/services']")
    walk.until("tr:has(a[href$='/services/orders']) .is-bad")
    walk.picture("services")
    walk.click("main a[href$='/services/orders']")
    walk.until("section:has(#versions) tr:has-text('2.1.0') .is-bad")
    expect(walk.page.locator("section:has(#versions) tr", has_text="2.0.0").locator(".is-bad")).to_have_count(0)
    walk.picture("service")


def _why_it_is_slow(walk: Walk) -> None:
    """A trace of the slow operation: one SELECT for each product. Statements: it costs more than all others."""
    walk.click("section:has(#operations) tr:has-text('POST /orders') a[href^='/traces/']")
    expect(walk.page.locator("section:has(#hints)")).to_contain_text(re.compile(r"\d+ × SELECT"))
    walk.click(walk.page.locator("[role=treeitem]", has_text=re.compile(r"orders\s*SELECT")).first)
    expect(walk.page.locator("#span-details")).to_contain_text(SELECT)
    walk.picture("trace")
    walk.click("nav a[href='/statements']")
    first = walk.page.locator("section:has(#statements) tbody tr").first
    expect(first).to_contain_text(SELECT)
    walk.picture("statements")
    walk.click(first.locator("a[href$='/services/orders']"))


def _why_it_fails(walk: Walk) -> None:
    """An exception's trace, the error on its span, the issue with the line, and back to the lines of its request."""
    walk.click(walk.until("section:has(#exceptions) a[href^='/traces/']"))
    walk.click(walk.until("section:has(#errors) a[href*='/errors/events/']"))
    main = walk.page.locator("main")
    for words in ("KeyError", "'platinum'", "orders@2.1.0", "_discount_percent", "return _LEVEL_PERCENT[level]"):
        expect(main).to_contain_text(words)
    walk.picture("error")
    walk.click("main a[href*='/logs?']")
    expect(walk.page.locator("main")).to_contain_text("Exception on /orders [POST]")
    walk.picture("logs")
