"""Every page, in both themes, wide and narrow: no finding of axe-core, nothing that scrolls sideways."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.browser.conftest import Open

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PAGES = [
    "/", "/items", "/items?q=type:host", "/items?q=tipe:host", "/items/new", "/items/new?type=host", "/items/trash",
    "/items/drift", "/items/merges", "/topology", "/types", "/types/host", "/imports", "/audit", "/access",
    "/access/roles", "/access/tokens", "/settings", "/settings/system", "/me", "/nothing-here",
]  # fmt: skip
TABS = ["", "/metrics", "/relations", "/history", "/timeline", "/sources", "/edit", "/merge"]
LOOKS = [("light", 1440), ("dark", 390)]
FINDINGS = """axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations.map(
    one => `${one.id}: ${one.nodes.map(node => node.html.slice(0, 200)).join(" | ")}`))"""
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def check(open_page: Open, path: str, theme: str, width: int) -> None:
    page = open_page(path, theme=theme, width=width)
    # The policy lets no script in by a tag; the debugger's door is not the page's.
    page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    assert page.evaluate(FINDINGS) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize(("theme", "width"), LOOKS)
@pytest.mark.parametrize("path", PAGES)
def test_it_finds_nothing_on_a_page(open_page: Open, path: str, theme: str, width: int) -> None:
    check(open_page, path, theme, width)


@pytest.mark.parametrize(("theme", "width"), LOOKS)
@pytest.mark.parametrize("tab", TABS)
def test_it_finds_nothing_on_an_item(open_page: Open, machine: int, tab: str, theme: str, width: int) -> None:
    check(open_page, f"/items/{machine}{tab}", theme, width)
