"""What may stand at the cursor of the query box: fields that lines have, and their values."""

from __future__ import annotations

import re
from dataclasses import dataclass

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import OpsError
from quarterdeck.logs.compiling import FIELDS, LEVELS
from quarterdeck.logs.counting import facets
from quarterdeck.logs.searching import Search

_TOKEN = re.compile(r'[^\s()"]*$')
_PLAIN = re.compile(r"[^\s()\"\\\[\]<>*]+")
_MAX = 20


@dataclass(frozen=True, slots=True)
class Completion:
    """`text` replaces the characters from `start` to `end`; `hint` is how many lines have it."""

    text: str
    start: int
    end: int
    hint: str = ""


def completions(actor: Actor, text: str, cursor: int | None, search: Search) -> list[Completion]:
    """Return completions at `cursor`, from what the lines of the search's time have. An engine that is away has none.

    Raises Denied.
    """
    cursor = len(text) if cursor is None else max(0, min(cursor, len(text)))
    token = _TOKEN.search(text[:cursor])
    typed = token[0] if token else ""
    start = cursor - len(typed)
    if typed.startswith("-"):
        start, typed = start + 1, typed[1:]
    name, colon, value = typed.partition(":")
    known = _known(actor, search)
    if not colon:
        names = [*dict.fromkeys([*FIELDS, *known])]
        return [Completion(f"{one}:", start, cursor) for one in names if one.startswith(typed.lower())][:_MAX]
    low = value.lower().lstrip("<>=")
    start += len(name) + 1 + len(value) - len(value.lstrip("<>="))
    values = dict.fromkeys(LEVELS, 0) | dict(known.get(name, ())) if name == "level" else dict(known.get(name, ()))
    return [
        Completion(_quoted(one), start, cursor, str(count) if count else "")
        for one, count in values.items()
        if one and one.lower().startswith(low)
    ][:_MAX]


def _known(actor: Actor, search: Search) -> dict[str, list[tuple[str, int]]]:
    try:
        return {facet.field: facet.values for facet in facets(actor, search)}
    except OpsError:
        # Completion is a help: what is wrong is told where the search itself runs.
        return {}


def _quoted(value: str) -> str:
    plain = _PLAIN.fullmatch(value) and not value.startswith("/")
    return value if plain else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
