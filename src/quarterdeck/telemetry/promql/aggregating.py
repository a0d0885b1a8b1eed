"""Aggregation operators. See https://prometheus.io/docs/prometheus/latest/querying/operators/#aggregation-operators"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from promql_parser import AggModifierType

from quarterdeck.telemetry.promql import arrays
from quarterdeck.telemetry.promql.errors import BadExpression, ExecutionFailed
from quarterdeck.telemetry.promql.parsing import bare, is_label_name, shown
from quarterdeck.telemetry.promql.plan import (
    NO_LABELS,
    Evaluation,
    Grid,
    Parameters,
    Scalar,
    Vector,
    combined,
    folded,
)

# Beside values from here on, a sum of Float64 loses what small ones add. They are summed apart, scaled down by a power
# of two so that they do not overflow on the way.
_LARGE = "1e15"
_SCALE = "1152921504606846976"


def _group(modifier: Any, parameters: Parameters) -> str:
    """An expression of the labels that a series keeps in its group."""
    if modifier is None:
        return NO_LABELS
    if modifier.type == AggModifierType.By:
        return (
            f"mapFilter((k, v) -> has({parameters.texts(list(modifier.labels))}, k), labels)"
            if modifier.labels
            else NO_LABELS
        )
    return f"mapFilter((k, v) -> NOT has({parameters.texts([*modifier.labels, '__name__'])}, k), labels)"


_SMALL_SUM = f"sumForEach(arrayMap(v -> if(isFinite(v) AND abs(v) >= {_LARGE}, 0, v), vs))"
_LARGE_SUM = f"sumKahanForEach(arrayMap(v -> if(isFinite(v) AND abs(v) >= {_LARGE}, v / {_SCALE}, 0), vs))"
_SUM = f"arrayMap((s, l) -> s + l * {_SCALE}, {_SMALL_SUM}, {_LARGE_SUM})"
_MEAN = f"arrayMap((s, l, n) -> s / n + l / n * {_SCALE}, {_SMALL_SUM}, {_LARGE_SUM}, countForEach(vs))"


# The engine gives a single NaN or infinity the variance 0; its distance from itself is no number.
_VARIANCE = "arrayMap((x, d) -> x + d, varPopStableForEach(vs), sumForEach(arrayMap(v -> v - v, vs)))"


def _extreme(function: str) -> str:
    """The least or greatest of the numbers; NaN only where there is no number."""
    numbers = f"{function}ForEach(arrayMap(v -> if(isNaN(v), NULL, v), vs))"
    return f"arrayMap((x, n) -> if(n > 0, ifNull(x, nan), NULL), {numbers}, countForEach(vs))"


_SIMPLE = {
    "sum": _SUM,
    "avg": _MEAN,
    "min": _extreme("min"),
    "max": _extreme("max"),
    "count": "arrayMap(n -> if(n > 0, toFloat64(n), NULL), countForEach(vs))",
    "group": "arrayMap(n -> if(n > 0, toFloat64(1), NULL), countForEach(vs))",
    "stdvar": _VARIANCE,
    "stddev": f"arrayMap(v -> sqrt(v), {_VARIANCE})",
}


def _grouped(vector: Vector, modifier: Any, group: str, value: str) -> Vector:
    rows = f"SELECT {group} AS g, dropped, vs FROM ({vector.sql})"
    return Vector(
        "SELECT g AS labels, flag AS dropped, found AS vs FROM ("
        f"SELECT g, max(dropped) AS flag, CAST({value}, 'Array(Nullable(Float64))') AS found FROM ({rows}) GROUP BY g)",
        is_single=not _keeps_name(modifier),
    )


def _keeps_name(modifier: Any) -> bool:
    """Whether groups may differ by their names alone."""
    return modifier is not None and modifier.type == AggModifierType.By and "__name__" in modifier.labels


def _long(vector: Vector, group: str) -> str:
    """A row `(g, labels, dropped, k, v)` for each value; `k` is the number of its step."""
    return (
        f"SELECT {group} AS g, labels, dropped, one.1 AS k, assumeNotNull(one.2) AS v FROM ({vector.sql})"
        " ARRAY JOIN arrayZip(range(length(vs)), vs) AS one WHERE isNotNull(one.2)"
    )


def lowered(node: Any, where: Evaluation) -> Vector:
    operator, group = str(node.op), _group(node.modifier, where.parameters)
    vector: Vector = where.lower(node.expr, where)
    if operator in _SIMPLE:
        return _grouped(vector, node.modifier, group, _SIMPLE[operator])
    if operator == "count_values":
        return _count_values(vector, node, group, where)
    parameter: Scalar = where.lower(node.param, where)
    if operator == "quantile":
        each = arrays.quantile("xs", "q")
        value = f"arrayMap((xs, q) -> if(empty(xs), NULL, {each}), groupArrayForEach(vs), {parameter.sql})"
        return _grouped(vector, node.modifier, group, value)
    if operator not in _CHOOSING:
        raise BadExpression(_('unknown aggregation "%(name)s"') % {"name": operator}, field="query")
    return _CHOOSING[operator](vector, group, parameter, where.grid)


def _number_of(parameter: Scalar) -> Scalar:
    """Check a count as Prometheus does, also where there is nothing to count."""
    checks = (
        ("isNaN({s})", "Parameter value is NaN"),
        ("{s} >= 9223372036854775807", "Scalar value overflows int64"),
        ("{s} <= -9223372036854775808", "Scalar value underflows int64"),
    )
    return combined(
        lambda s: " + ".join([s, *(f"throwIf({wrong.format(s=s)}, '{words}')" for wrong, words in checks)]), parameter
    )


def _first(order: str) -> Callable[[Vector, str, Scalar, Grid], Vector]:
    def chosen(vector: Vector, group: str, parameter: Scalar, grid: Grid) -> Vector:
        count = _number_of(parameter)
        ranked = (
            f"SELECT labels, dropped, k, v, row_number() OVER (PARTITION BY g, k ORDER BY {order}) AS place"
            f" FROM ({_long(vector, group)})"
        )
        kept = f"SELECT * FROM ({ranked}) WHERE place <= trunc(({count.sql})[k + 1])"
        return _refolded(kept, grid)

    return chosen


def _refolded(rows: str, grid: Grid) -> Vector:
    return Vector(
        "SELECT labels, flag AS dropped, found AS vs FROM ("
        f"SELECT labels, max(dropped) AS flag, {folded(grid.points)} AS found FROM ({rows}) GROUP BY labels)"
    )


def _share(vector: Vector, group: str, parameter: Scalar, grid: Grid) -> Vector:
    """Keep a share of the series, the same ones at every step; a negative share keeps exactly the others."""
    ratio = combined(lambda s: f"{s} + throwIf(isNaN({s}), 'Ratio value is NaN')", parameter)
    place = "xxHash64(toString(labels)) / 18446744073709551616."
    kept = f"SELECT *, ({ratio.sql})[k + 1] AS r FROM ({_long(vector, group)})"
    return _refolded(f"SELECT * FROM ({kept}) WHERE if(r >= 0, {place} < r, {place} >= 1 + r)", grid)


# `labels` last: equal values are chosen among in the same way at every step.
_BY_LABELS = "mapKeys(labels), mapValues(labels)"
_CHOOSING = {
    "topk": _first(f"isNaN(v), v DESC, {_BY_LABELS}"),
    "bottomk": _first(f"isNaN(v), v, {_BY_LABELS}"),
    "limitk": _first(_BY_LABELS),
    "limit_ratio": _share,
}


def _count_values(vector: Vector, node: Any, group: str, where: Evaluation) -> Vector:
    name = bare(node.param).val
    if not is_label_name(name):
        raise ExecutionFailed(f"invalid label name {shown(name)}", field="query")
    value = f"map({where.parameters.text(name)}, timeSeriesPrometheusValueToString(v))"
    valued = f"SELECT mapSort(mapUpdate(g, {value})) AS labels, dropped, k, 1 AS one FROM ({_long(vector, group)})"
    counted = f"SELECT labels, k, max(dropped) AS dropped, toFloat64(count()) AS v FROM ({valued}) GROUP BY labels, k"
    return _refolded(counted, where.grid)
