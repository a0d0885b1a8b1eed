"""In what two sets of rows differ: the fields whose values are distributed otherwise, and which values make it so.

A field's difference is the Jensen-Shannon divergence of its values in the two sets, weighted by their sizes. That is
how much a row's value tells about the set that the row is of; here it is a share of all there is to tell, 0 to 1. With
N rows and k values, 2 N ln2 of it follows chi-square with k - 1 degrees when nothing differs, which gives the mean
that is taken off and the deviations from it below which nothing is said. See I. Grosse et al., "Analysis of symbolic
sequences using the Jensen-Shannon divergence", Phys. Rev. E 65, 041905 (2002), and for the deviations E. B. Wilson and
M. M. Hilferty, "The distribution of chi-square", PNAS 17, 684 (1931). A single value is compared as two proportions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

# Values on fewer rows than this are taken together: chi-square does not hold for them, and ids are nothing but them.
ROWS_LEAST = 5
# Below this many standard deviations a difference may well be chance (1 in 370).
DEVIATIONS_LEAST = 3
# Fields beyond the most frequent are not compared, nor are a field's values beyond its most frequent: those are one.
FIELDS_MAX = 200
VALUES_MAX = 1000
SHOWN_VALUES = 6
SHOWN_FIELDS_MAX = 50
# Of a larger set so many rows, or up to twice as many, are drawn.
SAMPLE_ROWS = 20_000
# Different values of all fields that are counted; what comes later is not.
GROUPS_MAX = 1_000_000
TEXT_BYTES = 200
# Writes the query for a field's value, or for rows without the field (None).
Conditions = Callable[[str, str | None], str]
# Above this many attributes of one row the others are not looked at.
ATTRIBUTES_MAX = 100


@dataclass(frozen=True, slots=True)
class Share:
    """A value in both sets: on how many rows (an estimate for drawn rows), and on which share of all, 0 to 1.

    `kind` is "value", "rest" for the values that are not told apart, or "absent" for rows without the field.
    `is_cut`: `text` is the beginning of a longer value. `deviations` are of the difference of the shares, negative
    where the value has become rarer. `query` selects the rows, "" where none can be written.
    """

    kind: str
    text: str
    now: float
    before: float
    now_share: float
    before_share: float
    is_cut: bool
    deviations: float
    query: str = ""

    @property
    def is_new(self) -> bool:
        return not self.before and self.kind == "value"

    @property
    def is_gone(self) -> bool:
        return not self.now and self.kind == "value"


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs by `score`, 0 to 1. `distinct` values were counted, `rest` of them not told apart."""

    field: str
    score: float
    deviations: float
    distinct: int
    rest: int
    values: list[Share]


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs most, first. `now` and `before` count the rows; `is_sampled`: values were counted in some of them.

    `compared` of the `known` fields were compared. `is_cut`: there were more values than can be counted.
    """

    now: int
    before: int
    is_sampled: bool
    known: int
    compared: int
    is_cut: bool
    fields: list[Difference]


def statement(rows: str, counted: str) -> str:
    """Return the SQL that compares. Its answer is for `differences_of`; it takes the parameters of `parameters`.

    `rows` is a SELECT of `is_now` (1 or 0), `weight` (how many rows it stands for) and `pairs`, an array of
    (field, value) without empty ones; of a large set it draws one of STANDS_FOR. `counted` is a SELECT of one tuple:
    the rows of now, and those of before.
    """
    return _STATEMENT.replace("{counted}", counted).replace("{rows}", rows)


def parameters(limit: int) -> dict[str, int]:
    """Return the parameters of a statement that answers `limit` fields."""
    return {
        "rows_least": ROWS_LEAST,
        "fields_max": FIELDS_MAX,
        "values_max": VALUES_MAX,
        "shown": SHOWN_VALUES,
        "deviations_least": DEVIATIONS_LEAST,
        "sample": SAMPLE_ROWS,
        "limit": max(1, min(limit, SHOWN_FIELDS_MAX)),
    }


def settings() -> dict[str, Any]:
    """Return the engine's settings for a statement: values beyond what is counted are left out, not an error."""
    return {"max_rows_to_group_by": GROUPS_MAX, "group_by_overflow_mode": "any"}


def differences_of(rows: Iterable[Sequence[Any]], condition_of: Conditions) -> Differences:
    """Return what the statement found. Its first row has the sums, the others a field each."""
    found = list(rows)
    if not found:
        return Differences(0, 0, is_sampled=False, known=0, compared=0, is_cut=False, fields=[])
    sums, *fields = found
    stored_now, stored_before, now, before, known, groups = (round(one) for one in sums[6])
    is_sampled = max(stored_now, stored_before) >= 2 * SAMPLE_ROWS
    return Differences(
        stored_now if is_sampled else now,
        stored_before if is_sampled else before,
        is_sampled,
        known=known,
        compared=min(known, FIELDS_MAX),
        is_cut=groups >= GROUPS_MAX,
        fields=[_difference(row, condition_of) for row in fields],
    )


def _difference(row: Sequence[Any], condition_of: Conditions) -> Difference:
    field, score, deviations, distinct, rest, values, _sums = row
    shares = [_share(field, one, condition_of) for one in values]
    return Difference(field, float(score), float(deviations), int(distinct), int(rest), shares)


