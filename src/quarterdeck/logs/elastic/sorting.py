"""The order of hits, and where the page after one begins.

A time counts in milliseconds, as Elasticsearch's `date` does; `_doc` tells apart what has the same one, exactly.
Without any order the newest come first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.elastic.bodies import a_text, an_object, clauses, expected, one_of, unsupported
from quarterdeck.logs.elastic.dates import checked_format, moment_ms, written
from quarterdeck.logs.elastic.documents import Row, id_of
from quarterdeck.logs.elastic.names import Field
from quarterdeck.logs.elastic.terms import Terms
from quarterdeck.logs.identity import ID
from quarterdeck.telemetry.conditions import EVERYTHING, NOTHING, Names, Sql, all_of, any_of

KEYS_MAX = 10
_OPTIONS = ("order", "unmapped_type", "format", "missing", "mode", "numeric_type", "nested")
_LINE = ("_doc", "_id", "_shard_doc")
_LINE_ID = re.compile(r"(\d{1,19})-([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that hits are ordered by."""

    kind: Literal["time", "line", "score", "text", "attribute"]
    is_down: bool
    form: str = ""
    field: Field | None = None

    @property
    def place(self) -> Sql:
        return self.field.value if self.field else Sql("1")

    @property
    def direction(self) -> str:
        return "DESC" if self.is_down else "ASC"


USUAL = (Key("time", is_down=True),)


def keys_of(given: object, terms: Terms) -> tuple[Key, ...]:
    """Return the keys of `sort`: a name, `{name: order}`, `{name: {"order": ...}}`, or a list of them."""
    found = [_key(one, terms) for one in clauses(given, "sort")] if given else []
    if len(found) > KEYS_MAX:
        raise expected("sort", _("at most %(limit)d fields") % {"limit": KEYS_MAX}, len(found))
    return tuple(found) or USUAL


def _key(given: object, terms: Terms) -> Key:
    name, options = (given, {}) if isinstance(given, str) else _named(given)
    if isinstance(options, str):
        options = {"order": options}
    asked = an_object(options, "sort", _OPTIONS)
    order = str(asked.get("order", "desc" if name == "_score" else "asc")).lower()
    if order not in ("asc", "desc"):
        raise unsupported("sort", order, ("asc", "desc"))
    if asked.get("missing", "_last") != "_last":
        raise unsupported("sort", f"missing: {asked['missing']}", ("_last",))
    is_down = order == "desc"
    if name in _LINE or name == "_score":
        return Key("score" if name == "_score" else "line", is_down)
    field = terms.field(name)
    form = a_text(asked.get("format") or "", "format")
    if field.kind == "date":
        return Key("time", is_down, form if not form or checked_format(form) else "")
    return Key("attribute" if field.kind == "attribute" else "text", is_down, field=field)


def _named(given: object) -> tuple[str, Any]:
    found = an_object(given, "sort")
    return one_of(given, "sort", found)


def exactly(keys: Sequence[Key]) -> tuple[Key, ...]:
    """Return the keys with the line itself behind them, so that each hit has a place of its own. Raises BadQuery."""
    for key in keys:
        if key.kind == "attribute":
            raise _no_place(key)
    if any(key.kind == "line" for key in keys):
        return tuple(keys)
    timed = [key for key in keys if key.kind != "score"]
    return (*keys, Key("line", is_down=timed[-1].is_down if timed else True))


def is_by_time(keys: Sequence[Key]) -> bool:
    """Whether lines are just in the order of their time, one way or the other."""
    kinds = [key.kind for key in keys if key.kind != "score"]
    same = len({key.is_down for key in keys if key.kind != "score"}) == 1
    return same and kinds in (["time"], ["time", "line"], ["line"])


def is_down(keys: Sequence[Key]) -> bool:
    """Whether what `is_by_time` says runs from the newest on."""
    return next(key.is_down for key in keys if key.kind != "score")


def order_of(keys: Sequence[Key]) -> Sql:
    """Return the SQL behind ORDER BY. What is missing is last either way."""
    if is_by_time(keys):
        way = "DESC" if is_down(keys) else "ASC"
        return Sql(f"logs.ts {way}, id {way}")
    parts: list[str] = []
    parameters: dict[str, Any] = {}
    for key in keys:
        place = key.place.text
        parameters.update(key.place.parameters)
        if key.kind == "time":
            parts.append(f"toUnixTimestamp64Milli(logs.ts) {key.direction}")
        elif key.kind == "line":
            parts.append(f"logs.ts {key.direction}, id {key.direction}")
        elif key.kind == "text":
            parts.append(f"empty({place}), {place} {key.direction}")
        elif key.kind == "attribute":
            # Numbers in their order, then texts in theirs.
            number = f"toFloat64OrNull({place})"
            parts.append(f"empty({place}), isNull({number}), {number} {key.direction}, {place} {key.direction}")
    return Sql(", ".join([*parts, "logs.ts DESC"]), parameters)


