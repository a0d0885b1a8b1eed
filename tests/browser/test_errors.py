"""An error of a program with Sentry's SDK is found, read and resolved in a real browser."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Deck, Open
from tests.browser.test_pass_axe import inspect_both
from tests.lab.intake import IntakeLab
from tests.lab.parts import wait_until
from tests.receivers.sentry.clients import dsn, run_python

# The first one waits for an instance that starts, and for its first person.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
# The first person of the deck.
PERSON = "captain"


@pytest.fixture(scope="module")
def issue(deck: Deck, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The issue of a real program's exception."""
    name = f"shop-{time.time_ns()}"
    run_python("errors", name, dsn(IntakeLab(deck.instance)))
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        query = f"/api/v1/errors/issues?q=service:{name}%20type:ValueError"
        status, page = deck.instance.get(query, token=deck.instance.token)
        found[:] = page["items"] if status == 200 else []
        return bool(found)

    wait_until(is_there, "the issue", 60)
    _tell_whose(deck, found[0], tmp_path_factory.mktemp("repository"))
    return found[0]


def _tell_whose(deck: Deck, issue: dict[str, Any], repository: Path) -> None:
    """Give the issue an owner, and a commit that may have brought it."""
    project = str(issue["project"])
    rules = repository / "OWNERS"
    rules.write_text(f"path:*shop.py {PERSON}\n")
    deck.instance.qd("error-owners", "set", project, str(rules))
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    (repository / "shop.py").write_text("x")
    for command in (["init", "--quiet"], ["add", "shop.py"], [*who, "commit", "--quiet", "-m", "Refuse <b>orders</b>"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    sent = ["--project", project, "--path", str(repository)]
    deck.instance.qd("releases", "set-commits", issue["first_release"], *sent)


def test_an_error_is_read_and_resolved(issue: dict[str, Any], open_page: Open) -> None:
    page = open_page(f"/errors?q=service:{issue['service']}", theme="auto")
    row = page.locator("tr", has=page.locator(f"a[href='/errors/{issue['id']}']"))
    expect(row.locator("svg rect").first).to_be_visible()
    inspect_both(page)
    row.locator("input[name=id]").check()
    expect(page.locator("[data-bulk]")).to_be_visible()
    inspect_both(page)
    row.locator("a").click()
    expect(page.locator(".qd-frames").first).to_contain_text("errors")
    expect(page.locator(".qd-source tr[aria-current]").first).to_contain_text("raise ValueError")
    expect(page.locator(".qd-tag").first).to_be_visible()
    expect(page.locator("section[aria-labelledby=suspects]")).to_contain_text("Refuse <b>orders</b>")
    expect(page.locator("section", has=page.locator(".qd-issue-trend"))).to_contain_text(f"{PERSON} path:*shop.py")
    inspect_both(page)
    page.locator(".qd-variables summary").first.click()
    inspect_both(page)
    page.locator(".qd-actions [data-bs-toggle=dropdown]").first.click()
    page.locator("button[value=resolve]").click()
    expect(page.locator(".qd-item-facts .qd-badge.good")).to_be_visible()
    page.fill("textarea[name=text]", "<img src=x onerror=alert(1)>")
    page.locator("form[action$='/comments'] button").click()
    expect(page.locator("ol.qd-activity")).to_contain_text("<img src=x onerror=alert(1)>")
    inspect_both(page)


def test_the_list_of_events(issue: dict[str, Any], open_page: Open) -> None:
    page = open_page(f"/errors/{issue['id']}/events", theme="auto")
    expect(page.locator("tbody tr")).to_have_count(1)
    inspect_both(page)
