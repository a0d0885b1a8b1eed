"""What kinds of lines there are: templates, mined in the engine, with their trend and whether they are new.

Lines are grouped by the hash that each carries (its text without digits), which costs a number per line; one line of
each group is then masked and the groups of the same template are added up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from quarterdeck.audit.actor import Actor
from quarterdeck.logs.limits import GROUPS_MAX, ask
from quarterdeck.logs.searching import Search, condition
from quarterdeck.logs.templates import MASKS, template

PATTERNS_MAX = 200
TREND_BARS = 24
_PATTERNS = f"""
    SELECT lower(hex(cityHash64(text))) AS id, text, sum(now_n) AS n, sum(before_n) AS n_before, min(first), max(last),
        any(sample), topKWeighted(3)(level, now_n + before_n), arraySort(groupUniqArrayArray(5)(services)),
        sumMap(bars)
    FROM (
        SELECT {template("sample")} AS text, * FROM (
            SELECT pattern, any(message) AS sample, countIf(is_now) AS now_n, countIf(NOT is_now) AS before_n,
                minIf(ts, is_now) AS first, max(ts) AS last, any(level) AS level,
                groupUniqArray(5)(service) AS services,
                sumMap(map(toInt64(intDiv(toUnixTimestamp(ts) - {{start:Int64}}, {{step:Int64}})), toUInt64(is_now)))
                    AS bars
            FROM (SELECT *, ts >= fromUnixTimestamp64Nano({{border:Int64}}, 'UTC') AS is_now FROM logs WHERE {{where}})
            GROUP BY pattern
        )
    )
    GROUP BY text HAVING n > 0 ORDER BY {{order}} LIMIT {{rows:UInt32}}"""
_ORDERS = {
    "count": "n DESC, text",
    "rare": "n ASC, text",
    "new": "n_before > 0, n DESC, text",
    "change": "abs(log2((n + 1) / (n_before + 1))) DESC, n DESC, text",
}
ORDERS = tuple(_ORDERS)
_MASK = re.compile("|".join(sorted({re.escape(name) for _regex, name in MASKS})))
_WORDS_OF_A_LINE = re.compile(r"[A-Za-z]{3,}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A template with its lines: `count` in the search's time, `before` in the same length of time before it.

    `trend[i]` lines are in the i-th of 24 parts of the time. `words` is a query of words that its lines hold.
    """

    id: str
    template: str
    count: int
    before: int
    first: datetime
    last: datetime
    sample: str
    level: str
    services: list[str]
    trend: list[int]

    @property
    def is_new(self) -> bool:
        return self.before == 0

    @property
    def query(self) -> str:
        return query_of(self.id, self.template)


def query_of(id_: str, template_: str) -> str:
    """Return the query of a pattern's lines: the index finds the words, the id sorts out the rest."""
    words = dict.fromkeys(word.lower() for part in _MASK.split(template_) for word in _whole_words(part))
    return " ".join([*(f'"{word}"' for word in list(words)[:4]), f"pattern:{id_}"])


def _whole_words(part: str) -> list[str]:
    """Words that no mask touches: `order<num>` is one word to the index, which `order` does not find."""
    inner = re.sub(r"^[0-9A-Za-z\u0080-\U0010ffff]+|[0-9A-Za-z\u0080-\U0010ffff]+$", "", part)
    return [word for word in re.findall(r"[0-9A-Za-z\u0080-\U0010ffff]+", inner) if _WORDS_OF_A_LINE.fullmatch(word)]


def patterns(actor: Actor, search: Search, *, order: str = "count", limit: int = 50) -> list[Pattern]:
    """Return templates of the search's lines with what the time before it had. Raises what `searching.find` raises."""
    length = search.until - search.since
    both = Search(search.query, search.since - length, search.until, search.selector)
    where = condition(actor, both)
    step = max(1, -(-int(length.total_seconds()) // TREND_BARS))
    parameters = {
        "border": search.since_ns,
        "start": search.since_ns // 1_000_000_000,
        "step": step,
        "rows": max(1, min(limit, PATTERNS_MAX)),
    }
    sql = _PATTERNS.replace("{order}", _ORDERS.get(order, _ORDERS["count"]))
    options = {"max_rows_to_group_by": GROUPS_MAX, "group_by_overflow_mode": "any"}
    rows = ask(actor, sql, where, parameters, **options)
    return [
        Pattern(
            id_, text, int(n), int(before), _aware(first), _aware(last), sample[:1000], (levels or [""])[0],
            list(services), [int(bars.get(bar, 0)) for bar in range(TREND_BARS)],
        )
        for id_, text, n, before, first, last, sample, levels, services, bars in rows
    ]  # fmt: skip


def _aware(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