def values_of(keys: Sequence[Key]) -> Sql:
    """Return the SQL of the values of texts that hits are ordered by, in their order."""
    places = [key.place for key in keys if key.field]
    text = f"[{', '.join(f'toString({one.text})' for one in places)}]"
    return Sql(
        text if places else "CAST([], 'Array(String)')", {k: v for one in places for k, v in one.parameters.items()}
    )


def shown(keys: Sequence[Key], row: Row, texts: Sequence[str]) -> list[Any]:
    """Return a hit's `sort`."""
    found: list[Any] = []
    left = iter(texts)
    for key in keys:
        if key.kind == "time":
            ms = row[0] // 1_000_000
            found.append(written(ms, key.form) if key.form and key.form != "epoch_millis" else ms)
        elif key.kind == "line":
            found.append(id_of(row))
        else:
            found.append(1.0 if key.kind == "score" else next(left) or None)
    return found


def after(keys: Sequence[Key], given: object, names: Names, *, with_same: bool = False) -> Sql:
    """Return the condition of the hits behind the one with this `sort`, or from it on. Raises BadQuery."""
    if not isinstance(given, list) or len(given) != len(keys):
        raise expected("search_after", _("one value for each field of sort"), given)
    parts: list[Sql] = []
    same: list[Sql] = []
    for key, value in zip(keys, given, strict=True):
        behind, equal = _behind(key, value, names)
        parts.append(all_of([*same, behind]) if behind is not NOTHING else NOTHING)
        same.append(equal)
    return any_of([*parts, all_of(same)] if with_same else parts)


def _behind(key: Key, value: Any, names: Names) -> tuple[Sql, Sql]:
    if key.kind == "score":
        return NOTHING, EVERYTHING
    if key.kind == "time":
        return _behind_time(key, value, names)
    if key.kind == "line":
        return _behind_line(key, value, names)
    if key.kind == "attribute":
        raise _no_place(key)
    place = key.place.text
    if value is None:
        return NOTHING, Sql(f"{place} = ''")
    text = a_text(value, "search_after")
    behind = names.sql(f"{place} {'<' if key.is_down else '>'} {{}}", ("String", text))
    return behind if key.is_down else behind | Sql(f"{place} = ''"), names.sql(f"{place} = {{}}", ("String", text))


def _no_place(key: Key) -> BadQuery:
    return BadQuery(
        _("[%(what)s] does not support the field [%(name)s]")
        % {"what": "search_after", "name": key.field.name if key.field else ""},
        hint="@timestamp, _doc, service.name, host.name, log.level",
    )


def _behind_time(key: Key, value: Any, names: Names) -> tuple[Sql, Sql]:
    ms = max(0, min(moment_ms(value, form=key.form), (2**32 - 1) * 1000))
    start, end = ("Int64", ms), ("Int64", ms + 1)
    border = "logs.ts {sign} fromUnixTimestamp64Milli({}, 'UTC')"
    equal = names.sql(f"{border} AND {border}".replace("{sign}", ">=", 1).replace("{sign}", "<"), start, end)
    if key.is_down:
        return names.sql(border.replace("{sign}", "<"), start), equal
    return names.sql(border.replace("{sign}", ">="), end), equal


def _behind_line(key: Key, value: Any, names: Names) -> tuple[Sql, Sql]:
    found = _LINE_ID.fullmatch(value) if isinstance(value, str) else None
    if not found or int(found[1]) >= 2**63:
        raise expected("search_after", _("the sort of a hit"), value)
    place, way = f"(logs.ts, {ID})", "<" if key.is_down else ">"
    values = ("Int64", int(found[1])), ("UInt64", int(found[2], 16))
    border = "(fromUnixTimestamp64Nano({}, 'UTC'), {})"
    return names.sql(f"{place} {way} {border}", *values), names.sql(f"{place} = {border}", *values)


def of_address(text: str) -> list[Mapping[str, str] | str]:
    """Return `a:desc,b`, as an address has it, as the list that a body has."""
    found: list[Mapping[str, str] | str] = []
    for part in text.split(","):
        name, colon, order = part.rpartition(":")
        found.append({name: order} if colon and order in ("asc", "desc") else part)
    return found
