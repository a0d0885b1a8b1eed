"""From the text of a query to its tree: the library's, which knows Prometheus' grammar and its types."""

from __future__ import annotations

import re
from typing import Any

import promql_parser
from django.utils.translation import gettext as _

from quarterdeck.telemetry.promql.errors import BadExpression

QUERY_MAX_CHARACTERS = 100_000
# The parser and the engine descend once for each level, and an operator is one.
DEPTH_MAX = 100
OPERATORS_MAX = 100
_STRINGS = re.compile(r""" "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | `[^`]*` """, re.VERBOSE)
_OPERATORS = re.compile(r"[-+*/%^<>]|[=!]=|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
# A byte that is no part of UTF-8 stands in a string as a character of the private use area.
_BYTES_AT = 0xF700
_BYTES = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\x[89a-fA-F][0-9a-fA-F])+)")


def _register() -> None:
    """Teach the parser the older name of double_exponential_smoothing, which dashboards still use."""
    kinds = promql_parser.ValueType
    holt_winters = promql_parser.Function("holt_winters", [kinds.Matrix, kinds.Scalar, kinds.Scalar], kinds.Vector)
    promql_parser.register_extra_functions([holt_winters])


_register()


def parse(text: str) -> Any:
    """Return the tree of a query. Raises BadExpression."""
    if not text.strip():
        raise BadExpression(_("there is no query"), field="query")
    if len(text) > QUERY_MAX_CHARACTERS:
        raise BadExpression(_("the query is too long"), field="query")
    if _is_deep(_STRINGS.sub('""', text)):
        raise BadExpression(_("the query is nested too deeply"), field="query")
    try:
        return promql_parser.parse(_BYTES.sub(_as_characters, text))
    except ValueError as error:
        raise BadExpression(f"parse error: {error}", field="query") from error


def _is_deep(text: str) -> bool:
    """Whether a query without its strings has more brackets in one another, or operators, than can be worked on."""
    open_ = 0
    for char in text:
        open_ += (char in "([{") - (char in ")]}")
        if open_ > DEPTH_MAX:
            return True
    outside = re.sub(r"\{[^}]*\}", "", text)
    return sum(1 for _found in _OPERATORS.finditer(outside)) > OPERATORS_MAX


def _as_characters(match: re.Match[str]) -> str:
    """Make `\\xc3\\xa9` the character that its bytes are; the parser takes each for a character of its own."""
    content = bytes.fromhex(match[2].replace("\\x", ""))
    decoded = content.decode("utf-8", "surrogateescape")
    return match[1] + "".join(chr(_BYTES_AT + ord(c) - 0xDC00) if 0xDC80 <= ord(c) <= 0xDCFF else c for c in decoded)


def is_label_name(name: str) -> bool:
    """Any text is a label's name since Prometheus 3, but not none, and not bytes that are no text."""
    return bool(name) and not any(_BYTES_AT <= ord(char) <= _BYTES_AT + 0xFF for char in name)


def shown(text: str) -> str:
    """Return `text` in quotes, with its bytes that are no text as `\\xc5`."""
    inner = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub("[\uf700-\uf7ff]", lambda found: f"\\x{ord(found[0]) - _BYTES_AT:02x}", inner) + '"'


def bare(node: Any) -> Any:
    """Return what stands in the parentheses."""
    while isinstance(node, promql_parser.ParenExpr):
        node = node.expr
    return node
