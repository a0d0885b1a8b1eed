"""Functions of range vectors: `rate(x[5m])`, `max_over_time(x[1h])` and their likes.

Those that the engine has an aggregate for (`timeSeries...ToGrid`) are one pass over the samples. For the others the
samples of each window are collected first, so that their cost grows with the number of windows that a sample is in.
See https://prometheus.io/docs/prometheus/latest/querying/functions/ and promql/functions.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from promql_parser import MatrixSelector

from quarterdeck.telemetry.promql import arrays
from quarterdeck.telemetry.promql.plan import NO_LABELS, Evaluation, Scalar, Vector, mapped
from quarterdeck.telemetry.promql.selecting import Samples, samples
from quarterdeck.telemetry.promql.selectors import absent_labels

# extrapolatedRate, instantValue, linearRegression and their likes of promql/functions.go.
_ON_THE_GRID = {
    "rate": "timeSeriesRateToGrid",
    "increase": "timeSeriesIncreaseToGrid",
    "delta": "timeSeriesDeltaToGrid",
    "irate": "timeSeriesInstantRateToGrid",
    "idelta": "timeSeriesInstantDeltaToGrid",
    "deriv": "timeSeriesDerivToGrid",
    "changes": "timeSeriesChangesToGrid",
    "resets": "timeSeriesResetsToGrid",
    "sum_over_time": "timeSeriesSumToGrid",
    "min_over_time": "timeSeriesMinToGrid",
    "max_over_time": "timeSeriesMaxToGrid",
    "count_over_time": "timeSeriesCountToGrid",
    "last_over_time": "timeSeriesLastToGrid",
}
_KEEP_NAMES = frozenset({"last_over_time", "first_over_time"})
# A power of two: sums of values near the largest number that there is do not overflow, and no digit is lost.
_SCALE = "65536"
_MS = "toFloat64(toUnixTimestamp64Milli(at))"

_VALUES = "arrayMap(p -> p.2, w)"


# The engine gives a single NaN or infinity the variance 0; its distance from itself is no number.
_VARIANCE = f"(arrayReduce('varPopStable', {_VALUES}) + arraySum(arrayMap(x -> x - x, {_VALUES})))"


def _variance(samples_: Samples) -> Vector:
    return samples_.windowed(_VARIANCE)


def _deviation(samples_: Samples) -> Vector:
    return samples_.windowed(f"sqrt({_VARIANCE})")


def _mean(samples_: Samples) -> Vector:
    scaled = f"arrayMap(x -> x / {_SCALE}, v)" if samples_.is_array else f"v / {_SCALE}"
    means = samples_.reduced("timeSeriesAvgToGrid", f"at, {scaled}")
    return mapped(means, lambda x: f"{x} * {_SCALE}")


def _present(samples_: Samples) -> Vector:
    return mapped(samples_.reduced("timeSeriesCountToGrid"), lambda _x: "toFloat64(1)")


def _first(samples_: Samples) -> Vector:
    return samples_.windowed("w[1].2")


def _first_time(samples_: Samples) -> Vector:
    return samples_.windowed("w[1].1 / 1000")


def _last_time(samples_: Samples) -> Vector:
    times = f"arrayMap(at -> {_MS}, at)" if samples_.is_array else _MS
    return mapped(samples_.reduced("timeSeriesLastToGrid", f"at, {times}"), lambda x: f"{x} / 1000")


def _time_of(best: str) -> Callable[[Samples], Vector]:
    def reduced(samples_: Samples) -> Vector:
        # Of equal values the newest counts; a NaN gives way to any number.
        return samples_.windowed(f"arraySort(p -> (NOT isNaN(p.2), {best}p.2, p.1), w)[-1].1 / 1000")

    return reduced


def _absolute_deviation(samples_: Samples) -> Vector:
    median = arrays.quantile(_VALUES, "0.5")
    apart = f"arrayMap(x -> abs(x - {median}), {_VALUES})"
    return samples_.windowed(arrays.quantile(apart, "0.5"))


_IN_WINDOWS: dict[str, Callable[[Samples], Vector]] = {
    "avg_over_time": _mean,
    "present_over_time": _present,
    "stdvar_over_time": _variance,
    "stddev_over_time": _deviation,
    "first_over_time": _first,
    "mad_over_time": _absolute_deviation,
    "ts_of_first_over_time": _first_time,
    "ts_of_last_over_time": _last_time,
    "ts_of_max_over_time": _time_of(""),
    "ts_of_min_over_time": _time_of("-"),
}


def _renamed(name: str, vector: Vector) -> Vector:
    dropped = "dropped" if name in _KEEP_NAMES else "toUInt8(1)"
    return Vector(f"SELECT labels, {dropped} AS dropped, vs FROM ({vector.sql})", vector.is_single)


def is_known(name: str) -> bool:
    return name in _ON_THE_GRID or name in _IN_WINDOWS or name in _OTHERS


def lowered(name: str, arguments: list[Any], where: Evaluation) -> Vector:
    """Return the function's value over the windows of its range vector."""
    if name in _ON_THE_GRID:
        return samples(arguments[0], where).reduced(_ON_THE_GRID[name], drops_name=name not in _KEEP_NAMES)
    if name in _IN_WINDOWS:
        return _renamed(name, _IN_WINDOWS[name](samples(arguments[0], where)))
    return _renamed(name, _OTHERS[name](arguments, where))


