"""docs/reference/cli.md says what the commands say."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def test_the_reference_of_commands_is_up_to_date() -> None:
    path = Path(__file__).parents[2] / "docs" / "bin" / "reference_cli.py"
    spec = importlib.util.spec_from_file_location("reference_cli", path)
    assert spec is not None
    assert spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    assert reference.TARGET.read_text(encoding="utf-8") == reference.render(), "run docs/bin/reference_cli.py"
