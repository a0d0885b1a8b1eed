"""The settings reference is made from the table of settings."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_settings_reference_matches_the_table() -> None:
    script = runpy.run_path(str(ROOT / "docs/bin/reference_settings.py"))
    written = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    assert written == script["render"](), "run docs/bin/reference_settings.py"
