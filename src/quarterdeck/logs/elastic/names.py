"""Field names as Elasticsearch's users write them, and where their values are in table `logs`.

Names of the Elastic Common Schema, of OpenTelemetry and ours mean columns; any other is an attribute of the line or of
its sender. `attributes.x` and `resource.attributes.x` say which of the two; `.keyword` behind a name is its whole text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from quarterdeck.logs.elastic.bodies import a_text, unsupported
from quarterdeck.logs.identity import ID
from quarterdeck.telemetry.conditions import EVERYTHING, Names, Sql, any_of
from quarterdeck.telemetry.documents import KUBERNETES

Kind = Literal["date", "text", "keyword", "level", "hex", "attribute", "index", "id"]
NAME_MAX = 1000
# The attribute under which the intake keeps the index that a client named.
INDEX_ATTRIBUTE = "elasticsearch.index"
INDEX = "logs"
# Names as they are written in answers, each with its column.
WRITTEN = {
    "log.level": "level",
    "service.name": "service",
    "host.name": "host",
    "log.logger": "component",
    "event.module": "source",
    "trace.id": "trace_id",
    "span.id": "span_id",
}
_COLUMNS = {
    **WRITTEN,
    **{column: column for column in WRITTEN.values()},
    "severity_text": "level", "severity": "level", "loglevel": "level", "host.hostname": "host", "hostname": "host",
    "service_name": "service", "logger": "component", "trace": "trace_id", "traceId": "trace_id",
    "span": "span_id", "spanId": "span_id",
}  # fmt: skip
_TIMES = ("@timestamp", "timestamp", "ts")
_MESSAGES = ("message", "msg", "body", "body.text")
_WHOLE = (".keyword", ".raw")
_PLAIN = re.compile(r"[\w.\-/]+")
_SENT = f"logs.attributes['{INDEX_ATTRIBUTE}']"


@dataclass(frozen=True, slots=True)
class Field:
    """`places` are SQL of its text, of which each may hold it; `value` is the one that counts; `exists` a condition."""

    name: str
    kind: Kind
    places: tuple[Sql, ...]
    value: Sql
    exists: Sql

    @property
    def number(self) -> Sql:
        """SQL of the value as a finite number, NULL where it is none; of a time in milliseconds."""
        if self.kind == "date":
            return Sql("toNullable(toFloat64(toUnixTimestamp64Milli(logs.ts)))")
        found = f"toFloat64OrNull({self.value.text})"
        return Sql(f"if(isFinite({found}), {found}, NULL)", self.value.parameters)


def field_of(name: object, names: Names, place: str = "field") -> Field:
    """Return the field that is called `name`. Raises BadQuery for what is no name."""
    text = a_text(name, place)
    if not text or len(text) > NAME_MAX or "\x00" in text:
        raise unsupported(place, text)
    bare = next((text.removesuffix(end) for end in _WHOLE if text.endswith(end)), text)
    if bare in _TIMES:
        return Field(text, "date", (), Sql("logs.ts"), EVERYTHING)
    if bare in _MESSAGES:
        return _column(text, "message", "text" if bare == text else "keyword")
    if column := _COLUMNS.get(bare):
        return _column(text, column, "level" if column == "level" else "hex" if column.endswith("_id") else "keyword")
    if bare == "_index":
        value = Sql(f"if({_SENT} = '', '{INDEX}', {_SENT})")
        return Field(text, "index", (value,), value, EVERYTHING)
    if bare == "_id":
        value = Sql(f"concat(toString(toUnixTimestamp64Nano(logs.ts)), '-', lower(leftPad(hex({ID}), 16, '0')))")
        return Field(text, "id", (value,), value, EVERYTHING)
    if bare.startswith("_"):
        # What begins so is Elasticsearch's own, but for what journald sends.
        bare = bare if bare.isupper() else ""
    return _attribute(text, bare, names) if bare else _refused(text, place)


def _refused(text: str, place: str) -> Field:
    raise unsupported(place, text, ("_id", "_index"))


def _column(name: str, column: str, kind: Kind) -> Field:
    value = Sql(f"logs.{column}")
    return Field(name, kind, (value,), value, Sql(f"logs.{column} != ''"))


def _attribute(written: str, name: str, names: Names) -> Field:
    for prefix, one in (("resource.attributes.", "resource"), ("resource.", "resource"), ("attributes.", "attributes")):
        if name.startswith(prefix) and len(name) > len(prefix):
            value = _in(one, name.removeprefix(prefix), names)
            has = _in(one, name.removeprefix(prefix), names, "mapContains(logs.{map}, {name})")
            return Field(written, "attribute", (value,), value, has)
    name = KUBERNETES.get(name, name)
    places = tuple(_in(one, name, names) for one in ("attributes", "resource"))
    each = [_in(one, name, names, "mapContains(logs.{map}, {name})") for one in ("attributes", "resource")]
    value = Sql(
        f"if({each[0].text}, {places[0].text}, {places[1].text})",
        {**each[0].parameters, **places[0].parameters, **places[1].parameters},
    )
    return Field(written, "attribute", places, value, any_of(each))


def _in(kind: str, name: str, names: Names, template: str = "logs.{map}[{name}]") -> Sql:
    """The index on values is used for literals only: a name of plain characters is one, any other a parameter."""
    if _PLAIN.fullmatch(name):
        return Sql(template.replace("{map}", kind).replace("{name}", f"'{name}'"))
    return names.sql(template.replace("{map}", kind).replace("{name}", "{}"), ("String", name))
