"""Questions in others' words (Zipkin's, Jaeger's) as one of our query language."""

from __future__ import annotations

import re

_KEY = re.compile(r"[^\W\d][\w.\-/]*")


def quoted(text: str) -> str:
    """Return `text` as a phrase: nothing in it has a meaning."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def of_tag(key: str, value: str | None) -> str:
    """Return the condition on an attribute; a value of None asks for its presence.

    Who asks for `error` means that the span failed. A key that no field can be called is looked for as a text.
    """
    if key == "error" and value in (None, "", "true"):
        return "(status:error OR attr.error:*)"
    if not _KEY.fullmatch(key):
        return quoted(key if value is None else value)
    return (
        f"(attr.{key}:* OR resource.{key}:*)"
        if value is None
        else (f"(attr.{key}:{quoted(value)} OR resource.{key}:{quoted(value)})")
    )
