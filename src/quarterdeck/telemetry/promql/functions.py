"""Functions of instant vectors and scalars that look at one value at a time.

See https://prometheus.io/docs/prometheus/latest/querying/functions/ and promql/functions.go.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from promql_parser import VectorSelector

from quarterdeck.telemetry.promql import histograms, labelling, ranges
from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.parsing import bare
from quarterdeck.telemetry.promql.plan import (
    NO_LABELS,
    Evaluation,
    Expression,
    Scalar,
    Vector,
    combined,
    constant,
    mapped,
)
from quarterdeck.telemetry.promql.selecting import instant_times, scalar_vector
from quarterdeck.telemetry.promql.selectors import absent_labels


def _calendar(part: str) -> Expression:
    return lambda x: f"if(isFinite({x}), toFloat64({part.format(at=_at(x))}), nan)"


def _at(seconds: str) -> str:
    return f"toDateTime64(toInt64({seconds}), 0, 'UTC')"


_CALENDAR: dict[str, Expression] = {
    "minute": _calendar("toMinute({at})"),
    "hour": _calendar("toHour({at})"),
    "day_of_week": _calendar("toDayOfWeek({at}) % 7"),
    "day_of_month": _calendar("toDayOfMonth({at})"),
    "day_of_year": _calendar("toDayOfYear({at})"),
    "days_in_month": _calendar("toDayOfMonth(toLastDayOfMonth({at}))"),
    "month": _calendar("toMonth({at})"),
    "year": _calendar("toYear({at})"),
}


def _plain(function: str) -> Expression:
    return lambda x: f"toFloat64({function}({x}))"


_EACH: dict[str, Expression] = {
    **{name: _plain(name) for name in ("abs", "ceil", "floor", "exp", "sqrt", "log2", "log10")},
    **{name: _plain(name) for name in ("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "sin")},
    **{name: _plain(name) for name in ("sinh", "tan", "tanh")},
    "ln": _plain("log"),
    "deg": lambda x: f"({x} * 180 / pi())",
    "rad": lambda x: f"({x} * pi() / 180)",
    "sgn": lambda x: f"multiIf({x} < 0, toFloat64(-1), {x} > 0, toFloat64(1), {x})",
}


def _clamped(x: str, low: str, high: str) -> str:
    unknown = f"isNaN({x}) OR isNaN({low}) OR isNaN({high})"
    return f"multiIf({low} > {high}, NULL, {unknown}, nan, {x} < {low}, {low}, {x} > {high}, {high}, {x})"


def _at_least(x: str, low: str) -> str:
    return f"if(isNaN({x}) OR isNaN({low}), nan, greatest({x}, {low}))"


def _at_most(x: str, high: str) -> str:
    return f"if(isNaN({x}) OR isNaN({high}), nan, least({x}, {high}))"


def _rounded(x: str, to: str = "1.0") -> str:
    """Half up. Multiplying by the inverse rounds better than dividing; see funcRound."""
    return f"(floor({x} * (1.0 / {to}) + 0.5) / (1.0 / {to}))"


_WITH_SCALARS: dict[str, Expression] = {
    "clamp": _clamped,
    "clamp_min": _at_least,
    "clamp_max": _at_most,
    "round": _rounded,
}
_NATIVE = frozenset({"histogram_avg", "histogram_count", "histogram_sum", "histogram_stddev", "histogram_stdvar"})
_ORDERS = frozenset({"sort", "sort_desc", "sort_by_label", "sort_by_label_desc"})

Lowered = Vector | Scalar


def lowered(node: Any, where: Evaluation) -> Lowered:
    name, arguments = node.func.name, [bare(argument) for argument in node.args]
    if ranges.is_known(name):
        return ranges.lowered(name, arguments, where)
    if name in _CALENDAR:
        # Without an argument it is the time of the step that counts.
        times = scalar_vector(where.grid.seconds_sql)
        return mapped(where.lower(arguments[0], where) if arguments else times, _CALENDAR[name])
    if name in _EACH:
        return mapped(where.lower(arguments[0], where), _EACH[name])
    if name in _WITH_SCALARS:
        vector, *scalars = (where.lower(argument, where) for argument in arguments)
        return mapped(vector, _WITH_SCALARS[name], *scalars)
    if name in _ORDERS:
        # Only the answer has an order; see `answering.ordered`.
        return where.lower(arguments[0], where)  # type: ignore[no-any-return]
    special = _SPECIAL.get(name)
    if special is not None:
        return special(arguments, where)
    if name in _NATIVE:
        return _of_native_histograms(arguments, where)
    raise BadExpression(_("the function %(name)s is not supported") % {"name": name}, field="query")


def _of_native_histograms(arguments: list[Any], where: Evaluation) -> Vector:
    """There are no native histograms here, and of floats these functions take no notice."""
    return Vector(f"SELECT * FROM ({where.lower(arguments[0], where).sql}) WHERE 0")


def _timestamp(arguments: list[Any], where: Evaluation) -> Vector:
    """The time of the sample itself when it is a selector's, else that of the step."""
    if isinstance(arguments[0], VectorSelector):
        found = instant_times(arguments[0], where)
        return mapped(found, lambda x: x)
    return mapped(where.lower(arguments[0], where), lambda _x, t: t, Scalar(where.grid.seconds_sql))


