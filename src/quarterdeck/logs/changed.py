"""What is different about the lines of a search from those of the time before: fields and templates by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quarterdeck.audit.actor import Actor
from quarterdeck.core.query import condition_text
from quarterdeck.logs.compiling import FIELDS
from quarterdeck.logs.limits import ask
from quarterdeck.logs.parsing import parser_of
from quarterdeck.logs.patterns import query_of
from quarterdeck.logs.searching import Search, condition
from quarterdeck.logs.templates import MASKED_CHARACTERS, template
from quarterdeck.telemetry import differing
from quarterdeck.telemetry.differing import Differences

# Of lines whose text without digits differs so many kinds are counted; what comes later is not.
KINDS_MAX = 100_000
PATTERNS_MAX = 100
_FIELDS = ("level", "service", "host", "component", "source")


@dataclass(frozen=True, slots=True)
class ChangedPattern:
    """A template with its lines in both times, and their shares of all lines, 0 to 1. `query` selects them.

    `deviations` are of the difference of the shares, see `telemetry.differing`.
    """

    id: str
    template: str
    now: int
    before: int
    now_share: float
    before_share: float
    deviations: float
    level: str
    services: list[str]
    query: str

    @property
    def is_new(self) -> bool:
        return not self.before

    @property
    def is_gone(self) -> bool:
        return not self.now


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed from [`before_since`, `since`) to [`since`, `until`): fields and patterns, most changed first.

    `patterns_known` templates were compared; `patterns_cut`: there were more kinds of lines than can be counted.
    """

    before_since: datetime
    since: datetime
    until: datetime
    fields: Differences
    patterns: list[ChangedPattern]
    patterns_known: int
    patterns_cut: bool


def changed(actor: Actor, search: Search, *, limit: int = 20) -> Changes:
    """Compare a search's lines with those of the same length of time before. Raises what `searching.find` raises."""
    start = search.since - (search.until - search.since)
    where = condition(actor, Search(search.query, start, search.until, search.selector, search.parse))
    border = {"border": search.since_ns}
    rows = ask(actor, _fields(search), where, {**border, **differing.parameters(limit)}, **differing.settings())
    patterns = ask(
        actor,
        _PATTERNS,
        where,
        {**border, **differing.parameters(limit), "rows": max(1, min(limit, PATTERNS_MAX))},
        max_rows_to_group_by=KINDS_MAX,
        group_by_overflow_mode="any",
    )
    known, kinds = map(int, patterns[0][-2:]) if patterns else (0, 0)
    return Changes(
        before_since=start,
        since=search.since,
        until=search.until,
        fields=differing.differences_of(rows, condition_text),
        patterns=[_pattern(row) for row in patterns],
        patterns_known=known,
        patterns_cut=kinds >= KINDS_MAX,
    )


def _pattern(row: Sequence[Any]) -> ChangedPattern:
    id_, text, now, before, now_share, before_share, deviations, level, services, _told, _known, _kinds = row
    return ChangedPattern(
        id_, text, int(now), int(before), float(now_share), float(before_share), float(deviations), level,
        list(services), query_of(id_, text),
    )  # fmt: skip


def _fields(search: Search) -> str:
    parser = parser_of(search.parse)
    own = ", ".join(f"('{name}', toString({name}))" for name in _FIELDS)
    maps = [_pairs("attributes", "1"), _pairs("resource", "NOT mapContains(attributes, pair.1)")]
    if search.parse:
        known = "mapContains(attributes, pair.1) OR mapContains(resource, pair.1)"
        maps.append(_pairs(parser.sql, f"NOT ({known})"))
    pairs = f"arrayFilter(pair -> pair.1 != '' AND pair.2 != '', arrayConcat([{own}], {', '.join(maps)}))"
    return differing.statement(_ROWS.replace("{pairs}", pairs), _COUNTED)


def _pairs(map_: str, which: str) -> str:
    """A Map's pairs; a name that the query language uses for something else is written `attributes.level`."""
    names = ", ".join(f"'{name}'" for name in FIELDS)
    prefix = "resource" if map_ == "resource" else "attributes"
    pairs = f"arrayFilter(pair -> {which}, CAST({map_}, 'Array(Tuple(String, String))'))"
    named = f"if(pair.1 IN ({names}), concat('{prefix}.', pair.1), pair.1)"
    return f"arrayMap(pair -> ({named}, pair.2), arraySlice({pairs}, 1, {differing.ATTRIBUTES_MAX}))"


_NOW = "ts >= fromUnixTimestamp64Nano({border:Int64}, 'UTC')"
_COUNTED = f"SELECT (countIf({_NOW}), countIf(NOT {_NOW})) FROM logs WHERE {{where}}"
# A line is drawn by its place in the table: lines of the same second are drawn apart.
_ROWS = f"""
    SELECT {_NOW} AS is_now, {differing.STANDS_FOR} AS stands_for, toFloat64(stands_for) AS weight, {{pairs}} AS pairs
    FROM logs WHERE {{where}} AND cityHash64(_part, _part_offset) % stands_for = 0"""
# Every line is counted here.
_PATTERNS = f"""
    SELECT id, text, now, before, now_share, before_share, deviations, level, services, told, known, kinds FROM (
        SELECT *, size_now / (size_now + size_before) AS part, now / size_now AS now_share,
            before / size_before AS before_share, {differing.deviations("now_share", "before_share")} AS deviations,
            {differing.told("now_share", "before_share")} AS told
        FROM (
            SELECT lower(hex(cityHash64(text))) AS id, text, sum(n_now) AS now, sum(n_before) AS before,
                topKWeighted(1)(level, n_now + n_before)[1] AS level,
                arraySort(groupUniqArrayArray(5)(services)) AS services, sum(now) OVER () AS size_now,
                sum(before) OVER () AS size_before, count() OVER () AS known, sum(count()) OVER () AS kinds
            FROM (
                SELECT {template("sample")} AS text, * FROM (
                    SELECT pattern, any(substring(message, 1, {MASKED_CHARACTERS})) AS sample,
                        countIf({_NOW}) AS n_now, countIf(NOT {_NOW}) AS n_before, any(logs.level) AS level,
                        groupUniqArray(5)(service) AS services
                    FROM logs WHERE {{where}} GROUP BY pattern
                )
            )
            GROUP BY text
        )
    )
    WHERE now + before >= {{rows_least:UInt32}} AND abs(deviations) >= {{deviations_least:Float64}}
    ORDER BY told DESC, abs(deviations) DESC, text LIMIT {{rows:UInt32}}"""
