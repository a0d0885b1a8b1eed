"""Where a query stops being one. The parser's errors name no place, so its own judgement of the beginnings is asked."""

from __future__ import annotations

import re
from collections.abc import Callable

import promql_parser
from django.utils.translation import gettext as _

from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.tokens import Token, closing, tokens

# What may follow a beginning of a query: if none of them makes it whole, its last word is wrong.
_CONTINUED = ("", " x", "x", '=""', '""', " (x)", "(x[5m])", "(1, x)", " 5m", ":5m", " start()", ' ""=""', ',x=""')
# What may follow when all brackets are closed: of `sum by (job` an argument is missing too.
_ENDS = ("", " (x)")
# Errors of meaning: the grammar has nothing against the query.
_MEANING = re.compile(r"expected type|unknown function|expected .*argument|must contain at least one")
_TOKENS_MAX = 300
_NAMED = re.compile(r"function(?: with name)? '(\w+)'|call to function '(\w+)'|in aggregation '?(\w+)")


def located(text: str, error: BadExpression) -> BadExpression:
    """Return the error with a sentence in the reader's language and, where it can be told, `position` in `text`."""
    words = str(error.message).removeprefix("parse error: ")
    if words == error.message:
        return error
    position = _position(text, words)
    if position is None:
        return BadExpression(_("The query cannot be read."), hint=_explained(words), field="query")
    where = _("The query cannot be read at character %(n)d.") % {"n": position + 1}
    return BadExpression(where, hint=_explained(words), field="query", position=position)


def _position(text: str, words: str) -> int | None:
    found = tokens(text)
    if named := _NAMED.search(words):
        name = next(filter(None, named.groups()))
        return next((token.start for token in found if token.text == name), None)
    if _MEANING.search(words) or len(found) > _TOKENS_MAX:
        return None
    for index, token in enumerate(found):
        if token.is_open or not _may_go_on(text[: token.end], found[: index + 1]):
            return token.start
    return len(text)


def _may_go_on(beginning: str, found: list[Token]) -> bool:
    rest = closing(found)
    return any(_is_grammatical(beginning + more + rest + end) for end in _ENDS for more in _CONTINUED)


def _is_grammatical(text: str) -> bool:
    try:
        promql_parser.parse(text)
    except ValueError as error:
        return bool(_MEANING.search(str(error)))
    return True


_EXPLAINED: tuple[tuple[re.Pattern[str], Callable[[], str]], ...] = (
    (re.compile(r"unknown function with name '(?P<name>\w+)'"), lambda: _("there is no function %(name)s")),
    (
        re.compile(r"expected type (?P<wanted>\w+) in call to function '(?P<name>\w+)', got (?P<found>\w+)"),
        lambda: _("%(name)s takes a %(wanted)s, such as x[5m] for a matrix, and got a %(found)s"),
    ),
    (re.compile(r"unclosed left (?P<name>\w+)"), lambda: _("a bracket is not closed (%(name)s)")),
    (re.compile(r"unexpected right (?P<name>\w+)"), lambda: _("a bracket is closed that was not opened (%(name)s)")),
    (re.compile(r"unterminated quoted string"), lambda: _("a text in quotes has no end")),
    (re.compile(r"unexpected end of input"), lambda: _("the query ends too early")),
    (re.compile(r"unexpected character"), lambda: _("this character cannot stand here")),
    (re.compile(r"invalid promql query"), lambda: _("this cannot stand here, or something is missing after it")),
)


def _explained(words: str) -> str:
    """Say in the reader's language what the parser says; unknown words as they are."""
    for pattern, sentence in _EXPLAINED:
        if match := pattern.match(words):
            return sentence() % match.groupdict()
    return words