def _at_step(scalar: Scalar) -> str:
    return f"({scalar.sql})[k + 1]"


def _quantile(arguments: list[Any], where: Evaluation) -> Vector:
    q = where.lower(arguments[0], where)
    return samples(arguments[1], where).windowed(arrays.quantile(_VALUES, _at_step(q)))


def _predicted(arguments: list[Any], where: Evaluation) -> Vector:
    """See linearRegression: least squares, with time counted from the step itself."""
    seconds = _at_step(where.lower(arguments[1], where))
    now = _at_step(Scalar(where.grid.seconds_sql))
    xs, ys, n = f"arrayMap(p -> p.1 / 1000 - {now}, w)", _VALUES, "length(w)"
    sums = {
        "x": f"arraySum({xs})",
        "y": f"arraySum({ys})",
        "xy": f"arraySum(arrayMap(p -> (p.1 / 1000 - {now}) * p.2, w))",
        "xx": f"arraySum(arrayMap(x -> x * x, {xs}))",
    }
    slope = f"(({sums['xy']} - {sums['x']} * {sums['y']} / {n}) / ({sums['xx']} - {sums['x']} * {sums['x']} / {n}))"
    line = f"({sums['y']} / {n} - {slope} * {sums['x']} / {n} + {slope} * {seconds})"
    flat = f"arrayAll(y -> y = ({ys})[1], {ys})"
    value = f"multiIf({n} < 2, NULL, {flat}, if(isFinite(({ys})[1]), ({ys})[1], nan), {line})"
    return samples(arguments[0], where).windowed(f"CAST({value}, 'Nullable(Float64)')")


def _smoothed(arguments: list[Any], where: Evaluation) -> Vector:
    """See funcDoubleExponentialSmoothing: Holt's linear trend."""
    factors = []
    for argument, name in zip(arguments[1:3], ("smoothing", "trend"), strict=True):
        factor = _at_step(where.lower(argument, where))
        wrong = f"throwIf(NOT ({factor} > 0 AND {factor} < 1), 'invalid {name} factor. Expected: 0 < factor < 1')"
        factors.append(f"({factor} + {wrong})")
    sf, tf = factors
    trend = f"if(acc.4 = 0, acc.3, {tf} * (acc.2 - acc.1) + (1 - {tf}) * acc.3)"
    step = f"(acc, x) -> tuple(acc.2, {sf} * x + (1 - {sf}) * (acc.2 + {trend}), {trend}, acc.4 + 1)"
    start = f"({_VALUES})[1]"
    begun = f"(toFloat64(0), {start}, ({_VALUES})[2] - {start}, toUInt64(0))"
    folded = f"arrayFold({step}, arraySlice({_VALUES}, 2), {begun}).2"
    return samples(arguments[0], where).windowed(f"if(length(w) < 2, NULL, {folded})")


def _absent(arguments: list[Any], where: Evaluation) -> Vector:
    """A 1 at the steps in whose window no series has a sample."""
    found = samples(arguments[0], where).reduced("timeSeriesCountToGrid")
    labels = NO_LABELS
    if isinstance(arguments[0], MatrixSelector):
        labels = absent_labels(arguments[0].vector_selector, where.parameters)
    return absent(found, labels, where)


def absent(found: Vector, labels: str, where: Evaluation) -> Vector:
    counted = f"SELECT countForEach(vs) AS counts FROM ({found.sql})"
    counts = f"if(empty(counts), arrayWithConstant({where.grid.points}, toUInt64(0)), counts)"
    ones = f"CAST(arrayMap(c -> if(c = 0, toFloat64(1), NULL), {counts}), 'Array(Nullable(Float64))')"
    return Vector(f"SELECT {labels} AS labels, toUInt8(0) AS dropped, {ones} AS vs FROM ({counted})")


_OTHERS: dict[str, Callable[[list[Any], Evaluation], Vector]] = {
    "quantile_over_time": _quantile,
    "predict_linear": _predicted,
    "double_exponential_smoothing": _smoothed,
    "holt_winters": _smoothed,
    "absent_over_time": _absent,
}
