"""What the generators of reference pages share."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

# Removed when the program ends.
_DATA = tempfile.TemporaryDirectory(prefix="quarterdeck-docs-")
REFERENCE = Path(__file__).resolve().parents[1] / "reference"


def set_up() -> None:
    """Start Django on an empty data directory, once: a page never depends on this machine's settings."""
    from django.apps import apps

    if not apps.ready:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quarterdeck.conf.settings")
        os.environ.setdefault("QD_DATA", _DATA.name)
        import django

        django.setup()


def finish(name: str, text: str) -> int:
    """Write `reference/<name>.md`, or with `--check` tell whether it is up to date. Returns the exit status."""
    target = REFERENCE / f"{name}.md"
    if "--check" in sys.argv:
        same = target.is_file() and target.read_text(encoding="utf-8") == text
        print(f"{target.name} " + ("is up to date" if same else "differs; run docs/bin/generate"))  # noqa: T201
        return 0 if same else 1
    target.write_text(text, encoding="utf-8")
    return 0
