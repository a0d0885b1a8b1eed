"""Which of two releases is the newer one.

As Sentry does: by their numbers where both are of one package and follow semantic versioning ("shop@1.2.3",
"v1.2.3-rc1"), else by when they were first seen. See https://semver.org/#spec-item-11
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

_SEMANTIC = re.compile(
    r"(?:(?P<package>[^@]{1,200})@)?v?(?P<numbers>\d{1,9}(?:\.\d{1,9}){1,3})(?:-(?P<pre>[0-9A-Za-z.\-]+))?(?:\+[0-9A-Za-z.\-]+)?"
)
Precedence = tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]


@dataclass(frozen=True, slots=True)
class Semantic:
    """A version by its numbers; `precedence` is greater for a newer one of the same package."""

    package: str
    precedence: Precedence


def semantic(version: str) -> Semantic | None:
    """Return a version's numbers, None for what does not have them, as the hash of a commit."""
    found = _SEMANTIC.fullmatch(version)
    if found is None:
        return None
    numbers = [int(part) for part in found["numbers"].split(".")]
    numbers += [0] * (4 - len(numbers))
    pre = found["pre"]
    # A number is below a word, and any of both below none.
    parts = tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in pre.split(".")) if pre else ()
    return Semantic(found["package"] or "", (tuple(numbers), 0 if pre else 1, parts))


def is_newer(version: str, than: str, first_seen: Mapping[str, datetime]) -> bool:
    """Whether one release came after another one. One whose first time is not known is not newer by time."""
    if version == than:
        return False
    one, other = semantic(version), semantic(than)
    if one and other and one.package == other.package:
        return one.precedence > other.precedence
    at, before = first_seen.get(version), first_seen.get(than)
    return at is not None and before is not None and at > before


def newest(first_seen: Mapping[str, datetime]) -> str:
    """Return the newest of the releases, "" for none."""
    found = ""
    for version in sorted(first_seen, key=lambda name: (first_seen[name], name)):
        if not found or is_newer(version, found, first_seen):
            found = version
    return found
