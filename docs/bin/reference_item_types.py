"""Writes docs/reference/item-types.md from the built-in types."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pages import finish, set_up

_HEAD = """# Built-in item types

<!-- Made from the code by docs/bin/reference_item_types.py; do not edit. -->

Types and attributes can be added and changed at run time; these are there from the start. An attribute's code is also
the name of its field in a query. *Indexed* attributes are answered by an index.
"""


def _kind(attribute: Mapping[str, Any]) -> str:
    kind = str(attribute.get("kind", "text")).replace("_", " ")
    if attribute.get("reference_type"):
        kind = f"reference to {attribute['reference_type']}"
    return f"list of {kind}" if attribute.get("is_list") else kind


def _marks(attribute: Mapping[str, Any]) -> str:
    marks = [name for name in ("required", "unique", "indexed") if attribute.get(name)]
    if attribute.get("track_history") is False:
        marks.append("no history")
    return ", ".join(marks)


def _rows(spec: Mapping[str, Any]) -> Iterator[str]:
    for attribute in spec.get("attributes", []):
        titles, unit = f"{attribute['title_en']} · {attribute.get('title_zh', '')}", attribute.get("unit", "")
        yield f"| `{attribute['code']}` | {titles} | {_kind(attribute)} | {unit} | {_marks(attribute)} |"


def render() -> str:
    """Return the whole page."""
    set_up()
    from quarterdeck.inventory.builtin import builtin_types

    parts = [_HEAD]
    for spec in builtin_types():
        parts.append(f"## `{spec['code']}` · {spec['title_en']} · {spec.get('title_zh', '')}\n")
        rows = list(_rows(spec))
        if rows:
            parts.append("| attribute | title | kind | unit | |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(finish("item-types", render()))
