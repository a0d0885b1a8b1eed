"""The query language over log lines: each condition is SQL on table `logs` with its values as query parameters.

words, "phrases"            the full-text index: whole words, in any case; each Chinese, Japanese or Korean character is
                            one; text with other characters in it has to stand there just so
time*, message:*out*        words that begin so, any part of the line
message:/re/, service:/re/  regular expressions as RE2 reads them, in time linear in the text
service, host, level ...    columns
item:web1, item.env:prod    what the items of that inventory query sent
status:>=500                anything else is an attribute of the line or of its sender (resource)
"""

from __future__ import annotations

import re
from collections.abc import Callable

import re2
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadQuery
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.query import Match, Op, Text, Value
from quarterdeck.core.query.wildcards import escaped
from quarterdeck.inventory.queries.operands import as_time
from quarterdeck.telemetry.conditions import EVERYTHING, NOTHING, Names, Sql

LEVELS = ("trace", "debug", "info", "warning", "error", "fatal")
ALIASES = {"warn": "warning", "err": "error", "critical": "fatal", "crit": "fatal", "notice": "info", "unknown": ""}
COLUMNS = {
    "service": "service",
    "host": "host",
    "component": "component",
    "source": "source",
    "trace": "trace_id",
    "trace_id": "trace_id",
    "span": "span_id",
    "span_id": "span_id",
}
# What a completion offers beside the attributes.
FIELDS = ("service", "host", "level", "message", "component", "source", "trace", "span", "item", "pattern", "ts")
# The same expression as that of the index `cjk`; see telemetry/schema.
CJK = "'[⺀-鿿가-힯豈-﫿]'"
_CJK = re.compile("[⺀-鿿가-힯豈-﫿]")
# Bytes above 127 are letters to the index.
_WORD = re.compile(r"[0-9A-Za-z\u0080-\U0010ffff]+")
# The engine takes at most 64 words at once.
_WORDS_MAX = 60
_REGEX_BYTES_MAX = 1000
_REGEX_MEMORY_BYTES = 1 << 20
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_COMPARED = frozenset({Op.LT, Op.LE, Op.GT, Op.GE})
_ID = re.compile(r"[0-9A-Fa-f]{1,16}")


# Turns `item:` and `item.x:` into who sent: see scope.py.
Senders = Callable[[Match], Sql]


