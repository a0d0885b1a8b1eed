"""A fresh instance per language, its first person signed in, and pages that report what the browser complains of."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from tests.lab.chromium import chromium as chromium_alone
from tests.lab.instances import Instance, running_instance

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, StorageState

# A page that asks the engine may take its time on a machine that runs all tests; the limit only guards against hanging.
expect.set_options(timeout=20_000)
PASSWORD = "a-long-enough-Passw0rd"


@dataclass
class Deck:
    """An instance in one language; `state` is the browser of its signed-in first person."""

    instance: Instance
    language: str
    state: StorageState
    complaints: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return self.instance.url + path


def watch(page: Page, complaints: list[str]) -> Page:
    """Collect what must never happen on a page: errors, refused scripts, dialogs that a script opened."""
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on("console", lambda line: complaints.append(f"{page.url}: {line.text}") if _is_bad(line) else None)
    page.on("dialog", lambda dialog: (complaints.append(f"{page.url}: dialog {dialog.message}"), dialog.dismiss()))
    return page


def _is_bad(line: Any) -> bool:
    """Tell whether a line is the page's fault.

    An answer with an error status is its own matter, and so is a request that the browser gave up because a test
    beside this one has just added a network to the machine.
    """
    others = ("the server responded with a status of", "net::ERR_NETWORK_CHANGED")
    return line.type == "error" and not any(text in line.text for text in others)


@pytest.fixture(scope="session", params=["en", "zh-hans"])
def deck(request: pytest.FixtureRequest) -> Iterator[Deck]:
    with running_instance({"QD_LANGUAGE": request.param}) as instance:
        # In a thread of its own: the browser of the file that runs may hold this one's event loop.
        with ThreadPoolExecutor(1) as pool:
            state = pool.submit(_first_start, instance, request.param).result()
        yield Deck(instance, request.param, state)


def _first_start(instance: Instance, language: str) -> StorageState:
    """The first start as a person sees it: the link of the console, an account, the overview."""
    with chromium_alone() as browser:
        complaints: list[str] = []
        page = watch(browser.new_page(locale="zh-CN" if language == "zh-hans" else "en-GB"), complaints)
        page.goto(instance.set_up_link)
        page.fill("input[name=username]", "captain")
        page.fill("input[name=email]", "captain@example.com")
        page.fill("input[name=password]", PASSWORD)
        page.fill("input[name=again]", PASSWORD)
        page.click("main form button.btn-primary")
        page.wait_for_url(instance.url + "/")
        assert not complaints
        return page.context.storage_state()


Open = Callable[..., "Page"]


def _context(deck: Deck, chromium: Browser, *, theme: str, width: int, is_signed_in: bool) -> BrowserContext:
    context = chromium.new_context(
        storage_state=deck.state if is_signed_in else None,
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
        locale="zh-CN" if deck.language == "zh-hans" else "en-GB",
    )
    context.add_cookies([{"name": "qd_theme", "value": theme, "url": deck.instance.url}])
    return context


def _go(deck: Deck, page: Page, path: str) -> Page:
    page.goto(deck.url(path))
    page.wait_for_load_state("networkidle")
    return page


def _nobody_complained(deck: Deck) -> None:
    found, deck.complaints[:] = list(deck.complaints), []
    assert not found


@pytest.fixture
def open_page(deck: Deck, chromium: Browser) -> Iterator[Open]:
    """Open a path as the first person: `open_page("/items", theme="dark", width=390)`. Complaints fail the test."""
    contexts: list[BrowserContext] = []

    def opened(path: str, *, theme: str = "light", width: int = 1440, is_signed_in: bool = True) -> Page:
        contexts.append(_context(deck, chromium, theme=theme, width=width, is_signed_in=is_signed_in))
        return _go(deck, watch(contexts[-1].new_page(), deck.complaints), path)

    yield opened
    for context in contexts:
        context.close()
    _nobody_complained(deck)


@pytest.fixture(scope="module")
def looks(deck: Deck, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Tabs in which one only looks, one signed in and one not: scripts and styles are read once, as people's are."""
    known: dict[bool, Page] = {}

    def tab(*, is_signed_in: bool) -> Page:
        if is_signed_in not in known:
            context = _context(deck, chromium, theme="auto", width=1440, is_signed_in=is_signed_in)
            known[is_signed_in] = watch(context.new_page(), deck.complaints)
        return known[is_signed_in]

    yield tab
    for one in known.values():
        one.context.close()


@pytest.fixture
def look_at(deck: Deck, looks: Callable[..., Page]) -> Iterator[Open]:
    """Open a path wide and in the light as `open_page` does, in a tab that others have looked with and will."""

    def opened(path: str, *, is_signed_in: bool = True) -> Page:
        page = looks(is_signed_in=is_signed_in)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.set_viewport_size({"width": 1440, "height": 900})
        return _go(deck, page, path)

    yield opened
    _nobody_complained(deck)


@pytest.fixture(scope="session")
def machine(deck: Deck) -> int:
    """The item of this machine: it appears by itself."""
    return _first_item(deck, f"type:host+name:{socket.gethostname()}")


def _first_item(deck: Deck, query: str) -> int:
    import time

    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        _status, answer = deck.instance.get(f"/api/v1/items?q={query}", token=deck.instance.token)
        if answer["items"]:
            return int(answer["items"][0]["id"])
        time.sleep(0.5)
    raise AssertionError(f"no item {query} appeared\n{deck.instance.logs()}")
