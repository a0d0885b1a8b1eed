"""The built front end: manifest.json maps a name to the file with its content's hash."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from django.templatetags.static import static

DIST = Path(__file__).parent / "static" / "dist"


@cache
def _manifest() -> dict[str, str]:
    path = DIST / "manifest.json"
    if not path.is_file():
        raise RuntimeError(f"{path} is missing: run `make frontend` (a wheel carries it already)")
    names: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return names


def asset_url(name: str) -> str:
    """Return the address of "app.css", "app.js" or "icons.svg"."""
    return static(f"dist/{_manifest()[name]}")


@cache
def drawn_icons() -> frozenset[str]:
    """Return the icons that are in the sprite."""
    names: dict[str, list[str]] = json.loads((Path(__file__).parent / "icons.json").read_text(encoding="utf-8"))
    return frozenset(name for group in names.values() for name in group)


@cache
def icon_names() -> tuple[str, ...]:
    """Return the icons that a type may have, in the order of icons.json."""
    names: dict[str, list[str]] = json.loads((Path(__file__).parent / "icons.json").read_text(encoding="utf-8"))
    return tuple(names["types"])
