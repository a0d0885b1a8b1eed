"""Debian's Chromium without its windows, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.lab.parts import need

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ARGUMENTS = (
    # The tests run as root, and in containers.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    # Nothing but the pages under test is asked for: no updates, no lists, no experiments.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    # Pictures of pages look the same everywhere.
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a headless browser; a test opens its own contexts (sessions, languages, sizes) in it."""
    need("chromium-headless-shell")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/lib/chromium/chromium-headless-shell", args=list(ARGUMENTS)
        )
        try:
            yield browser
        finally:
            browser.close()
