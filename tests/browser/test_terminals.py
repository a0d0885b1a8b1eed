"""A terminal on a host in a browser: a command is typed and seen, others watch, and the recording replays it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Deck, Open
from tests.browser.test_pass_axe import inspect, inspect_both
from tests.lab.parts import wait_until
from tests.lab.ssh_hosts import SshHost, ssh_host

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WORDS = {
    "en": {
        "terminal": "Terminal",
        "open": "Open, and recorded",
        "share": "Let others watch",
        "shared": "Others may watch",
        "exited": "The shell ended",
        "recording": "Recording",
        "live": "Live, about a second behind",
        "keys": "Host keys",
        "refused": "It could not be opened",
    },
    "zh-hans": {
        "terminal": "终端",
        "open": "已打开，正在录制",
        "share": "允许他人观看",
        "shared": "他人可通过本页地址观看",
        "exited": "shell 已退出",
        "recording": "录像",
        "live": "实时画面，约延迟一秒",
        "keys": "主机密钥",
        "refused": "无法打开",
    },
}
ROWS = "[...document.querySelectorAll('.xterm-rows > div')].map(row => row.textContent).join('\\n')"


@pytest.fixture(scope="module")
def host() -> Iterator[SshHost]:
    with ssh_host("ListenAddress 127.0.4.1", "Subsystem sftp internal-sftp") as running:
        yield running


def prepared(deck: Deck, host: SshHost, home: Path) -> int:
    """Return the item of a host whose key nobody approved yet."""
    key = home / "key"
    key.touch(0o600)
    key.write_text(host.key)
    (home / "hosts.csv").write_text(f"name,address,ssh_port,ssh_user,env\nshell1,127.0.4.1,{host.port},ops,shells\n")
    words = ("--name", "shells", "--user", "ops", "--key-file", str(key), "-q", "env:shells")
    deck.instance.qd("credentials", "create", *words)
    deck.instance.qd("items", "import", str(home / "hosts.csv"), "--type", "host", "--key", "name")
    _status, found = deck.instance.get("/api/v1/items?q=name:shell1", token=deck.instance.token)
    return int(found["items"][0]["id"])


def rows(page: Page) -> str:
    return str(page.evaluate(ROWS))


def wait_for(page: Page, text: str) -> None:
    def is_there() -> bool:
        page.wait_for_timeout(50)
        return text in rows(page).replace("\N{NO-BREAK SPACE}", " ")

    wait_until(is_there, lambda: f"{text!r} in\n{rows(page)}", 60)


def begin(page: Page) -> None:
    page.locator("main form .card-footer button.btn-primary").click()


def test_a_terminal_is_used_watched_and_replayed(deck: Deck, open_page: Open, host: SshHost, tmp_path: Path) -> None:
    words = WORDS[deck.language]
    item = prepared(deck, host, tmp_path)
    page = open_page(f"/items/{item}", theme="auto")
    page.get_by_role("link", name=words["terminal"], exact=True).last.click()
    inspect_both(page)
    begin(page)
    # Nobody approved the host's key: the page says so, and where to.
    expect(page.locator("[data-status]")).to_have_text(words["refused"])
    expect(page.locator("[data-notice]")).to_contain_text("qd hosts keys approve")
    expect(page.locator("[data-host-keys]")).to_have_text(words["keys"])
    inspect(page)
    deck.instance.qd("hosts", "keys", "approve", "-q", "name:shell1", "--yes")
    page.locator("[data-after] a.btn-primary").click()
    page.fill("#id_reason", "CHG-4711")
    begin(page)
    expect(page.locator("[data-status]")).to_have_text(words["open"])
    page.keyboard.type("printf 'typed-%d \\344\\270\\255\\346\\226\\207\\n' $((6*7))\n")
    wait_for(page, "typed-42 中文")
    page.keyboard.type("printf '\\033[38;2;200;100;50mcolour\\033[0m\\n'; stty size\n")
    wide = int(page.evaluate("innerWidth"))
    wait_for(page, "\ncolour")
    page.set_viewport_size({"width": 700, "height": 700})
    page.keyboard.type("clear; stty size | tr ' ' x\n")
    wait_until(lambda: _columns(page) in range(20, 100), lambda: rows(page), 60)
    inspect(page)
    page.set_viewport_size({"width": wide, "height": 900})
    _is_watched(deck, open_page, page, words)
    page.locator(".xterm-helper-textarea").focus()
    page.keyboard.type("exit 3\n")
    expect(page.locator("[data-status]")).to_have_text(words["exited"])
    inspect(page)
    page.locator("[data-after]").get_by_role("link", name=words["recording"]).click()
    _is_replayed(page)
    with page.expect_download() as loaded:
        page.locator(".qd-actions a[href$=download]").click()
    assert loaded.value.suggested_filename.endswith("-shell1.cast")
    assert "typed-42 中文" in Path(loaded.value.path()).read_text()
    _are_browsed(deck, page, item, tmp_path)
    page.goto(deck.url("/terminals"))
    expect(page.locator("tbody tr").first).to_contain_text("ops@shell1")
    expect(page.locator("tbody tr").first).to_contain_text("CHG-4711")
    inspect_both(page)


def _are_browsed(deck: Deck, page: Page, item: int, home: Path) -> None:
    """The host's files, on the tab beside it: a directory, a download."""
    page.goto(deck.url(f"/items/{item}/files?path=/etc"))
    expect(page.get_by_role("link", name="hosts", exact=True)).to_have_count(0)
    expect(page.locator("tbody")).to_contain_text("passwd")
    inspect_both(page)
    with page.expect_download() as loaded:
        page.locator("tr:has-text('passwd') a[href*='download']").first.click()
    assert "ops:x:4001" in Path(loaded.value.path()).read_text()
    page.goto(deck.url(f"/items/{item}/files?path=/nowhere"))
    expect(page.locator("main [role=alert]")).to_contain_text("/nowhere")
    inspect(page)


def _columns(page: Page) -> int:
    page.wait_for_timeout(50)
    for row in rows(page).splitlines():
        lines, _by, columns = row.strip().partition("x")
        if lines.isdecimal() and columns.isdecimal():
            return int(columns)
    return 0


def _is_watched(deck: Deck, open_page: Open, page: Page, words: dict[str, str]) -> None:
    page.get_by_role("button", name=words["share"]).click()
    expect(page.locator("#terminal-share")).to_contain_text(words["shared"])
    other = open_page(page.url.removeprefix(deck.instance.url), theme="dark", width=390)
    expect(other.locator("[data-note]")).to_have_text(words["live"])
    page.locator(".xterm-helper-textarea").focus()
    page.keyboard.type("echo now-$((5*5))\n")
    wait_for(other, "now-25")
    inspect(other)
    other.close()


def _is_replayed(page: Page) -> None:
    expect(page.locator("[data-ready]")).to_be_visible()
    page.locator("[data-speed]").select_option("16")
    wait_for(page, "now-25")
    expect(page.locator("[data-play]")).to_have_attribute("data-state", "paused")
    inspect_both(page)
    # Back to the beginning, where nothing was typed yet.
    page.locator("[data-seek]").fill("0")
    wait_until(lambda: "now-25" not in rows(page), "the beginning", 60)
