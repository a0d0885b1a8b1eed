"""Text to tree. Errors say where (characters from 0) and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TypeVar

from django.utils.translation import gettext as _
from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from quarterdeck.core.errors import BadQuery
from quarterdeck.core.query.nodes import And, Everything, Match, Node, Not, Op, Or, Text, Value, leaves

MAX_LENGTH = 256 * 1024
# SQLite refuses an expression deeper than 1,000; a list `name:(a OR b ...)` is one condition whatever its length, with
# one more for each value that has a wildcard.
MAX_CONDITIONS = 500
MAX_VALUES = 10_000
MAX_DEPTH = 60

_Joined = TypeVar("_Joined", And, Or)


def _value(token: Token) -> Value:
    text = str(token)
    return Value(text[1:-1], quoted=True) if token.type == "PHRASE" else Value(text)


def _not(part: Node) -> Node:
    return part.part if isinstance(part, Not) else Not(part)


def _join(kind: type[_Joined], parts: list[Node]) -> Node:
    """Join flat: `a OR (b OR c)` is one Or of three."""
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, kind) else (part,))
    joined = kind(tuple(flat))
    if joined.depth > MAX_DEPTH:
        raise BadQuery(
            _("The query is nested more than %(limit)d levels deep.") % {"limit": MAX_DEPTH},
            hint=_("Write lists as field:(a OR b) and drop parentheses that are not needed."),
        )
    return joined


def _any_of(parts: list[Node]) -> Node:
    """Values of one field joined with OR become one Match with many values, which a database looks up as a list."""
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Or) else (part,))
    plain = [part for part in flat if isinstance(part, Match) and part.op is Op.EQ]
    values = tuple(value for part in plain for value in part.values)
    rest = [part for part in flat if not (isinstance(part, Match) and part.op is Op.EQ)]
    merged: list[Node] = [Match("", Op.EQ, values), *rest] if values else rest
    return merged[0] if len(merged) == 1 else _join(Or, merged)


def _named(node: Node, name: str, position: int) -> Node:
    if isinstance(node, Match):
        return Match(name, node.op, node.values, position)
    if isinstance(node, Not):
        return Not(_named(node.part, name, position))
    if isinstance(node, And | Or):
        return type(node)(tuple(_named(part, name, position) for part in node.parts))
    return node


class _Builder(Transformer[Token, Node]):
    """Called by the parser at each reduction, bottom up: no walk over a tree, no recursion."""

    def start(self, parts: list[Node | None]) -> Node:
        return parts[0] if parts and parts[0] is not None else Everything()

    def either(self, parts: list[Node]) -> Node:
        return _join(Or, parts)

    def both(self, parts: list[Node]) -> Node:
        return _join(And, parts)

    def any_of(self, parts: list[Node]) -> Node:
        return _any_of(parts)

    def all_of(self, parts: list[Node]) -> Node:
        return _join(And, parts)

    def negate(self, parts: list[Node]) -> Node:
        return _not(parts[0])

    def match(self, parts: list[Token | Node]) -> Node:
        name, found = parts
        assert isinstance(name, Token) and not isinstance(found, Token)  # noqa: S101, PT018 - what the grammar says
        return _named(found, str(name)[:-1], name.start_pos or 0)

    def word(self, parts: list[Token]) -> Node:
        return Text(_value(parts[0]), parts[0].start_pos or 0)

    def phrase(self, parts: list[Token]) -> Node:
        return Text(_value(parts[0]), parts[0].start_pos or 0)

    def compare(self, parts: list[Token]) -> Node:
        return Match("", Op(str(parts[0])), (_value(parts[1]),))

    def bound(self, parts: list[Token]) -> Value:
        return _value(parts[0])

    def between(self, parts: list[Value]) -> Node:
        return Match("", Op.BETWEEN, (parts[0], parts[1]))

    def present(self, _parts: list[Token]) -> Node:
        return Match("", Op.PRESENT)

    def plain(self, parts: list[Token]) -> Node:
        return Match("", Op.EQ, (_value(parts[0]),))


@cache
def _parser() -> Lark:
    grammar = files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=_Builder(), maybe_placeholders=True)


def parse(text: str) -> Node:
    """Return the tree of `text`; the empty text is everything. Raises BadQuery with a position."""
    if len(text) > MAX_LENGTH:
        raise BadQuery(
            _("The query has %(found)d characters, at most %(limit)d are allowed.")
            % {"found": len(text), "limit": MAX_LENGTH},
            hint=_("Use a wildcard, a label or a saved view instead of a long list."),
        )
    if not text.strip():
        return Everything()
    try:
        node = _parser().parse(text)
    except VisitError as error:
        raise error.orig_exc from error
    except UnexpectedInput as error:
        raise _explained(text, error) from error
    _check_size(node)  # type: ignore[arg-type]  # the transformer's result, which lark's types call a Tree
    return node  # type: ignore[return-value]


def _check_size(node: Node) -> None:
    conditions = values = 0
    for leaf in leaves(node):
        conditions += 1 + (sum(value.is_pattern for value in leaf.values) if isinstance(leaf, Match) else 0)
        values += len(leaf.values) if isinstance(leaf, Match) else 1
    if conditions > MAX_CONDITIONS:
        raise BadQuery(
            _("The query has %(found)d terms, at most %(limit)d are allowed.")
            % {"found": conditions, "limit": MAX_CONDITIONS},
            hint=_("Write many values of one field as a list: name:(a OR b OR c)."),
        )
    if values > MAX_VALUES:
        raise BadQuery(
            _("The query lists %(found)d values, at most %(limit)d are allowed.")
            % {"found": values, "limit": MAX_VALUES},
            hint=_("Use a wildcard, a label or a saved view instead of a long list."),
        )


def _unbalanced_quote(text: str) -> int | None:
    opened: int | None = None
    escaped = False
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            opened = index if opened is None else None
    return opened


def _explained(text: str, error: UnexpectedInput) -> BadQuery:
    """Turn the parser's complaint into a sentence for a person."""
    quote = _unbalanced_quote(text)
    if quote is not None:
        return BadQuery(
            _("The quote at character %(at)d is never closed.") % {"at": quote + 1},
            hint=_('Add the closing ", or write \\" for a quote that is part of the text.'),
            position=quote,
        )
    position = error.pos_in_stream if error.pos_in_stream is not None and error.pos_in_stream >= 0 else len(text)
    found = str(error.token) if isinstance(error, UnexpectedToken) else text[position : position + 1]
    at_end = not found or (isinstance(error, UnexpectedToken) and error.token.type == "$END")
    return _at_end(text) if at_end else _in_the_middle(text, found, position, error)


