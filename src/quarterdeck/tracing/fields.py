"""The query language over spans: `service:shop duration:>500ms status:error http.route:/pay "card declined"`.

service, operation (name), kind, host, version, env, peer, db, protocol   text; `*` stands for any characters
duration                       500ms, 1.5s, 2m, 80us; a bare number counts milliseconds
status                         ok, error, or the HTTP status as a number: status:>=500
is                             root, error
time                           ISO 8601
trace, span, parent            ids in hex
anything else                  an attribute: exact, by pattern, or compared as a number; attr.x where x is a field's
                               name, resource.x for what describes the sender
words                          in the operation, the status message and the attributes' values
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadQuery
from quarterdeck.core.names import did_you_mean, nearest
from quarterdeck.core.query import Match, Op, Text, Value
from quarterdeck.telemetry.conditions import EVERYTHING, Sql

KINDS = ("internal", "server", "client", "producer", "consumer")
_TEXTS = {
    "service": "service",
    "operation": "name",
    "name": "name",
    "host": "host",
    "version": "version",
    "env": "env",
    "peer": "peer",
    "db": "db_system",
    "protocol": "source",
    "message": "status_message",
}
# Attributes that are columns as well, where they are found without reading all attributes.
_ATTRIBUTE_COLUMNS = {"http.route": "http_route"}
_IDS = {"trace": ("trace_id", 16), "span": ("span_id", 8), "parent": ("parent_id", 8)}
# What OpenTelemetry writes into a resource: these are looked for there as well.
_RESOURCE = ("service.", "host.", "os.", "telemetry.", "k8s.", "container.", "deployment.", "cloud.", "process.")
_DURATION = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*(ns|us|µs|μs|ms|s|m|h)?")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9}
_NANOSECONDS |= {"h": 3600 * 10**9, "": 10**6}
_NUMBER = re.compile(r"[-+]?\d{1,18}(?:\.\d{1,18})?(?:[eE][-+]?\d{1,2})?")
_HEX = re.compile(r"[0-9a-fA-F]{1,32}")
FIELDS = (*_TEXTS, "kind", "duration", "status", "is", "time", *_IDS)


def wrong(match: Match, value: Value, hint: str) -> BadQuery:
    """Return the error for a value that a field cannot be compared with."""
    return BadQuery(
        _('%(field)s cannot be compared with "%(value)s".') % {"field": match.field, "value": value.text[:60]},
        hint=hint,
        field=match.field,
        position=match.position,
    )


def like(value: Value, *, inside: bool = False) -> str:
    """Return the value as a pattern of LIKE; `inside` lets it stand anywhere in the text."""
    pieces = value.pieces if value.is_pattern else (value.text,)
    pattern = "%".join(re.sub(r"([\\%_])", r"\\\1", piece) for piece in pieces)
    return f"%{pattern}%" if inside else pattern


class SpanFields:
    """Fields of spans, as `compile_node` asks for them. One is for one query: it numbers the parameters."""

    def __init__(self) -> None:
        self._count = 0
        self._special: Mapping[str, Callable[[Match], Sql]] = {
            "kind": self._kind,
            "duration": lambda match: self._compare("duration_ns", "UInt64", match, _nanoseconds),
            "status": self._status,
            "is": self._is,
            "time": lambda match: self._compare("toUnixTimestamp64Nano(ts)", "Int64", match, time_ns),
        }

    def everything(self) -> Sql:
        return EVERYTHING

    def text(self, text: Text) -> Sql:
        name = self._name()
        bound = f"{{{name}:String}}"
        found = " OR ".join(
            [
                f"spans.name ILIKE {bound}",
                f"status_message ILIKE {bound}",
                f"arrayExists(v -> v ILIKE {bound}, mapValues(attributes))",
            ]
        )
        return Sql(f"({found})", {name: like(text.value, inside=True)})

    def match(self, match: Match) -> Sql:
        if match.field in self._special:
            return self._special[match.field](match)
        if match.field in _TEXTS:
            return self._text(f"spans.{_TEXTS[match.field]}", match)
        if match.field in _IDS:
            return self._id(match)
        return self._attribute(match)

    def _name(self) -> str:
        self._count += 1
        return f"q{self._count}"

    def _bind(self, template: str, kind: str, value: Any) -> Sql:
        """Return `template` with its `{}` bound to `value`."""
        name = self._name()
        # Not `format`: the template may hold the braces of a parameter before.
        return Sql(template.replace("{}", f"{{{name}:{kind}}}"), {name: value})

    def _text(self, column: str, match: Match) -> Sql:
        if match.op is Op.PRESENT:
            return Sql(f"{column} != ''")
        if match.op is not Op.EQ:
            raise wrong(match, match.values[0], _("Only duration, status and attributes are larger or smaller."))
        exact = [value.text for value in match.values if not value.is_pattern]
        found = [self._bind(f"{column} IN {{}}", "Array(String)", exact)] if exact else []
        found += [self._bind(f"{column} LIKE {{}}", "String", like(one)) for one in match.values if one.is_pattern]
        return _any(found)

    def _compare(self, column: str, kind: str, match: Match, read: Callable[[Value, Match], Any]) -> Sql:
        """Compare a number. `*` leaves a side of a range open."""
        if match.op is Op.PRESENT:
            return EVERYTHING
        if match.op is Op.EQ:
            return self._bind(f"{column} IN {{}}", f"Array({kind})", [read(one, match) for one in match.values])
        if match.op is not Op.BETWEEN:
            return self._bind(f"{column} {match.op.value} {{}}", kind, read(match.values[0], match))
        sides = [
            self._bind(f"{column} {operator} {{}}", kind, read(value, match))
            for operator, value in zip((">=", "<="), match.values, strict=True)
            if value.raw != "*"
        ]
        return sides[0] & sides[1] if len(sides) == 2 else sides[0] if sides else EVERYTHING

    def _kind(self, match: Match) -> Sql:
        for value in match.values:
            if not value.is_pattern and value.text not in KINDS:
                hint = did_you_mean(value.text, KINDS) or _("one of %(names)s") % {"names": ", ".join(KINDS)}
                raise wrong(match, value, hint)
        return self._text("spans.kind", match)

    def _status(self, match: Match) -> Sql:
        named = {"error": Sql("is_error"), "ok": Sql("NOT is_error")}
        if match.op is Op.EQ:
            return _any([named.get(one.text) or self._http_status(match, one) for one in match.values])
        return self._compare("http_status", "Int64", match, _status_number)

    def _http_status(self, match: Match, value: Value) -> Sql:
        if value.is_pattern:
            return self._bind("(http_status != 0 AND toString(http_status) LIKE {})", "String", like(value))
        return self._bind("http_status = {}", "Int64", _status_number(value, match))

    def _is(self, match: Match) -> Sql:
        named = {"error": Sql("is_error"), "root": Sql("parent_id = toFixedString('', 8)")}
        for value in match.values:
            if value.text not in named:
                raise wrong(match, value, _("one of %(names)s") % {"names": ", ".join(named)})
        if match.op is not Op.EQ:
            raise BadQuery(_("is: takes a word."), hint="is:error", field="is", position=match.position)
        return _any([named[value.text] for value in match.values])

    def _id(self, match: Match) -> Sql:
        column, size = _IDS[match.field]
        if match.op is Op.PRESENT:
            return Sql(f"spans.{column} != toFixedString('', {size})")
        if match.op is not Op.EQ:
            raise wrong(match, match.values[0], _("Write an id in hex digits."))
        for value in match.values:
            if not _HEX.fullmatch(value.text) or len(value.text) > 2 * size:
                raise wrong(match, value, _("Write an id in hex digits."))
        ids = [value.text.lower().rjust(2 * size, "0") for value in match.values]
        return _any([self._bind(f"spans.{column} = toFixedString(unhex({{}}), {size})", "String", one) for one in ids])

    def _attribute(self, match: Match) -> Sql:
        prefix, _dot, rest = match.field.partition(".")
        if prefix == "attr" and rest:
            return self._in_map("attributes", rest, match)
        if prefix == "resource" and rest:
            return self._in_map("resource", rest, match)
        if "." not in match.field and (near := nearest(match.field, FIELDS)):
            raise BadQuery(
                _('There is no field "%(field)s".') % {"field": match.field},
                hint=_('did you mean "%(name)s"? An attribute of that name is attr.%(field)s.')
                % {"name": near, "field": match.field},
                field=match.field,
                position=match.position,
            )
        if (column := _ATTRIBUTE_COLUMNS.get(match.field)) and match.op is Op.EQ:
            return self._text(column, match)
        found = self._in_map("attributes", match.field, match)
        return found | self._in_map("resource", match.field, match) if match.field.startswith(_RESOURCE) else found

    def _in_map(self, column: str, key: str, match: Match) -> Sql:
        name = self._name()
        held = f"{column}[{{{name}:String}}]"
        known = Sql(f"mapContains({column}, {{{name}:String}})", {name: key})
        if match.op is Op.PRESENT:
            return known
        if match.op is not Op.EQ:
            return known & self._compare(f"toFloat64OrNull({held})", "Float64", match, _number)
        exact = [value.text for value in match.values if not value.is_pattern]
        # The index is asked for the value, the map for whether it stands under this name.
        found = [
            self._bind(f"hasAny(mapValues({column}), {{}})", "Array(String)", exact)
            & self._bind(f"{held} IN {{}}", "Array(String)", exact)
        ] if exact else []  # fmt: skip
        found += [self._bind(f"{held} LIKE {{}}", "String", like(one)) for one in match.values if one.is_pattern]
        return known & _any(found)


def _any(found: list[Sql]) -> Sql:
    joined = found[0]
    for one in found[1:]:
        joined = joined | one
    return joined


def _nanoseconds(value: Value, match: Match) -> int:
    found = _DURATION.fullmatch(value.text.strip())
    nanoseconds = float(found[1]) * _NANOSECONDS[found[2] or ""] if found else -1
    if not 0 <= nanoseconds < 2**63:
        raise wrong(match, value, _("Write a duration such as 500ms, 1.5s or 2m."))
    return int(nanoseconds)


def time_ns(value: Value, match: Match) -> int:
    """Return a time that the query has in nanoseconds since 1970. Raises BadQuery."""
    try:
        found = parse_datetime(value.text)
    except ValueError:
        found = None
    if found is None:
        raise wrong(match, value, _("Write a time such as 2026-05-01T12:30:00Z."))
    at: datetime = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(at.timestamp() * 1_000_000) * 1000


def _status_number(value: Value, match: Match) -> int:
    if not re.fullmatch(r"\d{1,5}", value.text):
        raise wrong(match, value, _("Write ok, error, or an HTTP status such as 503."))
    return int(value.text)


def _number(value: Value, match: Match) -> float:
    if not _NUMBER.fullmatch(value.text):
        raise wrong(match, value, _("Write a number such as 8, 1.5 or 16e6."))
    return float(value.text)
