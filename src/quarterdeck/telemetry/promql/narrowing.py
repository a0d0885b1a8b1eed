"""From a series of an answer to the query of that series alone."""

from __future__ import annotations

import re
from collections.abc import Mapping

from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.parsing import parse, shown
from quarterdeck.telemetry.promql.tokens import Place, selectors, tokens

# Where labels of the answer are not those of what is selected, a condition more would ask for something else.
_FOREIGN_LABELS = frozenset({
    "on", "ignoring", "group_left", "group_right", "label_replace", "label_join", "count_values", "absent",
    "absent_over_time", "scalar", "vector",
})  # fmt: skip
_NAME = re.compile(r"[a-zA-Z_]\w*")


def narrowed(query: str, labels: Mapping[str, str]) -> str:
    """Return `query` with the labels as conditions of each selector; "" where that is not the series, or no change.

    The value "" is that of series without the label.
    """
    if any(token.text in _FOREIGN_LABELS for token in tokens(query) if token.kind == "name"):
        return ""
    text = query
    for place in reversed(list(selectors(query))):
        text = _with_conditions(text, place, _conditions(place, labels))
    if text == query:
        return ""
    try:
        parse(text)
    except BadExpression:
        return ""
    return text


def _conditions(place: Place, labels: Mapping[str, str]) -> list[str]:
    """The conditions that the selector lacks."""
    inside = "".join(token.text for token in place.braces or ())
    wanted = [
        f"{name if _NAME.fullmatch(name) else shown(name)}={_quoted(value)}"
        for name, value in labels.items()
        if not (name == "__name__" and (place.metric or "__name__=" in inside))
    ]
    return [one for one in wanted if one not in inside]


def _quoted(value: str) -> str:
    return shown(value).replace("\n", "\\n")


def _with_conditions(text: str, place: Place, conditions: list[str]) -> str:
    if not conditions:
        return text
    added = ", ".join(conditions)
    if place.braces is None:
        return f"{text[: place.end]}{{{added}}}{text[place.end :]}"
    at = place.braces[0].end
    return f"{text[:at]}{added}{'' if place.braces[1].text == '}' else ', '}{text[at:]}"
