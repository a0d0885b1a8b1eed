"""Conditions on one field: equal, words, phrase, prefix, wildcards, regular expression, range.

A message is words, in any case; any other field is one text, in its own case. An attribute's texts are compared as
numbers where a range has numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadQuery
from quarterdeck.core.query.wildcards import escaped
from quarterdeck.logs.compiling import ALIASES, LogFields, checked_regex
from quarterdeck.logs.elastic.dates import moment_ms
from quarterdeck.logs.elastic.lucene import unescaped
from quarterdeck.logs.elastic.names import Field, field_of
from quarterdeck.logs.identity import ID
from quarterdeck.telemetry.conditions import NOTHING, Names, Sql, all_of, any_of

_WORD = re.compile(r"[0-9A-Za-z\u0080-\U0010ffff]+")
_EDGE = r"[^0-9A-Za-z\x{80}-\x{10FFFF}]"
# A wildcard stands for characters other than spaces.
_SOME, _ONE = r"\S*?", r"\S"
_PIECES = re.compile(r"\\.|[*?]|[^\\*?]+|\\", re.DOTALL)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_LINE_ID = re.compile(r"(\d{1,19})-([0-9a-f]{16})")
_LAST_MS = (2**32 - 1) * 1000
# Operators of Lucene's expressions that RE2 would take for plain characters.
_OPERATORS = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|([~&@#\"<>])", re.DOTALL)
VALUES_MAX = 10_000

Pair = tuple[str, str]


class Terms:
    """Makes conditions with the parameters of `names`. `texts` knows how words are found in a message."""

    def __init__(self, names: Names, texts: LogFields) -> None:
        self._names = names
        self._texts = texts

    def field(self, name: object) -> Field:
        return field_of(name, self._names)

    def _each(self, field: Field, template: str, kind: str, value: object) -> Sql:
        """Return the condition `template` on any of the field's places; `{place}` stands for it, `{}` for the value."""
        parts = []
        for place in field.places:
            made = (
                self._names.sql(template.replace("{place}", place.text), (kind, value))
                if not place.parameters
                else (_around(place, self._names.sql(template.replace("{place}", _MARK), (kind, value))))
            )
            parts.append(made)
        return any_of(parts)

    def equal(self, field: Field, values: Sequence[str]) -> Sql:
        """Return the lines whose field is one of `values`. Raises BadQuery."""
        if len(values) > VALUES_MAX:
            raise BadQuery(
                _("The query lists %(found)d values, at most %(limit)d are allowed.")
                % {"found": len(values), "limit": VALUES_MAX}
            )
        if field.kind == "date":
            return any_of([self.moments(field, [(">=", value), ("<=", value)]) for value in values])
        if field.kind == "id":
            return self.ids(values)
        if field.kind == "text":
            return any_of([self._texts.words(value) for value in values if value])
        wanted = [_told(field, value) for value in values]
        found = self._each(field, "{place} IN {}", "Array(String)", wanted)
        return found & field.exists if "" in wanted else found

    def ids(self, values: Sequence[str]) -> Sql:
        """Return the lines with these ids, as answers have them; what is no id is none of them."""
        parts = []
        for found in filter(None, map(_LINE_ID.fullmatch, values)):
            if int(found[1]) >= _LAST_MS * 1_000_000:
                continue
            text = f"logs.ts = fromUnixTimestamp64Nano({{}}, 'UTC') AND {ID} = {{}}"
            parts.append(self._names.sql(text, ("Int64", int(found[1])), ("UInt64", int(found[2], 16))))
        return any_of(parts)

    def words(self, field: Field, text: str, *, every: bool) -> Sql:
        """Return the lines with any, or every word of `text`; of a field that is no message, with just that text."""
        if field.kind != "text":
            return self.equal(field, [text])
        parts = [self._texts.words(word) for word in _WORD.findall(text)]
        return all_of(parts) if every and parts else any_of(parts)

    def phrase(self, field: Field, text: str, *, is_prefix: bool = False) -> Sql:
        """Return the lines in which these words stand behind one another, the last one perhaps only as a beginning."""
        if field.kind != "text":
            return self.prefix(field, text) if is_prefix else self.equal(field, [text])
        words = _WORD.findall(text)
        if not words or not text.isascii():
            return self._texts.words(text) if text else NOTHING
        known = words[:-1] if is_prefix else words
        regex = f"(?i)(?:^|{_EDGE}){f'{_EDGE}+'.join(words)}" + ("" if is_prefix else f"(?:$|{_EDGE})")
        parts = [self._texts.words(" ".join(known[:1])), *(self._texts.words(word) for word in known[1:60])]
        found = self._names.sql("match(logs.message, {})", ("String", regex))
        return all_of([*(parts if known else []), found]) if len(words) > 1 or is_prefix else parts[0]

    def prefix(self, field: Field, text: str, *, fold: bool = False) -> Sql:
        self._has_text(field, "prefix")
        if field.kind == "text":
            return self.wildcard(field, _plain(text) + "*")
        if fold:
            return self.wildcard(field, _plain(text) + "*", fold=True)
        return self._each(field, "startsWith({place}, {})", "String", _told(field, text)) & field.exists

    def wildcard(self, field: Field, pattern: str, *, fold: bool = False) -> Sql:
        """Return the lines whose field, or a word of whose message, is like `pattern` with `*` and `?`."""
        if pattern.strip("*") == "" and pattern:
            return field.exists
        self._has_text(field, "wildcard")
        if field.kind == "text":
            return self._wild_word(pattern)
        like = _translated(pattern, lambda text: re.sub(r"([\\%_])", r"\\\1", text), "%", "_")
        like = like.lower() if field.kind in ("level", "hex") else like
        return self._each(field, f"{{place}} {'ILIKE' if fold else 'LIKE'} {{}}", "String", like) & field.exists

    def _wild_word(self, pattern: str) -> Sql:
        like = _translated(pattern, lambda text: re.sub(r"([\\%_])", r"\\\1", text), "%", "_")
        starts = "" if pattern.startswith("*") else f"(?:^|{_EDGE})"
        ends = "" if pattern.endswith("*") else f"(?:$|{_EDGE})"
        regex = "(?is)" + starts + _translated(pattern, escaped, _SOME, _ONE) + ends
        return self._names.sql(
            "logs.message ILIKE {} AND match(logs.message, {})", ("String", f"%{like}%"), ("String", regex)
        )

    def regex(self, field: Field, expression: str, *, fold: bool = False) -> Sql:
        """Return the lines whose whole field, or a part of whose message between words, is like an expression."""
        self._has_text(field, "regexp")
        found = next((one[1] for one in _OPERATORS.finditer(expression) if one[1]), "")
        if found:
            raise BadQuery(
                _("[regexp] does not support the operator [%(found)s]") % {"found": found},
                hint=_("Write \\%(found)s for the character.") % {"found": found},
            )
        checked_regex(expression, field.name)
        if field.kind == "text":
            anchored = f"(?i)(?:^|{_EDGE})(?:{expression})(?:$|{_EDGE})"
        else:
            anchored = f"{'(?i)' if fold else ''}^(?:{expression})$"
        return self._each(field, "match({place}, {})", "String", checked_regex(anchored, field.name)) & field.exists

    def between(self, field: Field, bounds: Sequence[Pair], zone: tzinfo = UTC, form: str = "") -> Sql:
        """Return the lines whose field is within `bounds`, pairs of (>=, >, <= or <) and a value. Raises BadQuery."""
        if field.kind == "date":
            return self.moments(field, bounds, zone, form)
        if field.kind in ("text", "id", "index"):
            raise BadQuery(
                _("[%(what)s] does not support the field [%(name)s]") % {"what": "range", "name": field.name}
            )
        if field.kind == "attribute" and all(_NUMBER.fullmatch(value) for _side, value in bounds):
            number = "ifNull(toFloat64OrNull({place}) {side} {}, 0)"
            parts = [self._each(field, number.replace("{side}", side), "Float64", float(end)) for side, end in bounds]
        else:
            parts = [self._each(field, f"{{place}} {side} {{}}", "String", end) for side, end in bounds]
        return all_of([*parts, field.exists])

    def moments(self, field: Field, bounds: Sequence[Pair], zone: tzinfo = UTC, form: str = "") -> Sql:
        """A time counts in whole milliseconds: what is up to one belongs to it until the next begins."""
        parts = []
        for side, value in bounds:
            up = side in ("<=", ">")
            ms = moment_ms(_epoch(value), up=up, zone=zone, form=form) + (1 if up else 0)
            sign = ">=" if side[0] == ">" else "<"
            parts.append(
                self._names.sql(f"logs.ts {sign} fromUnixTimestamp64Milli({{}}, 'UTC')", ("Int64", _within(ms)))
            )
        return all_of(parts) if parts else field.exists

    def _has_text(self, field: Field, what: str) -> None:
        if field.kind in ("date", "id"):
            raise BadQuery(_("[%(what)s] does not support the field [%(name)s]") % {"what": what, "name": field.name})


_MARK = "\x00"


def _around(place: Sql, made: Sql) -> Sql:
    """Put a place that has parameters itself where the mark stands."""
    return Sql(made.text.replace(_MARK, place.text), {**place.parameters, **made.parameters})


def _epoch(value: str) -> object:
    return float(value) if re.fullmatch(r"-?\d{5,17}\.\d{1,9}", value) else value


def _within(ms: int) -> int:
    return max(0, min(ms, _LAST_MS))


def _told(field: Field, value: str) -> str:
    """Return a value as the column has it: levels by our names, ids of traces in lower case."""
    if field.kind == "level":
        return ALIASES.get(value.lower(), value.lower())
    return value.lower() if field.kind == "hex" else value


def _plain(text: str) -> str:
    return re.sub(r"([\\*?])", r"\\\1", text)


def _translated(pattern: str, plain: Callable[[str], str], some: str, one: str) -> str:
    """Return a pattern in another language; a backslash takes a wildcard's meaning away."""
    wild = {"*": some, "?": one}
    return "".join(wild.get(piece) or plain(unescaped(piece)) for piece in _PIECES.findall(pattern))
