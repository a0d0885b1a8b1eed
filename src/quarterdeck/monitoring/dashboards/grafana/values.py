"""Values of foreign JSON: whatever stands there, these are of the kind that is asked for."""

from __future__ import annotations

import math
from typing import Any


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def mappings(value: Any) -> list[dict[str, Any]]:
    return [one for one in sequence(value) if isinstance(one, dict)]


def text(value: Any, most: int = 255) -> str:
    """Return a string of at most `most` characters, "" for anything that is no text and no number."""
    is_text = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value)[:most] if is_text else ""


def number(value: Any) -> float | None:
    """Return a finite number, also one that is written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def whole(value: Any, usual: int, low: int, high: int) -> int:
    """Return an integer within bounds, `usual` where there is no number."""
    found = number(value)
    return usual if found is None else max(low, min(high, int(found)))
