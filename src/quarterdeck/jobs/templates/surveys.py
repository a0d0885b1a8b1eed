"""What is answered to a template's questions: read from text or JSON, and checked. Nothing here knows a shell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from unicodedata import category

import re2
from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, OpsError
from quarterdeck.core.names import did_you_mean
from quarterdeck.inventory.queries.items import items
from quarterdeck.jobs.templates.definitions import Field, shown

Value = str | int | float | bool | list[str]
ITEMS_SHOWN = 200
_MAX_TEXT = 32 << 10
_MAX_INTEGER = 2**53
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_QUIET = re2.Options()
_QUIET.log_errors = False


def pattern_of(field: Field) -> Any:
    """Return the compiled expression, which takes linear time whatever it is. Raises BadInput."""
    try:
        return re2.compile(field.regex, _QUIET)
    except re2.error as error:
        raise BadInput(
            _('"%(regex)s" is no regular expression: %(error)s') % {"regex": field.regex, "error": error},
            hint="https://github.com/google/re2/wiki/Syntax",
            field="survey",
        ) from error


def answered(actor: Actor, survey: Sequence[Field], given: Mapping[str, Any]) -> dict[str, Value]:
    """Return `{"name": value}` of what was answered, or is so by default. Raises BadInput for the first that is wrong.

    A question that was left open is not in it.
    """
    names = [field.name for field in survey]
    for name in given:
        if name not in names:
            raise BadInput(
                _('the template does not ask for "%(name)s"') % {"name": str(name)[:40]},
                hint=did_you_mean(str(name), names) or ", ".join(names) or _("it asks nothing"),
                field=str(name),
            )
    found: dict[str, Value] = {}
    for field in survey:
        value = answer(actor, field, given.get(field.name))
        if value is not None:
            found[field.name] = value
    return found


def answer(actor: Actor, field: Field, given: Any) -> Value | None:
    """Return the value of one question, None where it stays open: an empty answer. Raises BadInput.

    One that was not even asked (None) has its default.
    """
    if given is None:
        given = field.default
    if given is None or given in ("", []):
        if field.required:
            raise _wrong(field, _("an answer is needed"))
        return None
    value = _READERS[field.kind](field, given)
    if field.kind == "item":
        _check_item(actor, field, str(value))
    return value


def item_names(actor: Actor, field: Field, limit: int = ITEMS_SHOWN + 1) -> list[str]:
    """Return the names that an item's question may be answered with, of those that the actor may see."""
    found = items(actor, field.query).order_by("name").values_list("name", flat=True)
    return list(dict.fromkeys(found[:limit]))


def _check_item(actor: Actor, field: Field, name: str) -> None:
    if not items(actor, field.query).filter(name=name).exists():
        raise _wrong(
            field,
            _('"%(name)s" is none of the items that may be chosen') % {"name": name[:60]},
            f"qd items list {field.query}",
        )


def _wrong(field: Field, message: str, hint: str = "") -> BadInput:
    text = _("%(field)s: %(message)s") % {"field": field.title(), "message": message}
    return BadInput(text, hint=hint or shown(field.help), field=field.name)


def _text(field: Field, given: Any) -> str:
    if not isinstance(given, str):
        raise _wrong(field, _("it is a text"))
    if _has_controls(given):
        raise _wrong(field, _("a line holds no line breaks, tabs and control characters"))
    return _fitting(field, given)


def _lines(field: Field, given: Any) -> str:
    if not isinstance(given, str):
        raise _wrong(field, _("it is a text"))
    text = given.replace("\r\n", "\n")
    if _has_controls(text.replace("\n", "").replace("\t", "")):
        raise _wrong(field, _("a text holds no control characters"))
    return _fitting(field, text)


def _has_controls(text: str) -> bool:
    """Whether it holds what is no character to read: controls, ends of lines, halves of surrogate pairs."""
    return any(category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text)


def _fitting(field: Field, text: str) -> str:
    _check_bounds(field, len(text), _("%(least)s characters at least"), _("%(most)s characters at most"))
    if len(text.encode()) > _MAX_TEXT:
        raise _wrong(field, _("this is longer than %(limit)d KB") % {"limit": _MAX_TEXT >> 10})
    if field.regex and not pattern_of(field).fullmatch(text):
        raise _wrong(field, _("it does not match %(regex)s") % {"regex": field.regex})
    return text


