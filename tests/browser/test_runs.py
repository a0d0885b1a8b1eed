"""A rolling change with one failing host, seen in a browser: it stops, is looked at, mended and retried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Deck, Open
from tests.browser.test_pass_axe import inspect
from tests.lab.parts import directory
from tests.lab.ssh_hosts import SshHost, ssh_host

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WORDS = {
    "en": {"run": "Run it", "stopped": "Stopped after failures", "retry": "Retry what was not done", "ok": "Succeeded"},
    "zh-hans": {"run": "运行", "stopped": "因失败停止", "retry": "重试未完成的主机", "ok": "成功"},
}
DIFFERS = {"en": "what differs", "zh-hans": "查看差异"}


@pytest.fixture(scope="module")
def host() -> Iterator[SshHost]:
    addresses = (f"ListenAddress 127.0.3.{number}" for number in range(1, 7))
    with ssh_host("Subsystem sftp internal-sftp", *addresses) as running:
        yield running


@pytest.fixture
def fence() -> Iterator[Path]:
    with directory() as home:
        home.chmod(0o755)
        (home / "fence").touch()
        yield home / "fence"


def _prepare(deck: Deck, host: SshHost, home: Path) -> None:
    key = home / "key"
    key.touch(0o600)
    key.write_text(host.key)
    rows = [f"deck{number},127.0.3.{number},{host.port},ops,deck" for number in range(1, 7)]
    (home / "hosts.csv").write_text("\n".join(["name,address,ssh_port,ssh_user,env", *rows]) + "\n")
    deck.instance.qd(
        "credentials", "create", "--name", "deck", "--user", "ops", "--key-file", str(key), "-q", "env:deck"
    )
    deck.instance.qd("items", "import", str(home / "hosts.csv"), "--type", "host", "--key", "name")


def test_a_rolling_change_stops_is_mended_and_retried(
    deck: Deck, open_page: Open, host: SshHost, fence: Path, tmp_path: Path
) -> None:
    words = WORDS[deck.language]
    _prepare(deck, host, tmp_path)
    page = open_page("/runs/new")
    page.fill("#query", "env:deck")
    expect(page.locator("#chosen")).to_contain_text("deck1, deck2")
    refuses = f"test ! -e {fence} || {{ echo locked >&2; exit 5; }}"
    command = f'case "$SSH_CONNECTION" in *127.0.3.4*) {refuses};; esac; echo changed'
    page.fill("#id_command", command)
    page.check("#id_accepts_new_host_keys")
    page.fill("#id_batch", "1,50%")
    page.fill("#id_max_fail", "0")
    page.click(f"button:has-text('{words['run']}'):not([name])")
    expect(page.locator("[data-state=stopped]")).to_contain_text(words["stopped"])
    odd = page.locator("article[data-group=failed]")
    expect(odd).to_contain_text("locked")
    expect(odd).to_contain_text("deck4")
    # The odd one out stands above the others.
    expect(page.locator("article").first).to_contain_text("deck4")
    odd.get_by_text(DIFFERS[deck.language]).click()
    expect(page.locator(".is-add")).to_contain_text(["locked"])
    inspect(page)
    page.go_back()
    inspect(page)
    page.locator("tbody").get_by_role("link", name="deck4").click()
    expect(page.locator(".qd-output")).to_contain_text("locked")
    inspect(page)
    page.go_back()
    fence.unlink()
    page.get_by_role("button", name=words["retry"]).click()
    expect(page.locator("[data-state=succeeded]")).to_contain_text(words["ok"])
    expect(page.locator("article")).to_have_count(1)
    expect(page.locator("article")).to_contain_text("changed")
    assert not deck.complaints


def test_output_comes_while_it_runs_and_ending_it_ends_it(deck: Deck, open_page: Open, host: SshHost) -> None:
    page = open_page("/runs/new?q=name:deck1")
    page.fill("#id_command", "for i in $(seq 900); do echo line $i; sleep 0.2; done")
    page.check("#id_accepts_new_host_keys")
    page.click(f"button:has-text('{WORDS[deck.language]['run']}'):not([name])")
    expect(page.locator("[data-lines]")).to_contain_text("line 3")
    page.locator("button[value=cancel]").click()
    page.locator("#qd-confirm [data-yes]").click()
    expect(page.locator("[data-state=cancelled]")).to_be_visible()
    assert not deck.complaints


def test_a_file_is_pushed_pulled_and_downloaded(
    deck: Deck, open_page: Open, host: SshHost, fence: Path, tmp_path: Path
) -> None:
    fence.parent.chmod(0o777)
    words = WORDS[deck.language]
    (tmp_path / "app.conf").write_text("{{ name }}\n")
    page = open_page("/runs/new/push?q=name:deck2")
    page.set_input_files("[name=files]", tmp_path / "app.conf")
    expect(page.locator("[data-drop-name]")).to_have_text("app.conf")
    page.fill("#id_path", f"{fence.parent}/")
    page.check("#id_is_template")
    page.check("#id_accepts_new_host_keys")
    page.fill("#id_at_once", "0")
    page.click(f"button:has-text('{words['run']}'):not([name])")
    # What was uploaded need not be chosen again.
    expect(page.locator("[name=kept]")).to_be_checked()
    inspect(page)
    page.fill("#id_at_once", "5")
    page.click(f"button:has-text('{words['run']}'):not([name])")
    expect(page.locator("[data-state=succeeded]")).to_contain_text(words["ok"])
    expect(page.locator("article[data-group=changed]")).to_contain_text("app.conf")
    assert (fence.parent / "app.conf").read_text() == "deck2\n"
    page = open_page("/runs/new/pull?q=name:deck2")
    page.fill("#id_path", f"{fence.parent}/*.conf")
    page.click(f"button:has-text('{words['run']}'):not([name])")
    expect(page.locator("[data-state=succeeded]")).to_contain_text(words["ok"])
    with page.expect_download() as coming:
        page.get_by_role("link", name="app.conf").click()
    assert coming.value.path().read_text() == "deck2\n"
    inspect(page)
    page.get_by_role("link", name="deck2").last.click()
    expect(page.locator("#files")).to_be_visible()
    inspect(page)
    assert not deck.complaints