class LogFields:
    """Fields of lines, for `compile_node`. `senders` looks items up, `template` is the SQL of a line's pattern,
    `parsed` that of a Map of fields which were taken out of the message."""

    def __init__(self, names: Names, senders: Senders, template: str, parsed: str = "") -> None:
        self._maps = [*_MAPS, parsed] if parsed else _MAPS
        self._names = names
        self._senders = senders
        self._template = template

    def everything(self) -> Sql:
        return EVERYTHING

    def text(self, text: Text) -> Sql:
        return self._text(text.value, "", text.position)

    def match(self, match: Match) -> Sql:
        name = match.field
        if name == "item" or name.startswith("item."):
            return self._senders(match)
        if name in _SPECIAL:
            return _SPECIAL[name](self, match)
        if name in COLUMNS:
            return self._column(COLUMNS[name], match)
        return self._attribute(match)

    def _text(self, value: Value, name: str, position: int) -> Sql:
        if value.regex:
            return self._names.sql("match(message, {})", ("String", checked_regex(value.regex, name, position)))
        if value.is_pattern:
            return self._wild_word(value)
        return self.words(value.text)

    def words(self, text: str) -> Sql:
        """Lines that hold `text`, in any case, as whole words."""
        found = _WORD.findall(text)
        words = [word.lower() for word in found if word.isascii()][:_WORDS_MAX]
        characters = list(dict.fromkeys(_CJK.findall(text)))[:_WORDS_MAX]
        condition = EVERYTHING
        if words:
            condition = self._names.sql("hasAllTokens(message, {})", ("Array(String)", words))
        if characters:
            known = "hasAllTokens(extractAll(message, " + CJK + "), {})"
            condition = condition & self._names.sql(known, ("Array(String)", characters))
        if [text.lower()] != words and text:
            exact = "positionCaseInsensitive" if text.isascii() else "positionCaseInsensitiveUTF8"
            condition = condition & self._names.sql(f"{exact}(message, {{}}) > 0", ("String", text))
        return condition

    def _wild_word(self, value: Value) -> Sql:
        """`time*` begins a word, `*out` ends one; a star stands for characters other than spaces."""
        pieces = value.pieces
        like = "%" + "%".join(_like(piece) for piece in pieces if piece) + "%"
        edge = ("" if not pieces[0] else r"(?:^|[^0-9A-Za-z])", "" if not pieces[-1] else r"(?:$|[^0-9A-Za-z])")
        regex = f"(?is){edge[0]}{_STAR.join(escaped(piece) for piece in pieces)}{edge[1]}"
        return self._names.sql("message ILIKE {} AND match(message, {})", ("String", like), ("String", regex))

    def _message(self, match: Match) -> Sql:
        if match.op is Op.PRESENT:
            return Sql("message != ''")
        if match.op is not Op.EQ:
            raise _no_order(match)
        parts = [self._text(value, "message", match.position) for value in match.values]
        return _any(parts)

    def _level(self, match: Match) -> Sql:
        if match.op is Op.PRESENT:
            return Sql("level != ''")
        if match.op is Op.BETWEEN:
            low, high = (None if value.raw == "*" else _rank(value, match) for value in match.values)
            chosen = LEVELS[low or 0 : len(LEVELS) if high is None else high + 1]
        elif match.op is Op.EQ:
            return self._names.sql("level IN {}", ("Array(String)", [_level(v, match) for v in match.values]))
        else:
            rank = _rank(match.values[0], match)
            chosen = {
                Op.LT: LEVELS[:rank],
                Op.LE: LEVELS[: rank + 1],
                Op.GT: LEVELS[rank + 1 :],
                Op.GE: LEVELS[rank:],
            }[match.op]
        return self._names.sql("level IN {}", ("Array(String)", list(chosen)))

    def _time(self, match: Match) -> Sql:
        if match.op is Op.PRESENT:
            return EVERYTHING
        sides = _SIDES.get(match.op, ("=",))
        wanted = [(side, value) for side, value in zip(sides, match.values, strict=False) if value.raw != "*"]
        parts = [
            self._names.sql(f"ts {side} toDateTime64({{}}, 9, 'UTC')", ("Float64", as_time(value, match).timestamp()))
            for side, value in wanted
        ]
        return _all(parts)

    def _pattern(self, match: Match) -> Sql:
        if match.op is not Op.EQ:
            raise _no_order(match)
        if not all(_ID.fullmatch(value.text) for value in match.values):
            raise BadQuery(
                _('"%(value)s" is no pattern.') % {"value": match.values[0].text[:60]},
                hint=_("The tab Patterns lists them."),
                field="pattern",
                position=match.position,
            )
        ids = [int(value.text, 16) for value in match.values]
        return self._names.sql(f"cityHash64({self._template}) IN {{}}", ("Array(UInt64)", ids))

    def _column(self, column: str, match: Match) -> Sql:
        if match.op is Op.PRESENT:
            return Sql(f"{column} != ''")
        if match.op is Op.EQ:
            lower = column in ("trace_id", "span_id")
            return _any(self._equal(column, match, lower=lower))
        return self._ordered(column, match)

    def _equal(self, place: str, match: Match, *, lower: bool = False) -> list[Sql]:
        """Return conditions of which one has to hold."""
        plain = [value.text for value in match.values if not value.regex and not value.is_pattern]
        parts = []
        if plain:
            wanted = [text.lower() for text in plain] if lower else plain
            parts.append(self._names.sql(f"{place} IN {{}}", ("Array(String)", wanted)))
        for value in match.values:
            if value.regex:
                regex = checked_regex(value.regex, match.field, match.position)
                parts.append(self._names.sql(f"match({place}, {{}})", ("String", regex)))
            elif value.is_pattern:
                like = "%".join(_like(piece) for piece in value.pieces)
                parts.append(self._names.sql(f"{place} ILIKE {{}}", ("String", like)))
        return parts

    def _ordered(self, place: str, match: Match) -> Sql:
        """Compared as numbers where the query has numbers, else as texts; what is no number never matches a number."""
        sides = _SIDES[match.op]
        bounds = [(side, value) for side, value in zip(sides, match.values, strict=True) if value.raw != "*"]
        if all(not value.quoted and _NUMBER.fullmatch(value.text) for _side, value in bounds):
            parts = [
                self._names.sql(f"ifNull(toFloat64OrNull({place}) {side} {{}}, 0)", ("Float64", float(value.text)))
                for side, value in bounds
            ]
        else:
            parts = [self._names.sql(f"{place} {side} {{}}", ("String", value.text)) for side, value in bounds]
        return _all([Sql(f"{place} != ''"), *parts])

    def _attribute(self, match: Match) -> Sql:
        kind, _dot, rest = match.field.partition(".")
        maps, name = ([kind], rest) if kind in ("attributes", "resource") and rest else (self._maps, match.field)
        places = [f"{one}[{_literal(name)}]" for one in maps]
        if match.op is Op.PRESENT:
            return _any([Sql(f"mapContains({one}, {_literal(name)})") for one in maps])
        if match.op is Op.EQ:
            return _any([part for place in places for part in self._equal(place, match)])
        return _any([self._ordered(place, match) for place in places])