def _share(field: str, value: Sequence[Any], condition_of: Conditions) -> Share:
    kind, text, now, before, is_cut, now_share, before_share, deviations, _told = value
    has_query = kind == "absent" or (kind == "value" and not is_cut)
    return Share(
        kind, text, round(now), round(before), float(now_share), float(before_share), bool(is_cut), float(deviations),
        condition_of(field, text if kind == "value" else None) if has_query else "",
    )  # fmt: skip


# How many rows a drawn one stands for, in either set: SQL for `rows`.
STANDS_FOR = "assumeNotNull(greatest(1, intDiv(if(is_now, counted.1, counted.2), {sample:UInt64})))"


def told(now: str, before: str) -> str:
    """Return SQL for how much a value tells about the set of its row, never negative; of shares, and of `part`."""
    mean = f"(part * {now} + (1 - part) * {before})"
    return (
        f"(if({now} > 0, part * {now} * log2({now} / {mean}), 0)"
        f" + if({before} > 0, (1 - part) * {before} * log2({before} / {mean}), 0))"
    )


def deviations(now: str, before: str) -> str:
    """Return SQL for two shares' difference in standard deviations; `size_now` and `size_before` are the sets."""
    mean = f"(part * {now} + (1 - part) * {before})"
    spread = f"sqrt({mean} * (1 - {mean}) * (1 / size_now + 1 / size_before))"
    return f"if({now} = {before}, 0, ({now} - {before}) / {spread})"


# The field '' is on every row: its counts are the sizes of the sets. With weights, the rows that tell as much
# (Kish): sum(w)^2 / sum(w^2).
_STATEMENT = f"""
WITH ({{counted}}) AS counted
SELECT field, score, deviations, distinct, rest, shown,
    (counted.1, counted.2, all_now, all_before, greatest(known, 1) - 1, groups) AS sums
FROM (
    SELECT *,
        arraySum(v -> v.9, told) AS divergence,
        length(told) - 1 AS degrees,
        size_now + size_before AS size,
        -part * log2(part) - (1 - part) * log2(1 - part) AS most,
        if(degrees < 1, 0, greatest(0, (divergence - degrees / (2 * size * ln(2))) / most)) AS score,
        if(degrees < 1, 0, (cbrt(2 * size * ln(2) * divergence / degrees) - 1 + 2 / (9 * degrees))
            / sqrt(2 / (9 * degrees))) AS deviations,
        arraySlice(arrayReverseSort(v -> v.9,
            arrayFilter(v -> abs(v.8) >= {{deviations_least:Float64}}, told)), 1, {{shown:UInt32}}) AS shown
    FROM (
        SELECT *,
            size_now / (size_now + size_before) AS part,
            arrayMap(v -> (v.1, v.2, v.3, v.4, v.5, v.3 / all_now, v.4 / all_before), arrayFilter(v -> v.3 + v.4 > 0,
                arrayConcat(
                    arrayMap(v -> ('value', v.1, v.2, v.3, v.4), kept),
                    [('rest', '', rest_now, rest_before, 0),
                     ('absent', '', greatest(0, all_now - now), greatest(0, all_before - before), 0)]))) AS shares,
            arrayMap(
                v -> (v.1, v.2, v.3, v.4, v.5, v.6, v.7, {deviations("v.6", "v.7")}, {told("v.6", "v.7")}),
                shares
            ) AS told
        FROM (
            SELECT *,
                max(if(field = '', now, 0)) OVER () AS all_now, max(if(field = '', before, 0)) OVER () AS all_before,
                max(if(field = '' AND now > 0, now * now / squares_now, 0)) OVER () AS size_now,
                max(if(field = '' AND before > 0, before * before / squares_before, 0)) OVER () AS size_before,
                count() OVER () AS known, sum(distinct) OVER () AS groups
            FROM (
                SELECT field, sum(n) AS n, sum(n_now) AS now, sum(n_before) AS before, sum(s_now) AS squares_now,
                    sum(s_before) AS squares_before, count() AS distinct,
                    arraySlice(arrayReverseSort(v -> v.2 + v.3, groupArrayIf((text, n_now, n_before, is_cut),
                        values.n >= {{rows_least:UInt32}})), 1, {{values_max:UInt32}}) AS kept,
                    distinct - length(kept) AS rest,
                    if(rest = 0, 0, greatest(0, now - arraySum(v -> v.2, kept))) AS rest_now,
                    if(rest = 0, 0, greatest(0, before - arraySum(v -> v.3, kept))) AS rest_before
                FROM (
                    SELECT pair.1 AS field, cityHash64(pair.2) AS hash, count() AS n,
                        any(toValidUTF8(substring(pair.2, 1, {TEXT_BYTES}))) AS text,
                        toUInt8(any(length(pair.2) > {TEXT_BYTES})) AS is_cut,
                        sumIf(weight, is_now) AS n_now, sumIf(weight, NOT is_now) AS n_before,
                        sumIf(weight * weight, is_now) AS s_now, sumIf(weight * weight, NOT is_now) AS s_before
                    FROM ({{rows}}) ARRAY JOIN arrayConcat([('', '')], pairs) AS pair
                    GROUP BY field, hash
                ) AS values
                GROUP BY field
            )
            ORDER BY field != '', n DESC, field LIMIT {{fields_max:UInt32}} + 1
        )
    )
)
WHERE field = '' OR (deviations >= {{deviations_least:Float64}} AND score > 0)
ORDER BY field != '', score DESC, deviations DESC, field LIMIT {{limit:UInt32}} + 1"""
