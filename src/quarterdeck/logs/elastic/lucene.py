"""Lucene's query syntax: text to tree, as Elasticsearch's `query_string` reads it.

The grammar stands on the parser library that the other languages have. `luqum` was weighed: it needs PLY, which nobody
keeps up any more, must not be used from two threads, and leaves the meaning of AND and OR to its caller. Our own query
language does not fit: it has no `+`, `?`, `{a TO b}`, `_exists_:`, and puts AND between words where Lucene puts OR.

AND and OR have no precedence: AND makes both its neighbours necessary, and beside a necessary term others only could
count for a score. So reads Lucene, and whoever wants it otherwise writes brackets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

from django.utils.translation import gettext as _
from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken, VisitError

from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.elastic.bodies import unsupported

LENGTH_MAX = 32 << 10
DEPTH_MAX = 30
TERMS_MAX = 1000
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
Occur = Literal["must", "should", "must_not"]


def unescaped(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)


def is_pattern(raw: str) -> bool:
    """Whether a word, with its escapes, has a wildcard."""
    return bool(re.search(r"[*?]", re.sub(r"\\.", "", raw, flags=re.DOTALL)))


@dataclass(frozen=True, slots=True)
class Leaf:
    """One term. `kind` says what `value` is; a word may have wildcards and keeps its escapes."""

    kind: Literal["word", "phrase", "regex"]
    value: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Between:
    """From `low` to `high`, "*" leaves a side open; `has_low`: the border itself belongs to it."""

    low: str
    high: str
    has_low: bool
    has_high: bool
    name: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Clauses as they occur; `name` is the field of all that name none themselves."""

    clauses: tuple[tuple[Occur, Tree], ...]
    name: str = ""
    depth: int = field(default=0, compare=False)


Tree = Leaf | Between | Group


@dataclass(frozen=True, slots=True)
class _Clause:
    sign: str
    tree: Tree


def _depth(tree: Tree) -> int:
    return tree.depth if isinstance(tree, Group) else 0


class _Builder(Transformer[Token, object]):
    """Called at each reduction, bottom up. `is_and`: what stands side by side is all necessary."""

    def __init__(self, is_and: bool) -> None:
        super().__init__()
        self._is_and = is_and

    def start(self, parts: list[Group | None]) -> Group | None:
        return parts[0]

    def joint(self, parts: list[Token]) -> str:
        return parts[0].type

    def sign(self, parts: list[Token]) -> str:
        return "+" if parts[0].type == "PLUS" else "-"

    def clause(self, parts: list[object]) -> _Clause:
        return _Clause(parts[0] or "", parts[1])  # type: ignore[arg-type]

    def clauses(self, parts: list[str | _Clause]) -> Group:
        """Decide how each clause occurs, as Lucene's `QueryParserBase.addClause` does."""
        found: list[tuple[Occur, Tree]] = []
        joint = ""
        for part in parts:
            if isinstance(part, str):
                joint = part
                continue
            if found and found[-1][0] != "must_not" and joint == ("OR" if self._is_and else "AND"):
                found[-1] = ("should" if self._is_and else "must", found[-1][1])
            needed = joint != "OR" if self._is_and else joint == "AND"
            found.append((self._occurs(part.sign, needed), part.tree))
            joint = ""
        depth = 1 + max(_depth(tree) for _occur, tree in found)
        if depth > DEPTH_MAX:
            raise BadQuery(_("The query is nested more than %(limit)d levels deep.") % {"limit": DEPTH_MAX})
        return Group(tuple(found), depth=depth)

    @staticmethod
    def _occurs(sign: str, needed: bool) -> Occur:
        return "must_not" if sign == "-" else "must" if needed or sign == "+" else "should"

    def named(self, parts: list[object]) -> Tree:
        name, tree = unescaped(str(parts[0])[:-1]), parts[1]
        if isinstance(tree, Group):
            return Group(tree.clauses, name, tree.depth)
        if isinstance(tree, Between):
            return Between(tree.low, tree.high, tree.has_low, tree.has_high, name)
        assert isinstance(tree, Leaf)  # noqa: S101 - what the grammar says
        return Leaf(tree.kind, tree.value, name)

    def group(self, parts: list[object]) -> object:
        return parts[0]

    def bound(self, parts: list[Token]) -> str:
        return _text(parts[0])

    def compared(self, parts: list[Token]) -> Between:
        sign, value = str(parts[0]), _text(parts[1])
        has = sign.endswith("=")
        return Between(value, "*", has, True) if sign[0] == ">" else Between("*", value, True, has)

    def between(self, parts: list[object]) -> Between:
        return Between(str(parts[1]), str(parts[2]), str(parts[0]) == "[", str(parts[3]) == "]")

    def phrase(self, parts: list[Token]) -> Leaf:
        _no_distance(parts)
        return Leaf("phrase", _text(parts[0]))

    def regex(self, parts: list[Token]) -> Leaf:
        return Leaf("regex", str(parts[0])[1:-1].replace("\\/", "/"))

    def word(self, parts: list[Token]) -> Leaf:
        _no_distance(parts)
        return Leaf("word", str(parts[0]))


def _text(token: Token) -> str:
    return unescaped(str(token)[1:-1] if token.type == "PHRASE" else str(token))


def _no_distance(parts: list[Token]) -> None:
    """`~0` is nothing, any other number asks for words that are near or alike."""
    for part in parts[1:]:
        if part.type == "TILDE" and part not in ("~0", "~0.0"):
            raise unsupported("query_string", part)


@cache
def _parser(is_and: bool) -> Lark:
    grammar = files(__package__).joinpath("lucene.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=_Builder(is_and), maybe_placeholders=True)


def parse(text: str, *, is_and: bool = False) -> Group | None:
    """Return the tree of a query, None for an empty one. Raises BadQuery with where it went wrong."""
    if len(text) > LENGTH_MAX:
        raise BadQuery(
            _("The query has %(found)d characters, at most %(limit)d are allowed.")
            % {"found": len(text), "limit": LENGTH_MAX}
        )
    try:
        found: object = _parser(is_and).parse(text)
    except VisitError as error:
        raise error.orig_exc from error
    except UnexpectedInput as error:
        at = len(text) if _is_at_end(error) else error.pos_in_stream or 0
        raise BadQuery(
            _("Failed to parse query [%(query)s]: unexpected at character %(at)d")
            % {"query": text[:200], "at": at + 1},
            hint=_('quote a text that holds signs of the language: "10:30"'),
            position=at,
        ) from error
    tree = found if isinstance(found, Group) else None
    if tree is not None and terms_of(tree) > TERMS_MAX:
        raise BadQuery(
            _("The query has %(found)d terms, at most %(limit)d are allowed.")
            % {"found": terms_of(tree), "limit": TERMS_MAX}
        )
    return tree


def _is_at_end(error: UnexpectedInput) -> bool:
    return isinstance(error, UnexpectedToken) and error.token.type == "$END"


def terms_of(tree: Tree) -> int:
    return sum(terms_of(part) for _occur, part in tree.clauses) if isinstance(tree, Group) else 1
