"""From the text of a query to its tree, and what its tokens mean."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import cast

from django.utils.translation import gettext as _
from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput

from quarterdeck.core.errors import BadQuery

Node = Tree[Token]

QUERY_MAX_CHARACTERS = 20_000
# Each becomes a SELECT around the one before.
STAGES_MAX = 40
DEPTH_MAX = 220
_UNITS_NS = {
    "ns": 1, "us": 1000, "µs": 1000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
    "d": 86_400 * 10**9, "w": 604_800 * 10**9, "y": 31_536_000 * 10**9,
}  # fmt: skip
_DURATION = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h|d|w|y)")
_BYTES = re.compile(r"([0-9.]+)([kKMGTP]?)(i?)B")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@cache
def _parser() -> Lark:
    grammar = files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", maybe_placeholders=True)


def parse(text: str) -> Node:
    """Return the tree of a query. Raises BadQuery."""
    if not text.strip():
        raise _bad(_("there is no query"))
    if len(text) > QUERY_MAX_CHARACTERS:
        raise _bad(_("the query is too long"))
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise _bad(_said(error, text)) from None
    if sum(1 for _stage in tree.find_pred(_is_stage)) > STAGES_MAX or _depth(tree) > DEPTH_MAX:
        raise _bad(_("the query is nested too deeply"))
    return tree


def _is_stage(tree: Node) -> bool:
    return tree.data in ("line_filter", "label_filter", "json", "logfmt", "regexp", "pattern", "label_format")


def _depth(tree: Node) -> int:
    """Return how deep a tree is. The parser keeps its own stack, and so does this."""
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in node.children if isinstance(child, Tree)]
    return deepest


def _said(error: UnexpectedInput, text: str) -> str:
    """As Loki says it: "parse error at line 1, col 5: syntax error: unexpected IDENTIFIER"."""
    if isinstance(error, UnexpectedEOF) or error.line < 1:
        where, found = (text.count("\n") + 1, len(text.rpartition("\n")[2]) + 1), "$end"
    elif isinstance(error, UnexpectedCharacters):
        where, found = (error.line, error.column), repr(error.char)
    else:
        token = getattr(error, "token", "")
        where, found = (error.line, error.column), "$end" if getattr(token, "type", "") == "$END" else repr(str(token))
    return f"parse error at line {where[0]}, col {where[1]}: syntax error: unexpected {found[:60]}"


def _bad(said: str) -> BadQuery:
    return BadQuery(said, field="query")


def child(node: Node, at: int) -> Node:
    """Return the child that the grammar says is a tree."""
    return cast(Node, node.children[at])


def string(node: Node) -> str:
    """Return the text of a string in quotes or backticks."""
    text = str(node.children[0])
    if text.startswith("`"):
        return text[1:-1]
    return _ESCAPE.sub(_unescaped, text[1:-1])


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _ESCAPED.get(match[3], match[3])


def duration_ns(text: str) -> int:
    """Return `1h30m` in nanoseconds."""
    return round(sum(float(number) * _UNITS_NS[unit] for number, unit in _DURATION.findall(text)))


def bytes_of(text: str) -> float:
    """Return `5KB` (of 1,000) or `5KiB` (of 1,024) in bytes."""
    match = _BYTES.fullmatch(text)
    assert match is not None  # noqa: S101 - the grammar's token
    power = " KMGTP".index(match[2].upper() or " ")
    return float(match[1]) * float((1024 if match[3] else 1000) ** power)
