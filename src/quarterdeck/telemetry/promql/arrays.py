"""Expressions over arrays of values, as Prometheus computes them."""

from __future__ import annotations

# What Neumaier's sum carries along: the sum and its compensation. See kahansum.Inc in Prometheus' util/kahansum.
_NEUMAIER = (
    "(acc, x) -> tuple("
    "acc.1 + x,"
    " multiIf(isInfinite(acc.1 + x), toFloat64(0), abs(acc.1) >= abs(x),"
    " acc.2 + ((acc.1 - (acc.1 + x)) + x), acc.2 + ((x - (acc.1 + x)) + acc.1)))"
)


def exact_sum(values: str) -> str:
    """The sum, with what plain addition loses of small values beside large ones."""
    pair = f"arrayFold({_NEUMAIER}, {values}, (toFloat64(0), toFloat64(0)))"
    return f"arrayMap(p -> if(isFinite(p.1), p.1 + p.2, p.1), [{pair}])[1]"


def quantile(values: str, q: str) -> str:
    """The q-quantile, interpolated; NaN counts as the smallest value. See `quantile` in promql/quantile.go."""
    ordered = f"arraySort(x -> (NOT isNaN(x), x), {values})"
    rank = f"(({q}) * (length({values}) - 1))"
    low = f"toUInt64(greatest(0, floor({rank})))"
    between = (
        f"arrayMap(xs -> xs[{low} + 1] * (1 - ({rank} - floor({rank})))"
        f" + xs[least(toUInt64(length(xs)), {low} + 2)] * ({rank} - floor({rank})), [{ordered}])[1]"
    )
    return (
        f"multiIf(empty({values}), toFloat64(nan), isNaN({q}), toFloat64(nan), ({q}) < 0, toFloat64(-inf),"
        f" ({q}) > 1, toFloat64(inf), {between})"
    )
