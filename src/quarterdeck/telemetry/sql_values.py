"""Rows that the engine wrote as JSON, as every reader of JSON can take them: bytes of a fixed length become hex digits.

The engine writes the bytes of a String or FixedString into JSON as they are. A trace's id is `FixedString(16)`, and its
bytes are seldom text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

Convert = Callable[[Any], Any]
_WORD = re.compile(r"\s*([A-Za-z0-9_]+)")
_WRAPPERS = frozenset({"Nullable", "LowCardinality"})


def decoded(line: bytes) -> Any:
    """Return a line of JSON; bytes that are no UTF-8 become half surrogates, which `converter` takes back."""
    return json.loads(line.decode("utf-8", "surrogateescape"))


def _as_hex(value: Any) -> Any:
    return value.encode("utf-8", "surrogateescape").hex() if isinstance(value, str) else value


def _as_text(value: Any) -> Any:
    """Text as it is; a byte that is none of UTF-8's becomes `\\xff`, as Python writes it."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@cache
def converter(type_name: str) -> Convert:
    """Return what makes a value of a ClickHouse type (`Array(FixedString(8))`) fit for JSON."""
    name, inner = _split(type_name)
    if name == "FixedString":
        return _as_hex
    if name in _WRAPPERS and inner:
        return converter(inner[0])
    if name == "Array" and inner:
        return _each(converter(inner[0]))
    if name == "Map" and len(inner) == 2:
        return _pairs(converter(inner[0]), converter(inner[1]))
    if name == "Tuple":
        return _members([_member(text) for text in inner])
    return _as_any if name in ("JSON", "Object", "Dynamic", "Variant", "AggregateFunction") else _as_text


def _as_any(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_any(inner) for inner in value]
    if isinstance(value, dict):
        return {_as_text(name): _as_any(inner) for name, inner in value.items()}
    return _as_text(value)


def _each(convert: Convert) -> Convert:
    return lambda value: [convert(inner) for inner in value] if isinstance(value, list) else value


def _pairs(key: Convert, convert: Convert) -> Convert:
    def apply(value: Any) -> Any:
        return {key(name): convert(inner) for name, inner in value.items()} if isinstance(value, dict) else value

    return apply


def _members(members: list[tuple[str, Convert]]) -> Convert:
    """A Tuple comes as a list, or as an object when all its members have names."""

    def apply(value: Any) -> Any:
        if isinstance(value, dict):
            named = dict(members)
            return {name: named.get(name, _as_text)(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [convert(inner) for (_name, convert), inner in zip(members, value, strict=True)]
        return value

    return apply


def _member(text: str) -> tuple[str, Convert]:
    """Return name and converter of `ts DateTime64(9)` or `UInt8`."""
    name, space, type_name = text.partition(" ")
    if space and "(" not in name and "'" not in name:
        return name.strip("`"), converter(type_name.strip())
    return "", converter(text)


def _split(type_name: str) -> tuple[str, list[str]]:
    """Return `("Map", ["String", "Array(UInt8)"])` of "Map(String, Array(UInt8))"."""
    match = _WORD.match(type_name)
    if not match:
        return "", []
    rest = type_name[match.end() :].strip()
    if not rest.startswith("(") or not rest.endswith(")"):
        return match[1], []
    return match[1], list(_arguments(rest[1:-1]))


def _arguments(text: str) -> list[str]:
    """Split at the commas that are in no parentheses and no quotes."""
    found, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "'`":
            quote = char
        elif char == "," and depth == 0:
            found.append("")
            continue
        else:
            depth += (char == "(") - (char == ")")
        found[-1] += char
    return [part.strip() for part in found if part.strip()]
