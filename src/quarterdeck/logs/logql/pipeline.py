"""A selector and its stages as SQL: `SELECT ts, line, labels`, with a SELECT around it for each stage.

A line's labels are service_name, host, level, component, source, trace_id and span_id, with what its sender (resource)
and the line itself carry; other characters than letters, digits and `_` become `_`, as in Loki.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from django.utils.translation import gettext as _
from lark import Token, Tree

from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.compiling import checked_regex
from quarterdeck.logs.logql.parsing import Node, bytes_of, child, duration_ns, string
from quarterdeck.telemetry.promql import plan

_COLUMNS = {
    "service_name": "service", "service": "service", "host": "host", "host_name": "host", "level": "level",
    "detected_level": "level", "component": "component", "source": "source", "trace_id": "trace_id",
    "span_id": "span_id",
}  # fmt: skip
_OWN = ("host", "level", "component", "source", "trace_id", "span_id")
_MAP = "Map(String, String)"


def _clean(place: str) -> str:
    return f"mapApply((k, v) -> (replaceRegexpAll(k, '[^a-zA-Z0-9_]', '_'), v), CAST({place}, '{_MAP}'))"


_FIELDS = ", ".join(f"'{name}', toString(logs.{name})" for name in _OWN)
LABELS = (
    f"mapFilter((k, v) -> v != '', mapUpdate(mapUpdate({_clean('logs.resource')}, {_clean('logs.attributes')}),"
    f" map('service_name', toString(logs.service), {_FIELDS})))"
)
_NAMED = re.compile(r"\(\?P?<([A-Za-z_]\w*)>")
_UNNAMED = re.compile(r"(?<!\\)\((?!\?)")
_PLACE = re.compile(r"<([A-Za-z_]\w*)>")
_TEMPLATE = re.compile(r"\{\{\s*\.([A-Za-z_]\w*)\s*\}\}")
_INNER = re.compile(r"^[0-9A-Za-z\u0080-\U0010ffff]+|[0-9A-Za-z\u0080-\U0010ffff]+$")
_WORD = re.compile(r"[0-9A-Za-z]+")
_COLOURS = r"\x1b\[[0-9;]*[A-Za-z]"
_JSON_DEPTH = 3


class Parameters(plan.Parameters):
    """Values of a statement; calling it gives a value its place."""

    def __call__(self, kind: str, value: Any) -> str:
        return self.add(value, kind)


class Pipeline:
    """The lines of `selector` within `where`, and what each `add` makes of them.

    `kept` are more columns, `{"name": "its SQL"}`, that come through all stages.
    """

    def __init__(self, bind: Parameters, selector: Node, where: str, kept: Mapping[str, str] | None = None) -> None:
        self._bind = bind
        self._kept = list(kept or {})
        more = "".join(f", {column} AS {name}" for name, column in (kept or {}).items())
        conditions = [where, *(self._matched(one) for one in selector.children if isinstance(one, Tree))]
        self.sql = (
            f"SELECT logs.ts AS ts, toValidUTF8(logs.message) AS line, {LABELS} AS labels{more}"
            f" FROM logs WHERE {' AND '.join(f'({one})' for one in conditions)}"
        )

    def add(self, stage: Node) -> None:
        """Raises BadQuery for what is not supported."""
        _STAGES[stage.data](self, stage)

    def _wrap(self, *, line: str = "s.line", labels: str = "s.labels", where: str = "1") -> None:
        self.sql = (
            f"SELECT s.ts AS ts, {line} AS line, {labels} AS labels{self._more()} FROM ({self.sql}) AS s WHERE {where}"
        )

    def _more(self) -> str:
        return "".join(f", s.{name} AS {name}" for name in self._kept)

    @property
    def has_number(self) -> bool:
        return "number" in self._kept

    def _matched(self, matcher: Node) -> str:
        name, operator, value = str(matcher.children[0]), str(matcher.children[1]), string(child(matcher, 2))
        column = _COLUMNS.get(name)
        return self._text(f"logs.{column}" if column else f"labels[{self._bind.text(name)}]", operator, value)

    def _text(self, place: str, operator: str, value: str) -> str:
        """Compare as text; a regular expression matches the whole, as in Loki."""
        if operator in ("=~", "!~"):
            regex = f"^(?:{checked_regex(value, 'query')})$"
            found = f"match({place}, {self._bind.text(regex)})"
            return found if operator == "=~" else f"NOT {found}"
        return f"{place} {'!=' if operator == '!=' else '='} {self._bind.text(value)}"

    def line_filter(self, stage: Node) -> None:
        operator = str(stage.children[0])
        parts = [self._contains(operator[-1], string(cast(Node, one))) for one in stage.children[1:]]
        found = " OR ".join(parts)
        self._wrap(where=f"NOT ({found})" if operator.startswith("!") else f"({found})")

    def _contains(self, kind: str, value: str) -> str:
        if kind == "~":
            return f"match(s.line, {self._bind.text(checked_regex(value, 'query'))})"
        words = [word.lower() for word in _WORD.findall(_INNER.sub("", value))] if value.isascii() else []
        known = f"hasAllTokens(s.line, {self._bind('Array(String)', words[:60])}) AND " if words and kind == "" else ""
        return f"({known}position(s.line, {self._bind.text(value)}) > 0)"

    def label_filter(self, stage: Node) -> None:
        self._wrap(where=self._condition(child(stage, 0)))

    def _condition(self, node: Node) -> str:
        if node.data in ("either", "both"):
            joined = " OR " if node.data == "either" else " AND "
            return "(" + joined.join(self._condition(cast(Node, one)) for one in node.children) + ")"
        name, operator, value = node.children
        place = f"s.labels[{self._bind.text(str(name))}]"
        if isinstance(value, Tree):
            if str(operator) not in ("=", "!=", "=~", "!~"):
                raise _unsupported(f"{operator} {string(value)!r}")
            return self._text(place, str(operator), string(value))
        return self._number(place, str(operator), value)

    def _number(self, place: str, operator: str, value: Token) -> str:
        if operator in ("=~", "!~"):
            raise _unsupported(f"{operator} {value}")
        if value.type == "DURATION":
            wanted, found = duration_ns(value) / 1e9, seconds_of(place)
        elif value.type == "BYTES":
            wanted, found = bytes_of(value), f"toFloat64(parseReadableSizeOrNull({place}))"
        else:
            wanted, found = float(value), f"toFloat64OrNull({place})"
        sign = "=" if operator == "==" else operator
        return f"ifNull({found} {sign} {self._bind('Float64', wanted)}, 0)"

    def _merge(self, parsed: str) -> None:
        """Add parsed labels; one that is there already gets a name of its own, as in Loki."""
        clean = f"mapFilter((k, v) -> k != '', {_clean(parsed)})"
        new = f"mapApply((k, v) -> (if(mapContains(s.labels, k), concat(k, '_extracted'), k), v), {clean})"
        self._wrap(labels=f"mapUpdate(s.labels, {new})")

    def json(self, stage: Node) -> None:
        if isinstance(stage.children[1], Tree):
            self._merge(self._picked(stage.children[1], lambda path: f"JSON_VALUE(s.line, {self._bind.text(path)})"))
            return
        pairs = "JSONExtractKeysAndValuesRaw(s.line)"
        for _level in range(_JSON_DEPTH):
            inner = "arrayMap(q -> (concat(p.1, '_', q.1), q.2), JSONExtractKeysAndValuesRaw(p.2))"
            pairs = f"arrayFlatten(arrayMap(p -> if(startsWith(p.2, '{{'), {inner}, [p]), {pairs}))"
        bare = "if(startsWith(p.2, '\"'), JSONExtractString(concat('[', p.2, ']'), 1), if(p.2 = 'null', '', p.2))"
        kept = f"arrayFilter(p -> NOT match(p.2, '^[\\[{{]'), {pairs})"
        found = f"CAST(arrayMap(p -> (p.1, {bare}), {kept}), '{_MAP}')"
        is_object = "isValidJSON(s.line) AND startsWith(trimLeft(s.line), '{')"
        self._merge(f"if({is_object}, {found}, map('__error__', 'JSONParserErr'))")

    def logfmt(self, stage: Node) -> None:
        found = "extractKeyValuePairsWithEscaping(s.line, '=', ' \\t', '\"')"
        asked = stage.children[-1]
        if isinstance(asked, Tree):
            found = self._picked(asked, lambda path: f"{found_in(found)}[{self._bind.text(path.removeprefix('$.'))}]")
        self._merge(found)

    def _picked(self, assigned: Node, value: Callable[[str], str]) -> str:
        """Return the Map of `name="path"`; a name alone is its own path."""
        parts = []
        for one in assigned.children:
            name, path = str(cast(Node, one).children[0]), cast(Node, one).children[2]
            wanted = string(path) if isinstance(path, Tree) else name
            parts.append(f"{self._bind.text(name)}, {value('$.' + wanted if wanted[:1] != '[' else '$' + wanted)}")
        return f"map({', '.join(parts)})"

    def regexp(self, stage: Node) -> None:
        self._groups(string(child(stage, 1)))

    def pattern(self, stage: Node) -> None:
        """`<ip> - <_> "<method> <path>"`: what stands between the texts."""
        parts = _PLACE.split(string(child(stage, 1)))
        regex = "^" + re.escape(parts[0])
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            some = ".*?" if text else ".*"
            regex += (f"(?:{some})" if name == "_" else f"(?P<{name}>{some})") + re.escape(text)
        self._groups(regex)

    def _groups(self, regex: str) -> None:
        bare = _UNNAMED.sub("(?:", regex)
        names = _NAMED.findall(bare)
        if not names:
            raise _bad(_("the pattern names no field"))
        plain = checked_regex(_NAMED.sub("(", bare), "query")
        groups = f"arrayResize(extractGroups(s.line, {self._bind.text(plain)}), {len(names)}, '')"
        self._merge(f"mapFromArrays({self._bind('Array(String)', names)}, {groups})")

    def line_format(self, stage: Node) -> None:
        self._wrap(line=self._template(string(child(stage, 1))))

    def _template(self, text: str) -> str:
        """`{{.name}}` in a text; functions of Go's templates are not supported."""
        parts = _TEMPLATE.split(text)
        if any("{{" in part for part in parts[::2]):
            raise _unsupported("{{ ... }}")
        values = [
            f"s.labels[{self._bind.text(part)}]" if index % 2 else self._bind.text(part)
            for index, part in enumerate(parts)
        ]
        return f"concat({', '.join([*values, repr('')])})"

    def label_format(self, stage: Node) -> None:
        parts = []
        for one in stage.children[1:]:
            name, _equals, value = cast(Node, one).children
            made = self._template(string(value)) if isinstance(value, Tree) else f"s.labels[{self._bind.text(value)}]"
            parts.append(f"{self._bind.text(str(name))}, {made}")
        self._wrap(labels=f"mapUpdate(s.labels, map({', '.join(parts)}))")

    def _chosen(self, stage: Node) -> str:
        return self._bind("Array(String)", [str(name) for name in stage.children[1:]])

    def drop(self, stage: Node) -> None:
        self._wrap(labels=f"mapFilter((k, v) -> NOT has({self._chosen(stage)}, k), s.labels)")

    def keep(self, stage: Node) -> None:
        self._wrap(labels=f"mapFilter((k, v) -> has({self._chosen(stage)}, k), s.labels)")

    def decolorize(self, _stage: Node) -> None:
        self._wrap(line=f"replaceRegexpAll(s.line, {self._bind.text(_COLOURS)}, '')")

    def unwrap(self, stage: Node) -> None:
        """Take a label's number as the line's; the label goes, and so do lines without a number."""
        name = self._bind.text(str(stage.children[-1]))
        kind = str(stage.children[1]) if len(stage.children) > 2 else ""
        place = f"s.labels[{name}]"
        found = {"": f"toFloat64OrNull({place})", "bytes": f"toFloat64(parseReadableSizeOrNull({place}))"}
        number = found.get(kind, seconds_of(place))
        self._kept = [one for one in self._kept if one != "number"]
        self.sql = (
            f"SELECT s.ts AS ts, s.line AS line, mapFilter((k, v) -> k != {name}, s.labels) AS labels,"
            f" assumeNotNull({number}) AS number{self._more()} FROM ({self.sql}) AS s WHERE isNotNull({number})"
        )
        self._kept.append("number")


