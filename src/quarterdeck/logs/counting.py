"""How many lines a query selects: in time by level, by service, host, level and attribute."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput
from quarterdeck.logs.compiling import COLUMNS, LEVELS
from quarterdeck.logs.limits import GROUPS_MAX, ask
from quarterdeck.logs.searching import Search, condition

BARS_MAX = 1000
VALUES_MAX = 10
KEYS_MAX = 30
# Attributes are counted in so many of the lines: their names are not known before.
SAMPLE_LINES = 50_000
_COLUMN_FACETS = ("level", "service", "host", "source")
_STEPS_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_NAME = re.compile(r"[\w.\-/]+")

# Bar and level are one small number, which finds its group by place and needs no aggregate but the count.
_LEVEL_PLACES = 8
_HISTOGRAM = f"""
    SELECT toUInt16(intDiv(toUnixTimestamp64Nano(ts) - {{start:Int64}}, {{step:Int64}}) * {_LEVEL_PLACES}
        + transform(level, {list(LEVELS)}, {list(range(1, len(LEVELS) + 1))}, 0)) AS place, count()
    FROM logs WHERE {{where}} GROUP BY place"""
# A set for each: one grouping by all four, whose few rows feed the facets, costs twice as much, since only a single
# column of low cardinality is grouped by its dictionary.
_FACETS = """
    SELECT level, service, host, source, count() AS n,
        multiIf(grouping(level) = 0, 'level', grouping(service) = 0, 'service', grouping(host) = 0, 'host', 'source')
            AS facet
    FROM logs WHERE {where}
    GROUP BY GROUPING SETS ((level), (service), (host), (source))
    ORDER BY n DESC, level, service, host, source LIMIT {values:UInt32} BY facet"""
_ATTRIBUTES = """
    SELECT key, value, n, sum(n) OVER (PARTITION BY key) AS of_key FROM (
        SELECT pair.1 AS key, toValidUTF8(substring(pair.2, 1, 200)) AS value, count() AS n FROM (
            SELECT attributes FROM logs WHERE {where} AND notEmpty(mapKeys(attributes)) LIMIT {sample:UInt32}
        ) ARRAY JOIN CAST(attributes, 'Array(Tuple(String, String))') AS pair
        GROUP BY key, value
    ) ORDER BY of_key DESC, key, n DESC, value LIMIT {values:UInt32} BY key LIMIT {rows:UInt32}"""
_STATISTICS = """
    SELECT count(), countIf({value} != ''), uniqIf({value}, {value} != ''), min(number), max(number), avg(number),
        quantilesTDigest(0.5, 0.95, 0.99)(number), countIf(isNotNull(number))
    FROM (SELECT {columns}, toFloat64OrNull({value}) AS number FROM logs WHERE {where})"""
_TOP = """
    SELECT toValidUTF8(substring({value}, 1, 200)) AS text, count() AS n FROM logs WHERE {where} AND {value} != ''
    GROUP BY text ORDER BY n DESC, text LIMIT {values:UInt32}"""


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts[level][i]` lines belong to the `step_seconds` from `start + i * step_seconds`; levels without any are
    left out."""

    start: datetime
    step_seconds: int
    counts: dict[str, list[int]]
    total: int


@dataclass(frozen=True, slots=True)
class Facet:
    """The most frequent values of a field. `is_sampled`: counted in a sample of the lines."""

    field: str
    values: list[tuple[str, int]]
    is_sampled: bool = False


@dataclass(frozen=True, slots=True)
class Statistics:
    """A field's values: in how many of the lines, how many different ones (about), as numbers where they are."""

    field: str
    lines: int
    present: int
    distinct: int
    top: list[tuple[str, int]]
    numbers: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


