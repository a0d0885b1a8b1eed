"""Conditions as text, for who narrows a query by a click."""

from __future__ import annotations

import re

_FIELD = re.compile(r"[^\W\d][\w.\-/]*")


def condition_text(field: str, value: str | None) -> str:
    """Return `field:"value"`, or `-field:*` for None; "" where the language has no such field.

    The value stands in quotes: nothing in it is special then.
    """
    if not _FIELD.fullmatch(field):
        return ""
    if value is None:
        return f"-{field}:*"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{field}:"{escaped}"'


def narrowed(query: str, condition: str) -> str:
    """Return the query with one more condition."""
    query = query.strip()
    return f"({query}) {condition}" if " OR " in query else f"{query} {condition}".strip()