def found_in(expression: str) -> str:
    return f"CAST({expression}, '{_MAP}')"


def seconds_of(place: str) -> str:
    """Return the SQL of a duration such as `1m30s` in seconds, NULL for what is none."""
    is_one = f"match({place}, '^([0-9]+(\\\\.[0-9]+)?(ns|us|ms|s|m|h|d))+$')"
    return f"if({is_one}, toNullable(parseTimeDelta(if({is_one}, {place}, '0s'))), toFloat64OrNull({place}))"


def _bad(said: str) -> BadQuery:
    return BadQuery(said, field="query")


def _unsupported(what: str) -> BadQuery:
    return _bad(_("%(what)s is not supported here") % {"what": what[:60]})


_STAGES: dict[str, Callable[[Pipeline, Node], None]] = {
    "line_filter": Pipeline.line_filter,
    "label_filter": Pipeline.label_filter,
    "json": Pipeline.json,
    "logfmt": Pipeline.logfmt,
    "regexp": Pipeline.regexp,
    "pattern": Pipeline.pattern,
    "line_format": Pipeline.line_format,
    "label_format": Pipeline.label_format,
    "drop": Pipeline.drop,
    "keep": Pipeline.keep,
    "decolorize": Pipeline.decolorize,
    "unwrap": Pipeline.unwrap,
}