_MAPS = ["attributes", "resource"]
_STAR = r"\S*?"
_SIDES: dict[Op, tuple[str, ...]] = {
    Op.LT: ("<",),
    Op.LE: ("<=",),
    Op.GT: (">",),
    Op.GE: (">=",),
    Op.BETWEEN: (">=", "<="),
}
_SPECIAL: dict[str, Callable[[LogFields, Match], Sql]] = {
    "message": LogFields._message,
    "level": LogFields._level,
    "ts": LogFields._time,
    "pattern": LogFields._pattern,
}


def _literal(name: str) -> str:
    """An attribute's name as a string of SQL: the index on values is used for literals only, and the grammar lets
    nothing but letters, digits and `_ . - /` into a name."""
    if not re.fullmatch(r"[\w.\-/]+", name):
        raise BadQuery(_('"%(name)s" cannot be a field.') % {"name": name[:60]})
    return f"'{name}'"


def _like(piece: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", piece)


def _any(parts: list[Sql]) -> Sql:
    found = parts[0] if parts else NOTHING
    for part in parts[1:]:
        found = found | part
    return found


def _all(parts: list[Sql]) -> Sql:
    found = parts[0] if parts else EVERYTHING
    for part in parts[1:]:
        found = found & part
    return found


def checked_regex(regex: str, name: str = "", position: int | None = None) -> str:
    """Return a regular expression that the engine will take. Raises BadQuery."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _REGEX_MEMORY_BYTES
    try:
        if len(regex) > _REGEX_BYTES_MAX:
            raise re2.error(_("it is too long"))
        re2.compile(regex, options)
    except re2.error as error:
        said = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise BadQuery(
            _('"%(regex)s" is no regular expression: %(why)s') % {"regex": regex[:60], "why": said},
            hint=_('Look-around and back references do not exist here; quote a path: "/a/b/".'),
            field=name,
            position=position,
        ) from None
    return regex


def _level(value: Value, match: Match) -> str:
    text = value.text.strip().lower()
    text = ALIASES.get(text, text)
    if text and text not in LEVELS:
        raise BadQuery(
            _('There is no level "%(name)s".') % {"name": value.text[:40]},
            hint=did_you_mean(text, LEVELS) or ", ".join(LEVELS),
            field="level",
            position=match.position,
        )
    return text


def _rank(value: Value, match: Match) -> int:
    level = _level(value, match)
    return LEVELS.index(level) if level else 0


def _no_order(match: Match) -> BadQuery:
    return BadQuery(
        _("%(field)s has no order.") % {"field": match.field},
        hint=_("Write words, wildcards (*out*) or a regular expression (/out$/)."),
        field=match.field,
        position=match.position,
    )
