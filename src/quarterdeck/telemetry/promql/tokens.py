"""The words of a query with their places, also of one that does not parse (yet): for completion and for errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

AGGREGATIONS = (
    "sum", "avg", "min", "max", "count", "topk", "bottomk", "quantile", "stddev", "stdvar", "group", "count_values",
    "limitk", "limit_ratio",
)  # fmt: skip
FUNCTIONS = (
    "rate", "irate", "increase", "delta", "idelta", "deriv", "resets", "changes", "avg_over_time", "min_over_time",
    "max_over_time", "sum_over_time", "count_over_time", "last_over_time", "quantile_over_time", "stddev_over_time",
    "stdvar_over_time", "mad_over_time", "present_over_time", "absent_over_time", "predict_linear",
    "double_exponential_smoothing", "histogram_quantile", "histogram_fraction", "label_replace", "label_join", "absent",
    "abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "exp", "ln", "log2", "log10", "sqrt", "sgn",
    "sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "scalar", "vector", "time", "timestamp", "minute",
    "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year",
)  # fmt: skip
# Words after which labels stand in parentheses.
LABEL_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS = LABEL_LISTS | {"and", "or", "unless", "atan2", "offset", "bool", "inf", "nan"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_TOKEN = re.compile(
    r"""(?P<space>(?:\s|\#[^\n]*)+)
    | (?P<string>"(?:[^"\\]|\\.)*"? | '(?:[^'\\]|\\.)*'? | `[^`]*`?)
    | (?P<number>(?:\d|\.\d)[\w.]*(?:(?<=[eE])[-+]\d+)?)
    | (?P<name>[a-zA-Z_:][\w:]*)
    | (?P<mark>=~|!~|!=|==|<=|>=|.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is "string", "number", "name" or "mark"; a string may lack its end."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def is_open(self) -> bool:
        return self.kind == "string" and not re.fullmatch(r"""(["'])(?:[^\\]|\\.)*\1|`.*`""", self.text, re.DOTALL)


def tokens(text: str) -> list[Token]:
    """Return the words of `text`, without what is between them."""
    found = ((match.lastgroup or "", match[0], match.start()) for match in _TOKEN.finditer(text))
    return [Token(*one) for one in found if one[0] != "space"]


def opened(found: list[Token]) -> list[int]:
    """Return the indices of the brackets that are open at the end, the innermost last."""
    open_: list[int] = []
    for index, token in enumerate(found):
        if token.kind == "mark" and token.text in _CLOSING:
            open_.append(index)
        elif token.kind == "mark" and open_ and token.text == _CLOSING[found[open_[-1]].text]:
            open_.pop()
    return open_


def closing(found: list[Token]) -> str:
    """Return the brackets that close what is open: "a(b[" wants "])"."""
    return "".join(_CLOSING[found[index].text] for index in reversed(opened(found)))


@dataclass(frozen=True, slots=True)
class Place:
    """A selector in the text: its metric's name ("" without one), where that ends, and the tokens in its braces."""

    metric: str
    end: int
    braces: tuple[Token, ...] | None


def selectors(text: str) -> Iterator[Place]:
    """Yield the selectors of a query that parses, in their order."""
    found = [*tokens(text), Token("mark", "", len(text))]
    index = 0
    while index < len(found) - 1:
        token, after = found[index], found[index + 1]
        if token.text in LABEL_LISTS and after.text == "(":
            index = _closed(found, index + 1)
        elif token.text == "[":
            index = _closed(found, index)
        elif token.text == "{" or _is_metric(token, after):
            at = index if token.text == "{" else index + 1
            has_braces = found[at].text == "{"
            last = _closed(found, at) if has_braces else index
            metric = token.text if at > index else ""
            yield Place(metric, token.end, tuple(found[at : last + 1]) if has_braces else None)
            index = last
        index += 1


def _is_metric(token: Token, after: Token) -> bool:
    if token.kind != "name" or token.text.lower() in _WORDS or after.text == "(":
        return False
    return not (token.text in AGGREGATIONS and after.text in ("by", "without"))


def _closed(found: list[Token], index: int) -> int:
    """Return the index of the bracket that closes the one at `index`, or of the last token."""
    want = _CLOSING[found[index].text]
    return next((at for at in range(index + 1, len(found)) if found[at].text == want), len(found) - 1)
