"""Attributes that are not indexed: the value is read from the JSON of every item that the other conditions leave.

The code stands in the statement's text (it is checked against the catalogue and its pattern), since a JSON path that
is a bind parameter cannot be planned. It works for every attribute, and is as slow as it sounds: mark what you filter
by as indexed.
"""

from __future__ import annotations

import re
from typing import Any

from django.db import connection
from django.db.models import FloatField, Func, Q, TextField
from django.db.models.functions import Cast, Lower
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    Regex,
)

from quarterdeck.core.query import Match, Op, Value, wildcards
from quarterdeck.inventory.catalogue import AttributeSpec
from quarterdeck.inventory.models import Kind
from quarterdeck.inventory.queries.operands import as_number, as_regex, as_time, bounds

_CODE = re.compile(r"[a-z][a-z0-9_]{0,47}")


class AttributeText(Func):
    """`attributes` of an item, one code, as text: lists and objects as their JSON."""

    output_field = TextField()

    def __init__(self, code: str) -> None:
        if not _CODE.fullmatch(code):
            raise ValueError(f"not an attribute's code: {code!r}")
        super().__init__("attributes")
        self.code = code

    def as_sqlite(self, compiler: Any, db: Any, **context: Any) -> Any:  # type: ignore[override]
        return self.as_sql(compiler, db, template=f"json_extract(%(expressions)s, '$.\"{self.code}\"')", **context)

    def as_postgresql(self, compiler: Any, db: Any, **context: Any) -> Any:
        return self.as_sql(compiler, db, template=f"(%(expressions)s ->> '{self.code}')", **context)


def _text(spec: AttributeSpec, value: Value) -> str:
    text = value.text.lower()
    if spec.kind == Kind.BOOLEAN:
        truth = text in ("true", "yes", "1", "on")
        return (str(int(truth)) if connection.vendor == "sqlite" else str(truth).lower()) if text else ""
    return text


def scan(spec: AttributeSpec, match: Match) -> Q:
    """Return the condition on an attribute that has no index."""
    text = AttributeText(spec.code)
    if match.op is Op.PRESENT:
        return Q(IsNull(text, False))
    if spec.is_list or spec.kind == Kind.JSON:
        return _in_list(text, match)
    if spec.kind in (Kind.INTEGER, Kind.NUMBER, Kind.REFERENCE):
        return _numbers(Cast(text, FloatField()), match)
    if spec.kind in (Kind.DATETIME, Kind.DATE):
        return _times(spec, text, match)
    return _texts(spec, Cast(Lower(text), TextField()), match)


def _in_list(text: Func, match: Match) -> Q:
    """A list is scanned as its JSON text: a value stands in it between quotes, a number between commas."""
    found = Q(pk__in=[])
    for value in match.values:
        quoted = wildcards(value, r"[^\"]", vendor=connection.vendor)
        bare = wildcards(value, r"[^ ,:\"\[\]{}]", vendor=connection.vendor)
        pattern = rf"(\"{quoted}\"|[\[, :]{bare}[\],}}])"
        found |= Q(Regex(Cast(Lower(text), TextField()), pattern))
    return found


def _numbers(number: Any, match: Match) -> Q:
    if match.op is Op.EQ:
        return Q(In(number, [float(as_number(value, match)) for value in match.values]))
    return _between(number, *bounds(match, lambda value: float(as_number(value, match))))


def _times(spec: AttributeSpec, text: Func, match: Match) -> Q:
    """ISO times in UTC sort as text."""
    length = 10 if spec.kind == Kind.DATE else 19

    def read(value: Value) -> str:
        return as_time(value, match).isoformat()[:length]

    if match.op is Op.EQ:
        found = Q(pk__in=[])
        for value in match.values:
            found |= _between(text, read(value), read(value) + "~", False, False)
        return found
    return _between(text, *bounds(match, read))


def _texts(spec: AttributeSpec, text: Any, match: Match) -> Q:
    if match.op is not Op.EQ:
        return _between(text, *bounds(match, lambda value: _text(spec, value)))
    plain = [_text(spec, value) for value in match.values if not value.is_pattern]
    found = Q(In(text, plain)) if len(plain) > 1 else Q(Exact(text, plain[0])) if plain else Q(pk__in=[])
    for value in match.values:
        if value.is_pattern:
            found |= Q(Regex(text, as_regex(value)))
    return found


def _between(expression: Any, low: Any, high: Any, strict_low: bool, strict_high: bool) -> Q:
    found = Q()
    if low is not None:
        found &= Q(GreaterThan(expression, low) if strict_low else GreaterThanOrEqual(expression, low))
    if high is not None:
        found &= Q(LessThan(expression, high) if strict_high else LessThanOrEqual(expression, high))
    return found
