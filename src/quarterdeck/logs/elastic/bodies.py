"""Reading a request's JSON: each place tells what it takes, and what else was found is refused by name."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.core.errors import BadInput, BadQuery
from quarterdeck.core.names import did_you_mean

Body = Mapping[str, Any]
Scalar = str | int | float | bool
TEXT_MAX = 32 << 10
_SHOWN = 60
_OBJECT, _LIST = gettext_lazy("an object"), gettext_lazy("a list")
_TEXT, _NUMBER = gettext_lazy("a text"), gettext_lazy("a number")
_TRUTH, _SCALAR = gettext_lazy("true or false"), gettext_lazy("a text, a number or true or false")
_WHOLE = gettext_lazy("a whole number from %(low)d to %(high)d")


class TooManyBuckets(BadInput):
    """An aggregation has more buckets than one answer may hold."""

    status = 400


def unsupported(place: str, found: object, allowed: Collection[str] = ()) -> BadQuery:
    """Return the error for what is not known at `place`, with the near name or all that is known."""
    shown = str(found)[:_SHOWN]
    hint = did_you_mean(shown, allowed) or ", ".join(sorted(allowed))
    return BadQuery(_("[%(place)s] does not support [%(found)s]") % {"place": place, "found": shown}, hint=hint)


def expected(place: str, what: object, found: object) -> BadQuery:
    shown = str(found)[:_SHOWN]
    text = _("[%(place)s] takes %(what)s, and found [%(found)s]")
    return BadQuery(text % {"place": place, "what": what, "found": shown})


def missing(place: str, name: str) -> BadQuery:
    return BadQuery(_("[%(place)s] needs [%(name)s]") % {"place": place, "name": name})


def an_object(value: object, place: str, allowed: Collection[str] | None = None) -> Body:
    """Return `value` as an object, with none but the `allowed` names. Raises BadQuery."""
    if not isinstance(value, Mapping):
        raise expected(place, _OBJECT, value)
    for name in value:
        if allowed is not None and name not in allowed:
            raise unsupported(place, name, allowed)
    return value


def one_of(value: object, place: str, allowed: Collection[str]) -> tuple[str, Any]:
    """Return the single name of an object and what it holds. Raises BadQuery."""
    found = an_object(value, place, allowed)
    if len(found) != 1:
        raise expected(place, _("an object with one name"), ", ".join(found) or "{}")
    return next(iter(found.items()))


def a_list(value: object, place: str) -> list[Any]:
    """Return a list; what is none is a list of one. Raises BadQuery for an object."""
    if isinstance(value, list):
        return value
    if value is None or isinstance(value, Mapping):
        raise expected(place, _LIST, value)
    return [value]


def clauses(value: object, place: str) -> list[Any]:
    """Return a list of objects; one object is a list of one."""
    return [value] if isinstance(value, Mapping) else a_list(value, place)


def a_text(value: object, place: str) -> str:
    """Return a text of at most 32 KB. Raises BadQuery."""
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise expected(place, _TEXT, value)
    return value


def a_scalar(value: object, place: str) -> Scalar:
    if not isinstance(value, Scalar) or (isinstance(value, str) and len(value) > TEXT_MAX):
        raise expected(place, _SCALAR, value)
    return value


def as_text(value: Scalar) -> str:
    """Return a value as the documents' texts have it: `true`, `5`, `1.5`."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def texts(value: object, place: str) -> list[str]:
    return [as_text(a_scalar(one, place)) for one in a_list(value, place)]


def a_number(value: object, place: str) -> float:
    """Return a finite number, also one that is written as a text. Raises BadQuery."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise expected(place, _NUMBER, value)
    return found


def a_whole(value: object, place: str, low: int, high: int) -> int:
    """Return a whole number within both bounds. Raises BadQuery."""
    is_text = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value)
    number = int(value) if is_text or (isinstance(value, int) and not isinstance(value, bool)) else None  # type: ignore[call-overload]
    if number is None or not low <= number <= high:
        raise expected(place, _WHOLE % {"low": low, "high": high}, value)
    return int(number)


def a_truth(value: object, place: str) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false", ""):
        return value != "false"
    raise expected(place, _TRUTH, value)