def histogram(actor: Actor, search: Search, *, bars: int = 60) -> Histogram:
    """Count lines by level in about `bars` steps of a round length. Raises what `searching.find` raises."""
    where = condition(actor, search)
    seconds = (search.until_ns - search.since_ns) / 1e9
    step = step_of(seconds, max(1, min(bars, BARS_MAX)))
    start = search.since_ns // 1_000_000_000 // step * step
    count = max(1, math.ceil((search.until_ns / 1e9 - start) / step))
    rows = ask(actor, _HISTOGRAM, where, {"start": start * 1_000_000_000, "step": step * 1_000_000_000})
    levels = ("", *LEVELS)
    counts = {level: [0] * count for level in levels}
    for place, n in rows:
        bar, level = divmod(int(place), _LEVEL_PLACES)
        counts[levels[level]][min(bar, count - 1)] += int(n)
    found = {level: bars for level, bars in counts.items() if any(bars)}
    return Histogram(datetime.fromtimestamp(start, UTC), step, found, sum(map(sum, found.values())))


def step_of(seconds: float, bars: int) -> int:
    """Return the round step that divides `seconds` into at most `bars`, a multiple of a day for long ones."""
    wanted = seconds / bars
    return next((step for step in _STEPS_SECONDS if step >= wanted), math.ceil(wanted / 86_400) * 86_400)


def facets(actor: Actor, search: Search) -> list[Facet]:
    """Return the most frequent levels, services, hosts and protocols, exactly, and attributes in a sample."""
    where = condition(actor, search)
    found: dict[str, list[tuple[str, int]]] = {name: [] for name in _COLUMN_FACETS}
    options = {"max_rows_to_group_by": GROUPS_MAX, "group_by_overflow_mode": "any"}
    for level, service, host, source, n, facet in ask(actor, _FACETS, where, {"values": VALUES_MAX}, **options):
        value = {"level": level, "service": service, "host": host, "source": source}[facet]
        if value or facet == "level":
            found[facet].append((value, int(n)))
    sampled = {"sample": SAMPLE_LINES, "values": VALUES_MAX, "rows": VALUES_MAX * KEYS_MAX}
    attributes: dict[str, list[tuple[str, int]]] = {}
    for key, value, n, _of_key in ask(actor, _ATTRIBUTES, where, sampled, **options):
        if _NAME.fullmatch(key):
            attributes.setdefault(key, []).append((value, int(n)))
    exact = [Facet(name, values) for name, values in found.items() if values]
    return exact + [Facet(name, values, is_sampled=True) for name, values in attributes.items()]


def statistics(actor: Actor, search: Search, name: str) -> Statistics:
    """Return what the values of one field are like. Raises BadInput for what cannot be a field."""
    value = expression(name)
    columns = value.partition("[")[0] if "[" in value else value
    columns = "attributes, resource" if "resource" in value else columns
    where = condition(actor, search)
    sql = _STATISTICS.replace("{value}", value).replace("{columns}", columns)
    options = {"max_rows_to_group_by": GROUPS_MAX, "group_by_overflow_mode": "any"}
    lines, present, distinct, low, high, mean, quantiles, numbers = ask(actor, sql, where)[0]
    top = ask(actor, _TOP.replace("{value}", value), where, {"values": VALUES_MAX}, **options)
    p50, p95, p99 = [_finite(one) for one in quantiles] if numbers else (None, None, None)
    return Statistics(
        name, int(lines), int(present), int(distinct), [(text, int(n)) for text, n in top], int(numbers),
        _finite(low), _finite(high), _finite(mean), p50, p95, p99,
    )  # fmt: skip


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def expression(name: str) -> str:
    """Return the SQL of a field's value, always one that is in a list or a name of plain characters."""
    if name in ("level", "message"):
        return name
    if name in COLUMNS:
        return COLUMNS[name]
    if not _NAME.fullmatch(name):
        raise BadInput(
            _('"%(value)s" cannot be a field.') % {"value": name[:60]},
            hint=_("Letters, digits and _ . - / make a name."),
            field="field",
        )
    kind, _dot, rest = name.partition(".")
    if kind in ("attributes", "resource") and rest:
        return f"{kind}['{rest}']"
    return f"if(mapContains(attributes, '{name}'), attributes['{name}'], resource['{name}'])"