def _at_end(text: str) -> BadQuery:
    stripped = text.rstrip()
    if stripped.endswith(":"):
        return BadQuery(
            _('"%(field)s" has no value.') % {"field": stripped.split()[-1]},
            hint=_("Write field:value, or field:* for any value."),
            position=len(stripped),
        )
    if stripped.count("[") > stripped.count("]"):
        return BadQuery(
            _("The range is not complete."), hint=_("Write a range as [low TO high]."), position=len(stripped)
        )
    if stripped.count("(") > stripped.count(")"):
        return BadQuery(_('A "(" is never closed.'), hint=_('Add the closing ")".'), position=stripped.rfind("("))
    return BadQuery(
        _("The query ends too early."),
        hint=_("Something must follow AND, OR, NOT and comparisons."),
        position=len(text),
    )


def _in_the_middle(text: str, found: str, position: int, error: UnexpectedInput) -> BadQuery:
    rules: list[tuple[Callable[[], bool], str, str]] = [
        (
            lambda: found == ")" and text[:position].count("(") > text[:position].count(")"),
            _('Something is missing before this ")".'),
            _("Write lists as field:(a OR b)."),
        ),
        (lambda: found == ")", _('There is a ")" without its "(".'), _("Remove it, or quote the text.")),
        (
            lambda: found in ("OR", "AND"),
            _("%(word)s needs a term on both sides.") % {"word": found},
            _('To search for the word itself, write it in quotes: "%(word)s".') % {"word": found},
        ),
        (
            lambda: text[:position].rstrip().endswith(":") or isinstance(error, UnexpectedCharacters),
            _('"%(found)s" is not expected here.') % {"found": found},
            _('Put text with special characters in quotes: "...".'),
        ),
    ]
    for applies, message, hint in rules:
        if applies():
            return BadQuery(message, hint=hint, position=position)
    return BadQuery(
        _('"%(found)s" is not expected here.') % {"found": found[:40]},
        hint=_("Write terms as field:value, lists as field:(a OR b), ranges as field:[a TO b]."),
        position=position,
    )
