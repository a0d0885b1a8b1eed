"""What may stand at the cursor of a PromQL box: metrics, functions, labels, their values, durations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.monitoring import prometheus
from quarterdeck.telemetry.promql.parsing import shown
from quarterdeck.telemetry.promql.tokens import AGGREGATIONS, FUNCTIONS, LABEL_LISTS, Token, opened, selectors, tokens
from quarterdeck.telemetry.samples import is_counter, unit_of
from quarterdeck.telemetry.turns import turns

SHOWN_MAX = 50
_DURATIONS = ("1m", "5m", "15m", "1h", "6h", "1d")
_MATCHES = ("=", "!=", "=~", "!~")


@dataclass(frozen=True, slots=True)
class Completion:
    """What to write over [start, end) of the text."""

    text: str
    hint: str
    start: int
    end: int


def completions(actor: Actor, text: str, cursor: int) -> list[Completion]:
    """Return what fits at the cursor, best first. Raises Denied, TooMany, Unavailable."""
    cursor = max(0, min(cursor, len(text)))
    before = tokens(text[:cursor])
    last = before[-1] if before else None
    open_ = opened(before)
    bracket = before[open_[-1]] if open_ else None
    if bracket and bracket.text == "{":
        return _in_braces(actor, text, cursor, before, open_[-1])
    if last and last.is_open:
        return []
    word = last if last and last.kind in ("name", "number") and last.end == cursor else None
    if bracket and bracket.text == "[":
        return _fitting([(one, _("duration")) for one in _DURATIONS], word, cursor)
    if bracket and open_[-1] and before[open_[-1] - 1].text in LABEL_LISTS:
        return _fitting(_label_names(actor, _selected(text)), word, cursor)
    if word is None or word.kind == "number":
        return []
    return _fitting([*_metrics(actor), *_functions()], word, cursor)


def _in_braces(actor: Actor, text: str, cursor: int, before: list[Token], brace: int) -> list[Completion]:
    inside = before[brace + 1 :]
    metric = before[brace - 1].text if brace and before[brace - 1].kind == "name" else ""
    selector = [metric] if metric else []
    last = inside[-1] if inside else None
    if last and last.is_open and len(inside) >= 3 and inside[-2].text in _MATCHES:
        return _values(actor, text, cursor, inside[-3].text.strip("\"'`"), selector, last)
    if last and ((last.kind == "mark" and last.text != ",") or last.kind == "string"):
        return []
    word = last if last and last.kind == "name" else None
    return _fitting([(f'{name}="', hint) for name, hint in _label_names(actor, selector)], word, cursor)


def _values(actor: Actor, text: str, cursor: int, label: str, selector: list[str], last: Token) -> list[Completion]:
    typed = Token("name", last.text[1:], last.start + 1)
    quote = last.text[0]
    values = _asked(prometheus.label_values(actor, label, selector))
    end = "" if text[cursor : cursor + 1] == quote else quote
    rows = [(shown(value)[1:-1].replace("\n", "\\n") + end, label) for value in values]
    return _fitting(rows, typed, cursor)


def _fitting(rows: Iterable[tuple[str, str]], word: Token | None, cursor: int) -> list[Completion]:
    """The rows that begin with the word, then those that contain it."""
    typed = word.text.lower() if word else ""
    start = word.start if word else cursor
    found = [(not text.lower().startswith(typed), text, hint) for text, hint in rows if typed in text.lower()]
    chosen = sorted(found, key=lambda row: row[0])[:SHOWN_MAX]
    return [Completion(text, hint, start, cursor) for _late, text, hint in chosen if text != typed]


def _metrics(actor: Actor) -> list[tuple[str, str]]:
    return [(name, _about(name)) for name in _asked(prometheus.label_values(actor, "__name__"))]


def _about(metric: str) -> str:
    kind = _("counter") if is_counter(metric) else _("metric")
    return " · ".join(filter(None, [kind, unit_of(metric)]))


def _functions() -> list[tuple[str, str]]:
    return [(f"{name}(", _("aggregation")) for name in AGGREGATIONS] + [
        (f"{name}(", _("function")) for name in FUNCTIONS
    ]


def _label_names(actor: Actor, selector: list[str]) -> list[tuple[str, str]]:
    names = _asked(prometheus.label_names(actor, selector))
    return [(name, _("label")) for name in names if name != "__name__"]


def _selected(text: str) -> list[str]:
    """The metrics that the rest of the query selects: their labels are the ones to choose from."""
    return sorted({place.metric for place in selectors(text) if place.metric})


def _asked(ask: prometheus.Ask) -> Any:
    with turns.place(ask.caller):
        return ask.answer()
