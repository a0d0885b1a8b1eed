"""Reading what SDKs write: JSON that is not always JSON, times, ids, numbers that come as texts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from quarterdeck.telemetry.receiving import Refused

# Unix seconds that fit into nanoseconds of 64 bits.
_LAST_SECOND = 9_223_372_036
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEX = {digits: re.compile(f"[0-9a-f]{{{digits}}}") for digits in (16, 32)}
NAME_MAX = 200
TEXT_MAX = 8192


def load(content: bytes) -> Any:
    """Return the JSON value. Raises Refused.

    JavaScript writes halves of surrogate pairs, Python writes NaN, and some programs pass on bytes that are no UTF-8:
    none of them makes an error report worth losing.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        try:
            return _cleaned(json.loads(content.decode("utf-8", "replace")))
        except (ValueError, RecursionError):
            raise Refused(f"no JSON: {str(error)[:200]}") from error


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < 1 << 63 else str(value)
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(inner) for name, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value


def load_object(content: bytes) -> dict[str, Any]:
    """Return the JSON object. Raises Refused."""
    found = load(content)
    if not isinstance(found, dict):
        raise Refused(f"a JSON object is expected, not {type(found).__name__}")
    return found


def compact(value: Any) -> str:
    """Return a value as JSON, "" for one that is nested too deep."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return ""


def text(value: Any, limit: int = NAME_MAX) -> str:
    """Return a value as text of at most `limit` characters: None is "", lists and objects are JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value[:limit]
    return compact(value)[:limit]


def mapping(value: Any) -> dict[str, Any]:
    """Return an object as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, or of the object `{"values": [...]}` that SDKs wrap lists in."""
    if isinstance(value, dict):
        value = value["values"] if isinstance(value.get("values"), list) else [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def number(value: Any) -> float | None:
    """Return a finite number, None for anything else. Texts are read as well."""
    if isinstance(value, str):
        try:
            value = float(value[:40])
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def whole(value: Any, most: int = (1 << 32) - 1) -> int:
    """Return a count: a whole number from 0 to `most`, 0 for what is none."""
    found = number(value)
    return 0 if found is None else int(min(max(found, 0), most))


def unix_ns(value: Any) -> int | None:
    """Return Unix time in ns of seconds or of an ISO 8601 text; None for what is no time from 1970 to 2262."""
    seconds = number(value)
    if seconds is not None:
        # Doubles hold today's times to a quarter of a microsecond.
        return round(seconds * 1e6) * 1000 if 0 < seconds < _LAST_SECOND else None
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value[:40].strip())
        since = (found if found.tzinfo else found.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        return None
    in_ns = (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
    return in_ns if 0 < in_ns < _LAST_SECOND * 10**9 else None


def hex_id(value: Any, digits: int) -> str:
    """Return an id of 16 or 32 hex digits in lower case; "" for what is none, zero included."""
    if not isinstance(value, str) or len(value) > 40:
        return ""
    found = value.replace("-", "").lower()
    return found if _HEX[digits].fullmatch(found) and found.strip("0") else ""


def tags(value: Any) -> dict[str, str]:
    """Return tags, which come as an object or as a list of pairs; at most 200, empty ones left out."""
    if isinstance(value, list):
        value = dict(_pair(one) for one in value)
    found = {text(name): text(inner, 1000) for name, inner in list(mapping(value).items())[:NAME_MAX]}
    return {name: inner for name, inner in found.items() if name and inner}


def _pair(value: Any) -> tuple[str, Any]:
    if isinstance(value, list) and len(value) == 2:
        return text(value[0]), value[1]
    inner = mapping(value)
    return text(inner.get("key")), inner.get("value")


def attributes(value: Any) -> dict[str, str]:
    """Return `{"name": {"value": 5, "type": "integer"}}`, as logs, metrics and spans have it, as texts."""
    found: dict[str, str] = {}
    for name, inner in mapping(value).items():
        plain = inner.get("value") if isinstance(inner, dict) and "value" in inner else inner
        if plain is not None:
            found[name[:NAME_MAX]] = text(plain, TEXT_MAX)
    return found


def first(values: Mapping[str, Any], *names: str) -> str:
    """Return the first of the named values that is not empty, as text."""
    return next((found for name in names if (found := text(values.get(name)))), "")
