"""Sentry's own SDK for browsers, from npm, in Debian's Chromium: another origin, so it asks before it sends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from tests.lab.intake import IntakeLab
from tests.receivers.sentry.clients import bundle_browser_sdk, dsn

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page with the SDK in it."""
    directory = tmp_path_factory.mktemp("page")
    bundle_browser_sdk(directory)
    (directory / "shop.html").write_text("<!doctype html><title>Shop</title><script src=shop.js></script>")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/shop.html"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_keeps_what_a_page_did_not_handle(intake: IntakeLab, chromium: Browser, shop: str) -> None:
    name = intake.unique("page")
    page = chromium.new_page()
    try:
        page.goto(f"{shop}?{urlencode({'dsn': dsn(intake, project=44), 'name': name})}")
        page.evaluate("() => { shop.fail(); return new Promise(done => setTimeout(done, 200)); }")
        assert page.evaluate("() => shop.flush()") is True
        # The page's load is over when nothing went on for a second.
        page.wait_for_timeout(2500)
        assert page.evaluate("() => shop.flush()") is True
    finally:
        page.close()
    [event] = intake.arrived("SELECT * FROM error_events WHERE service = {s:String}", s=name)
    assert (event["message"], event["handled"]) == ("RangeError: the cart is full: password=***", False)
    assert (event["platform"], event["project"], event["release"]) == ("javascript", 44, f"{name}@1.0.0")
    assert json.loads(event["payload"])["request"]["url"].startswith(shop)
    sessions = intake.arrived("SELECT * FROM release_sessions WHERE release = {r:String}", r=f"{name}@1.0.0")
    assert sessions[0]["errors"] == 1
    root = "SELECT service, attributes FROM spans WHERE version = {v:String} AND parent_id = toFixedString('', 8)"
    [load] = intake.arrived(root, v=f"{name}@1.0.0")
    assert (load["service"], load["attributes"]["sentry.op"]) == ("project-44", "pageload")
