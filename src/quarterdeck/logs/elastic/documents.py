"""A line as the document that Elasticsearch would keep: named by the Elastic Common Schema, with objects inside."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from quarterdeck.logs.elastic.bodies import Body, a_list, a_text, a_truth, an_object, texts
from quarterdeck.logs.elastic.dates import checked_format, written, written_ns
from quarterdeck.logs.elastic.names import INDEX, INDEX_ATTRIBUTE, WRITTEN
from quarterdeck.logs.identity import ID

COLUMNS = f"""toUnixTimestamp64Nano(logs.ts), {ID} AS id, {", ".join(f"logs.{one}" for one in WRITTEN.values())},
    toValidUTF8(logs.message), logs.attributes, logs.resource"""
COLUMNS_COUNT = 2 + len(WRITTEN) + 3

Row = Sequence[Any]
Flat = Mapping[str, str]
Wanted = Callable[[str], bool]


def id_of(row: Row) -> str:
    """Return a line's id: its time and its hash."""
    return f"{row[0]}-{row[1]:016x}"


def index_of(row: Row) -> str:
    """Return the index under which the line was sent."""
    return str(row[-2].get(INDEX_ATTRIBUTE) or INDEX)


def flat(row: Row) -> Flat:
    """Return all that a row of `COLUMNS` holds, by its name with dots."""
    columns = zip(WRITTEN, row[2 : 2 + len(WRITTEN)], strict=True)
    return {
        **row[-1],
        **{name: value for name, value in row[-2].items() if name != INDEX_ATTRIBUTE},
        "@timestamp": written_ns(row[0]),
        "message": row[-3],
        **{name: value for name, value in columns if value},
    }


def nested(found: Flat) -> dict[str, Any]:
    """Return `{"log.level": "info"}` as `{"log": {"level": "info"}}`; where a text is in the way, the dots stay."""
    made: dict[str, Any] = {}
    # The shorter first: an object is made only where no text is.
    for name in sorted(found):
        *above, last = name.split(".")
        place: Any = made if all((*above, last)) else None
        for step in above:
            place = place.setdefault(step, {}) if isinstance(place, dict) else None
        if isinstance(place, dict) and last not in place:
            place[last] = found[name]
        else:
            made[name] = found[name]
    return made


def source_filter(given: object) -> Wanted | None:
    """Return which fields `_source` asks for: true, false (None), names with wildcards, includes and excludes."""
    if given is None or (isinstance(given, bool | str) and str(given).lower() in ("true", "")):
        return lambda _name: True
    if isinstance(given, bool | str) and str(given).lower() == "false":
        return None
    if isinstance(given, Mapping):
        found: Body = an_object(given, "_source", ("includes", "include", "excludes", "exclude"))
        includes = texts(found.get("includes", found.get("include", [])), "_source")
        excludes = texts(found.get("excludes", found.get("exclude", [])), "_source")
    else:
        includes, excludes = [a_text(one, "_source") for one in a_list(given, "_source")], []
    takes, leaves = _matcher(includes, usual=True), _matcher(excludes, usual=False)
    return lambda name: takes(name) and not leaves(name)


def _matcher(patterns: Sequence[str], *, usual: bool) -> Wanted:
    """Whether a name, or an object that it is in, is like one of the patterns."""
    if not patterns:
        return lambda _name: usual
    # Without empty pieces: two stars in a row would be tried in every way.
    each = ("[^\x00]*".join(map(re.escape, re.split(r"\*+", one[:200]))) for one in patterns[:100])
    compiled = re.compile(f"(?>{'|'.join(each)})(?:\\.|$)") if patterns else None
    return lambda name: compiled is not None and compiled.match(name) is not None


def shown_fields(given: object, place: str) -> list[tuple[str, str]]:
    """Return `[(name or pattern, format)]` of `fields` and `docvalue_fields`. Raises BadQuery."""
    found = []
    for one in a_list(given, place) if given is not None else []:
        if isinstance(one, Mapping):
            asked = an_object(one, place, ("field", "format", "include_unmapped"))
            a_truth(asked.get("include_unmapped", False), place)
            form = a_text(asked.get("format") or "", place)
            found.append((a_text(asked.get("field", ""), place), form if not form or checked_format(form) else ""))
        else:
            found.append((a_text(one, place), ""))
    return found


def fields_of(row: Row, document: Flat, wanted: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the values that `shown_fields` asks for, each as a list."""
    found: dict[str, list[str]] = {}
    for pattern, form in wanted:
        for end in ("", ".keyword"):
            bare = pattern.removesuffix(".keyword") if end else pattern
            if end and bare == pattern:
                continue
            for name, value in _like(document, bare):
                is_time = name == "@timestamp"
                found[name + end] = [written(row[0] // 1_000_000, form) if is_time else value]
    return found


def _like(document: Flat, pattern: str) -> list[tuple[str, str]]:
    if "*" not in pattern:
        return [(pattern, document[pattern])] if pattern in document else []
    regex = re.compile("[^\x00]*".join(map(re.escape, re.split(r"\*+", pattern[:200]))))
    return [(name, value) for name, value in document.items() if regex.fullmatch(name)]
