"""Which fields there are, and of which type: what Grafana offers for choice. Attributes are those of a sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from quarterdeck.logs.elastic.names import INDEX, INDEX_ATTRIBUTE, WRITTEN
from quarterdeck.logs.elastic.reading import Reader
from quarterdeck.telemetry.conditions import Sql

# Attributes are looked for in so many lines of the last day, or of all days if that one has none.
SAMPLE_LINES = 50_000
_DAY = Sql("logs.ts > now() - INTERVAL 1 DAY")
FIELDS_MAX = 1000
INDICES_MAX = 1000
_SENT = f"logs.attributes['{INDEX_ATTRIBUTE}']"
_FIELDS = f"""
    SELECT pair.1 AS name, countIf(isNull(toInt64OrNull(pair.2))) = 0, countIf(isNull(toFloat64OrNull(pair.2))) = 0
    FROM (
        SELECT mapUpdate(logs.resource, logs.attributes) AS found FROM logs WHERE {{where}} LIMIT {SAMPLE_LINES}
    ) ARRAY JOIN CAST(found, 'Array(Tuple(String, String))') AS pair
    GROUP BY name ORDER BY count() DESC, name LIMIT {FIELDS_MAX}"""
_OWN = {"@timestamp": "date", "message": "text", **dict.fromkeys(WRITTEN, "keyword")}


def fields(reader: Reader, where: Sql) -> dict[str, str]:
    """Return `{"@timestamp": "date", "http.status": "long"}`. Raises TooHeavy, TooMany."""
    found = dict(_OWN)
    rows: list[tuple[Any, ...]] = []
    for limit in (where & _DAY, where):
        rows = rows or reader.rows(_FIELDS.replace("{where}", limit.text), limit)
    for name, is_whole, is_number in rows:
        if name and name != INDEX_ATTRIBUTE:
            found.setdefault(name, "long" if is_whole else "double" if is_number else "keyword")
    return found


def mapping(reader: Reader, index: str, *, is_lenient: bool = False) -> dict[str, Any]:
    """Return the answer to `_mapping`. Raises NoIndex, BadQuery, TooHeavy, TooMany."""
    found = fields(reader, reader.of_index(index, is_lenient=is_lenient))
    properties: dict[str, Any] = {}
    for name in sorted(found):
        *above, last = name.split(".")
        place: Any = properties
        for step in above:
            place = place.setdefault(step, {})
            place = place.setdefault("properties", {}) if "type" not in place else None
            if place is None:
                break
        if place is None:
            # A field cannot have fields in it: its name keeps the dots.
            properties[name] = _property(found[name])
        else:
            place[last] = _property(found[name])
    return {_shown(index): {"mappings": {"properties": properties}}}


def _property(kind: str) -> dict[str, Any]:
    more = {"fields": {"keyword": {"type": "keyword"}}} if kind == "text" else {}
    return {"type": kind, **more}


def _shown(index: str) -> str:
    return INDEX if not index or "*" in index or "," in index or index == "_all" else index


def capabilities(reader: Reader, index: str, wanted: Sequence[str], *, is_lenient: bool = False) -> dict[str, Any]:
    """Return the answer to `_field_caps` for names and patterns. Raises as `mapping`."""
    found = fields(reader, reader.of_index(index, is_lenient=is_lenient))
    found["message.keyword"] = "keyword"
    regex = re.compile("|".join(".*".join(map(re.escape, re.split(r"\*+", one))) for one in wanted[:100]))
    return {
        "indices": [_shown(index)],
        "fields": {name: {kind: _capability(kind)} for name, kind in found.items() if regex.fullmatch(name)},
    }


def _capability(kind: str) -> dict[str, Any]:
    return {"type": kind, "metadata_field": False, "searchable": True, "aggregatable": kind != "text"}


def indices(reader: Reader, index: str, *, is_lenient: bool = False) -> list[tuple[str, int]]:
    """Return the indices with the count of their lines: `logs`, and those under which clients sent theirs."""
    where = reader.of_index(index, is_lenient=is_lenient)
    sql = (
        f"SELECT {_SENT} AS name, count() FROM logs WHERE {where.text} GROUP BY name ORDER BY name LIMIT {INDICES_MAX}"
    )
    rows = [(str(name), int(count)) for name, count in reader.rows(sql, where)]
    return [(name or INDEX, count) for name, count in rows]