def _integer(field: Field, given: Any) -> int:
    try:
        number = int(given) if isinstance(given, str) and given.isascii() else given
    except ValueError:
        number = None
    if not isinstance(number, int) or isinstance(number, bool) or abs(number) > _MAX_INTEGER:
        raise _wrong(field, _("it is a whole number"))
    _check_bounds(field, number, _("%(least)s at least"), _("%(most)s at most"))
    return number


def _number(field: Field, given: Any) -> float | int:
    try:
        number = float(given) if isinstance(given, str) and given.isascii() else given
    except ValueError:
        number = None
    if not isinstance(number, int | float) or isinstance(number, bool) or not math.isfinite(number):
        raise _wrong(field, _("it is a number"))
    _check_bounds(field, number, _("%(least)s at least"), _("%(most)s at most"))
    return number


def _boolean(field: Field, given: Any) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in (*_YES, *_NO):
        return given.lower() in _YES
    raise _wrong(field, _("it is true or false"))


def _choice(field: Field, given: Any) -> str:
    known = field.choice_titles()
    if not isinstance(given, str) or given not in known:
        text = str(given)[:60]
        hint = did_you_mean(text, known) or ", ".join(list(known)[:20])
        raise _wrong(field, _('"%(text)s" is none of the choices') % {"text": text}, hint)
    return given


def _choices(field: Field, given: Any) -> list[str]:
    chosen = given.split(",") if isinstance(given, str) else given
    if not isinstance(chosen, list):
        raise _wrong(field, _("it is a list of choices"))
    found = list(dict.fromkeys(_choice(field, one.strip() if isinstance(one, str) else one) for one in chosen))
    _check_bounds(field, len(found), _("%(least)s choices at least"), _("%(most)s choices at most"))
    return found


def _date(field: Field, given: Any) -> str:
    try:
        day = date.fromisoformat(given).isoformat()
    except (TypeError, ValueError):
        raise _wrong(field, _("it is a date such as 2026-12-31")) from None
    _check_bounds(field, day, _("from %(least)s on"), _("until %(most)s"))
    return day


def _check_bounds(field: Field, value: float | str, least: str, most: str) -> None:
    if field.min is not None and value < field.min:  # type: ignore[operator]  # `check_field` compares their kinds
        raise _wrong(field, least % {"least": field.min})
    if field.max is not None and value > field.max:  # type: ignore[operator]
        raise _wrong(field, most % {"most": field.max})


_READERS: dict[str, Callable[[Field, Any], Value]] = {
    "text": _text,
    "lines": _lines,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "choice": _choice,
    "choices": _choices,
    "item": _text,
    "date": _date,
}


def check_field(actor: Actor, field: Field) -> None:
    """Raise BadInput for a question that cannot be answered, or whose default is no answer."""
    if field.kind in ("choice", "choices") and not field.choices:
        raise _wrong(field, _("there is nothing to choose"), "choices: [a, b]")
    if field.choices and field.kind not in ("choice", "choices"):
        raise _wrong(field, _("choices are for the kinds choice and choices"))
    if field.kind == "item" and not field.query.strip():
        raise _wrong(field, _("a query says which items may be chosen"), "query: type:host env:prod")
    if field.query and field.kind != "item":
        raise _wrong(field, _("a query is for the kind item"))
    if field.regex:
        if field.kind not in ("text", "lines"):
            raise _wrong(field, _("a regular expression is for the kinds text and lines"))
        pattern_of(field)
    _check_kind_of_bounds(field)
    if field.kind == "item":
        items(actor, field.query)
    elif field.default is not None:
        try:
            answer(actor, field, field.default)
        except OpsError as error:
            raise BadInput(error.message, hint=_("the default must be an answer"), field="survey") from error


def _check_kind_of_bounds(field: Field) -> None:
    wanted: type | tuple[type, ...] = str if field.kind == "date" else (int, float)
    for bound in (field.min, field.max):
        if bound is None:
            continue
        if field.kind in ("boolean", "choice", "item") or not isinstance(bound, wanted):
            raise _wrong(field, _("this cannot be its bound: %(bound)s") % {"bound": bound})
        if isinstance(bound, str):
            _date(Field(name=field.name, kind="date"), bound)