def _scalar(arguments: list[Any], where: Evaluation) -> Scalar:
    """The value of a vector with one series at that step, else NaN."""
    vector = where.lower(arguments[0], where)
    found = f"SELECT countForEach(vs) AS counts, anyForEach(vs) AS any_vs FROM ({vector.sql})"
    none = f"arrayWithConstant({where.grid.points}, toFloat64(nan))"
    ones = "arrayMap((c, v) -> if(c = 1, assumeNotNull(v), toFloat64(nan)), counts, any_vs)"
    return Scalar(f"(SELECT if(empty(counts), {none}, {ones}) FROM ({found}))")


def _vector(arguments: list[Any], where: Evaluation) -> Vector:
    return scalar_vector(where.lower(arguments[0], where).sql)


def _absent(arguments: list[Any], where: Evaluation) -> Vector:
    is_selector = isinstance(arguments[0], VectorSelector)
    labels = absent_labels(arguments[0], where.parameters) if is_selector else NO_LABELS
    return ranges.absent(where.lower(arguments[0], where), labels, where)


def _of_query(value: Callable[[Evaluation], float]) -> Callable[[list[Any], Evaluation], Scalar]:
    return lambda _arguments, where: constant(value(where), where.grid)


def _pair(function: str) -> Callable[[list[Any], Evaluation], Scalar]:
    def of_two(arguments: list[Any], where: Evaluation) -> Scalar:
        first, second = (where.lower(argument, where) for argument in arguments)
        return combined(lambda a, b: f"if(isNaN({a}) OR isNaN({b}), nan, {function}({a}, {b}))", first, second)

    return of_two


_SPECIAL: dict[str, Callable[[list[Any], Evaluation], Lowered]] = {
    "time": lambda _arguments, where: Scalar(where.grid.seconds_sql),
    "pi": _of_query(lambda _where: math.pi),
    "start": _of_query(lambda where: where.start_ms / 1000),
    "end": _of_query(lambda where: where.end_ms / 1000),
    "range": _of_query(lambda where: (where.end_ms - where.start_ms) / 1000),
    "step": _of_query(lambda where: where.step_ms / 1000),
    "min_of": _pair("least"),
    "max_of": _pair("greatest"),
    "timestamp": _timestamp,
    "scalar": _scalar,
    "vector": _vector,
    "absent": _absent,
    "label_replace": labelling.replaced,
    "label_join": labelling.joined,
    "histogram_quantile": histograms.quantile,
    "histogram_fraction": histograms.fraction,
}
