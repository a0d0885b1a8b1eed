"""What changed between two JSON values, in parts that a page can mark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from quarterdeck.web.formatting import plain

# Above this many elements only the counts are told: SequenceMatcher is quadratic at worst.
MAX_PARTS = 400


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a difference; `tag` is "same", "removed", "added" or "skipped"."""

    tag: str
    text: str


def _lines(value: Any) -> list[str]:
    if isinstance(value, list):
        return [part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in value]
    if isinstance(value, dict):
        return [f"{key}: {json.dumps(part, ensure_ascii=False)}" for key, part in sorted(value.items())]
    return [] if value is None else str(value).splitlines()


def _by_lines(old: Any, new: Any) -> Iterator[Part]:
    before, after = _lines(old), _lines(new)
    if max(len(before), len(after)) > MAX_PARTS:
        yield Part("removed", f"{len(before)} …")
        yield Part("added", f"{len(after)} …")
        return
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Part("skipped", str(i2 - i1))
            continue
        yield from (Part("removed", line) for line in before[i1:i2])
        yield from (Part("added", line) for line in after[j1:j2])


def difference(old: Any, new: Any, unit: str = "") -> list[Part]:
    """Return the parts of a change: of lists and objects only what differs, of plain values the old and the new one."""
    if isinstance(old, list | dict) or isinstance(new, list | dict):
        return list(_by_lines(old, new))
    parts = []
    if old not in (None, ""):
        parts.append(Part("removed", plain(old, unit)))
    if new not in (None, ""):
        parts.append(Part("added", plain(new, unit)))
    return parts
