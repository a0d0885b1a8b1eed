"""Quantiles and shares of classic histograms, from their buckets `le`. See promql/quantile.go."""

from __future__ import annotations

from typing import Any

from quarterdeck.telemetry.promql.plan import Evaluation, Scalar, Vector

# Counts that differ by less than this share of each other are taken for equal: floating point made them differ.
_TOLERANCE = "1e-12"


def quantile(arguments: list[Any], where: Evaluation) -> Vector:
    """histogram_quantile: see BucketQuantile."""
    q: Scalar = where.lower(arguments[0], where)
    return _per_histogram(where.lower(arguments[1], where), f"arrayMap((found, q) -> {_QUANTILE}, buckets, {q.sql})")


def fraction(arguments: list[Any], where: Evaluation) -> Vector:
    """histogram_fraction: see BucketFraction."""
    low, high = (where.lower(argument, where).sql for argument in arguments[:2])
    vector = where.lower(arguments[2], where)
    return _per_histogram(vector, f"arrayMap((found, low, high) -> {_FRACTION}, buckets, {low}, {high})")


def _per_histogram(vector: Vector, value: str) -> Vector:
    """Compute `value` from `buckets`: for each step, the buckets there are, `[(upper bound, count), ...]`."""
    group = "mapFilter((k, v) -> k NOT IN ('le', '__name__'), labels)"
    bounds = f"SELECT {group} AS g, toFloat64OrNull(labels['le']) AS bound, vs FROM ({vector.sql})"
    rows = f"SELECT g, assumeNotNull(bound) AS le, vs FROM ({bounds}) WHERE isNotNull(bound)"
    gathered = f"SELECT g, groupArrayForEach(arrayMap(v -> (le, v), vs)) AS transposed FROM ({rows}) GROUP BY g"
    held = "arrayMap(b -> (b.1, assumeNotNull(b.2)), arrayFilter(b -> isNotNull(b.2), found))"
    present = f"arrayMap(found -> {held}, transposed)"
    repaired = f"SELECT g, arrayMap(found -> {_REPAIRED}, {present}) AS buckets FROM ({gathered})"
    return Vector(
        f"SELECT g AS labels, toUInt8(1) AS dropped, CAST({value}, 'Array(Nullable(Float64))') AS vs FROM ({repaired})"
    )


# Buckets in order, those of one bound added up (coalesceBuckets), and their counts made to grow
# (ensureMonotonicAndIgnoreSmallDeltas). The first bucket that is pushed is no bucket.
_ADDED = (
    "arrayFold((acc, b) -> if(notEmpty(acc) AND acc[-1].1 = b.1,"
    " arrayPushBack(arrayPopBack(acc), (b.1, acc[-1].2 + b.2)), arrayPushBack(acc, b)),"
    " arraySort(b -> b.1, found), CAST([], 'Array(Tuple(Float64, Float64))'))"
)
_ALMOST = f"abs(b.2 - acc[-1].2) / least(abs(b.2) + abs(acc[-1].2), 1.7976931348623157e308) < {_TOLERANCE}"
_REPAIRED = (
    f"arrayFold((acc, b) -> arrayPushBack(acc, (b.1, if(notEmpty(acc) AND (b.2 < acc[-1].2 OR {_ALMOST}),"
    f" acc[-1].2, b.2))), {_ADDED}, CAST([], 'Array(Tuple(Float64, Float64))'))"
)

_LAST = "found[-1]"
_RANK = f"(q * {_LAST}.2)"
# The first bucket that holds the rank; the last one is the answer when none before it does.
_AT = (
    f"if(arrayFirstIndex(b -> b.2 >= {_RANK}, arrayPopBack(found)) = 0, length(found), "
    f"arrayFirstIndex(b -> b.2 >= {_RANK}, arrayPopBack(found)))"
)
_INSIDE = (
    "arrayMap(i -> multiIf(i = length(found), found[-2].1, i = 1 AND found[1].1 <= 0, found[1].1,"
    " if(i = 1, 0, found[i - 1].1) + (found[i].1 - if(i = 1, 0, found[i - 1].1))"
    f" * (({_RANK} - if(i = 1, 0, found[i - 1].2)) / (found[i].2 - if(i = 1, 0, found[i - 1].2)))), [{_AT}])[1]"
)
_UNKNOWN = f"NOT (isInfinite({_LAST}.1) AND {_LAST}.1 > 0) OR length(found) < 2 OR {_LAST}.2 = 0"
_QUANTILE = (
    "multiIf(empty(found), NULL, isNaN(q), toFloat64(nan), q < 0, toFloat64(-inf), q > 1, toFloat64(inf),"
    f" {_UNKNOWN}, toFloat64(nan), {_INSIDE})"
)


def _rank_of(bound: str) -> str:
    """How many observations lie below `bound`, interpolated in its bucket."""
    lower = "if(i = 1, if(found[1].1 <= 0, -inf, 0), found[i - 1].1)"
    before = "if(i = 1, 0, found[i - 1].2)"
    at = f"arrayFirstIndex(i -> {lower} >= {bound} OR found[i].1 > {bound}, arrayEnumerate(found))"
    start = "if(i = 1, 0, found[i - 1].1)"
    inside = f"{before} + (found[i].2 - {before}) * ({bound} - {start}) / (found[i].1 - {start})"
    rank = f"multiIf(i = 0, {_LAST}.2, {lower} >= {bound}, {before}, isInfinite({lower}), {before}, {inside})"
    return f"least({_LAST}.2, arrayMap(i -> toFloat64({rank}), [{at}])[1])"


_FRACTION = (
    f"multiIf(empty(found), NULL, NOT (isInfinite({_LAST}.1) AND {_LAST}.1 > 0), toFloat64(nan),"
    f" {_LAST}.2 = 0 OR isNaN(low) OR isNaN(high), toFloat64(nan), low >= high, toFloat64(0),"
    f" ({_rank_of('high')} - {_rank_of('low')}) / {_LAST}.2)"
)
