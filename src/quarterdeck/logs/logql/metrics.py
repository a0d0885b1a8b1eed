"""Queries of numbers as SQL: each node is `SELECT labels, t, value`, with t in Unix milliseconds on the query's steps.

Lines are counted into slices as long as step and window divide into both, and slices added up into windows: a window
of an hour at steps of 15 seconds reads each line once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from django.utils.translation import gettext as _
from lark import Token, Tree

from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.logql.meeting import Grid, met, modifier_of
from quarterdeck.logs.logql.parsing import Node, child, duration_ns
from quarterdeck.logs.logql.pipeline import Parameters, Pipeline
from quarterdeck.telemetry.promql.operators import COMPARISONS, SETS, compared, number

_MS = 1_000_000
STEPS_MAX = 11_000
# Slices that one window may have.
_SLICES_MAX = 20_000
_EMPTY = "CAST(map(), 'Map(String, String)')"
# name: (aggregate, its arguments, whether it is divided by the window's seconds, whether groups may be added up before)
_OF_LINES = {
    "rate": ("count", "", True),
    "count_over_time": ("count", "", False),
    "bytes_rate": ("sum", "toFloat64(length(s.line))", True),
    "bytes_over_time": ("sum", "toFloat64(length(s.line))", False),
}
_OF_NUMBERS = {
    "rate": ("sum", "s.number", True),
    "sum_over_time": ("sum", "s.number", False),
    "avg_over_time": ("avg", "s.number", False),
    "min_over_time": ("min", "s.number", False),
    "max_over_time": ("max", "s.number", False),
    "stddev_over_time": ("stddevPop", "s.number", False),
    "stdvar_over_time": ("varPop", "s.number", False),
    "first_over_time": ("argMin", "s.number, s.ts", False),
    "last_over_time": ("argMax", "s.number, s.ts", False),
    "quantile_over_time": ("quantileExactInclusive", "s.number", False),
}
_VECTOR = {
    "sum": "sum(s.value)", "avg": "avg(s.value)", "min": "min(s.value)", "max": "max(s.value)",
    "count": "toFloat64(count())", "stddev": "stddevPop(s.value)", "stdvar": "varPop(s.value)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Within:
    """The SQL of the lines that may be read in (after, until], both in nanoseconds."""

    scope: str

    def of(self, bind: Parameters, after_ns: int, until_ns: int) -> str:
        text = "logs.ts > fromUnixTimestamp64Nano({}, 'UTC') AND logs.ts <= fromUnixTimestamp64Nano({}, 'UTC')"
        times = text.format(bind("Int64", max(0, after_ns)), bind("Int64", max(0, until_ns)))
        return f"{times} AND ({self.scope})"


class Lowering:
    """Makes SQL of the nodes of one query."""

    def __init__(self, bind: Parameters, grid: Grid, within: Within) -> None:
        self._bind, self._grid, self._within = bind, grid, within

    def vector(self, node: Node) -> str:
        """Return the SQL of a metric query. Raises BadQuery."""
        made = self._of(node)
        return self._constant(made) if isinstance(made, float) else made

    def _of(self, node: Node) -> str | float:
        kind = node.data
        if kind == "number":
            return float(cast(Token, node.children[0]))
        if kind == "vector":
            return self._constant(float(cast(Token, node.children[1])))
        if kind == "signed":
            made = self._of(child(node, 1))
            return self._joined(-1.0, "*", made) if node.children[0] == "-" else made
        if kind == "aggregation":
            return self._aggregation(node)
        if kind == "over_time":
            return self._over_time(node, None)
        if kind == "power" and node.children[2] is None:
            return self._of(child(node, 0))
        if kind == "power":
            return self._joined(self._of(child(node, 0)), "^", self._of(child(node, 2)), _tree(node.children[1]))
        return self._chain(node)

    def _chain(self, node: Node) -> str | float:
        """Operators of the same rank, from left to right."""
        width = 4 if node.data == "comparison" else 3
        made = self._of(child(node, 0))
        for at in range(1, len(node.children), width):
            operator, right = str(node.children[at]), self._of(child(node, at + width - 1))
            is_bool = width == 4 and node.children[at + 1] is not None
            made = self._joined(made, operator, right, _tree(node.children[at + width - 2]), is_bool=is_bool)
        return made

    def _constant(self, number: float) -> str:
        grid = self._grid
        times = f"toInt64({grid.start_ms} + s.number * {grid.step_ms})"
        value = self._bind("Float64", number)
        return f"SELECT {_EMPTY} AS labels, {times} AS t, {value} AS value FROM numbers({grid.steps}) AS s"

    def _joined(
        self,
        left: str | float,
        operator: str,
        right: str | float,
        meeting: Node | None = None,
        *,
        is_bool: bool = False,
    ) -> str | float:
        if isinstance(left, str) and isinstance(right, str):
            modifier = modifier_of(operator, meeting, is_bool=is_bool)
            return met(operator, left, right, modifier, self._bind, self._grid)
        if operator in SETS:
            raise _bad(_("%(name)s stands between series, not numbers") % {"name": operator})
        if isinstance(left, float) and isinstance(right, float):
            return _computed(left, operator, right)
        return self._with_number(left, operator, right, is_bool=is_bool)

    def _with_number(self, left: str | float, operator: str, right: str | float, *, is_bool: bool) -> str:
        """A comparison keeps the series' value, on whichever side it stands."""
        a, b = ("s.value" if isinstance(one, str) else self._bind("Float64", one) for one in (left, right))
        keeps = operator in COMPARISONS and not is_bool
        value, where = ("s.value", compared(operator, a, b)) if keeps else (number(operator, a, b), "1")
        source = left if isinstance(left, str) else right
        return f"SELECT s.labels AS labels, s.t AS t, {value} AS value FROM ({source}) AS s WHERE {where}"

    def _aggregation(self, node: Node) -> str:
        operator, before, _number, _inner, behind = node.children
        count, inner = cast(Token | None, node.children[2]), child(node, 3)
        grouping = before if isinstance(before, Tree) else behind if isinstance(behind, Tree) else None
        if str(operator) in ("sort", "sort_desc"):
            return self.vector(inner)
        labels = _grouped(self._bind, grouping)
        if str(operator) in ("topk", "bottomk"):
            return self._top(str(operator), count, inner, labels)
        if count is not None:
            raise _bad(_("%(name)s takes no number") % {"name": str(operator)})
        below = _only(inner)
        if operator == "sum" and below.data == "over_time" and _is_added(below):
            # Sums of counts: the groups are made where the lines are read.
            return self._over_time(below, labels)
        return (
            f"SELECT {labels} AS labels, s.t AS t, {_VECTOR[str(operator)]} AS value"
            f" FROM ({self.vector(below)}) AS s GROUP BY {labels}, s.t"
        )

    def _top(self, operator: str, number: Token | None, inner: Node, labels: str) -> str:
        if number is None or not 1 <= float(number) <= 10_000:
            raise _bad(_("%(name)s needs a number of at least 1") % {"name": operator})
        order = "DESC" if operator == "topk" else "ASC"
        point = "s.labels AS labels, s.t AS t, s.value AS value"
        made = f"SELECT {point}, {labels} AS grouped FROM ({self.vector(inner)}) AS s"
        limit = f"LIMIT {int(float(number))} BY t, grouped"
        sorted_ = f"SELECT * FROM ({made}) ORDER BY value {order}, toString(labels) {limit}"
        return f"SELECT {point} FROM ({sorted_}) AS s"

    def _over_time(self, node: Node, labels: str | None) -> str:
        name, number = str(node.children[0]), cast(Token | None, node.children[1])
        length = next(one for one in node.children if getattr(one, "type", "") == "DURATION")
        trees = [one for one in node.children[3:] if isinstance(one, Tree)]
        grouping = next((one for one in trees if one.data == "grouping"), None)
        offset = next((duration_ns(str(one.children[1])) // _MS for one in trees if one.data == "offset"), 0)
        range_ms = duration_ns(str(length)) // _MS
        if range_ms < 1:
            raise _bad(_("the range is empty"))
        base_ms, end_ms = self._grid.start_ms - offset - range_ms, self._grid.end_ms - offset
        where = self._within.of(self._bind, base_ms * _MS, end_ms * _MS)
        lines = Pipeline(self._bind, child(node, 2), where)
        for stage in trees:
            if stage.data not in ("grouping", "offset"):
                lines.add(stage)
        chosen = labels or (_grouped(self._bind, grouping) if grouping else "s.labels")
        return self._windows(lines, chosen, range_ms, base_ms, _function(name, number, lines.has_number))

    def _windows(
        self, lines: Pipeline, labels: str, range_ms: int, base_ms: int, function: tuple[str, str, str, bool]
    ) -> str:
        name, parameters, arguments, is_rate = function
        grid = self._grid
        slice_ms = math.gcd(range_ms, grid.step_ms) if grid.steps > 1 else range_ms
        wide, apart = range_ms // slice_ms, max(1, grid.step_ms // slice_ms)
        if wide > _SLICES_MAX:
            raise _bad(_("step and range have no common part; choose round ones"))
        slices = (
            f"SELECT mapSort({labels}) AS labels,"
            f" intDiv(toUnixTimestamp64Nano(s.ts) - {base_ms * _MS} - 1, {slice_ms * _MS}) + 1 AS j,"
            f" {name}State{parameters}({arguments}) AS state FROM ({lines.sql}) AS s GROUP BY mapSort({labels}), j"
        )
        first = f"intDiv(greatest(w.j - {wide}, 0) + {apart - 1}, {apart})"
        last = f"least({grid.steps - 1}, intDiv(w.j - 1, {apart}))"
        value = f"toFloat64({name}Merge{parameters}(w.state))" + (f" / {range_ms / 1000}" if is_rate else "")
        return (
            f"SELECT w.labels AS labels, toInt64({grid.start_ms} + i * {grid.step_ms}) AS t, {value} AS value"
            f" FROM ({slices}) AS w ARRAY JOIN range(toUInt64({first}), toUInt64({last} + 1)) AS i GROUP BY w.labels, i"
        )


def _tree(node: Node | Token | None) -> Node | None:
    return node if isinstance(node, Tree) else None


def _only(node: Node) -> Node:
    """Return what is in brackets and chains of one."""
    while node.data in ("sets", "comparison", "arithmetic", "power") and (
        len(node.children) == 1 or (node.data == "power" and node.children[2] is None)
    ):
        node = child(node, 0)
    return node


def _is_added(node: Node) -> bool:
    stages = [one.data for one in node.children if isinstance(one, Tree)]
    return str(node.children[0]) in _OF_LINES and "unwrap" not in stages and "grouping" not in stages


def _function(name: str, number: Token | None, has_number: bool) -> tuple[str, str, str, bool]:
    """Return (aggregate, its parameters, its arguments, whether it is per second). Raises BadQuery."""
    known = _OF_NUMBERS if has_number else _OF_LINES
    if name not in known:
        said = _("%(name)s needs an unwrap") if name in _OF_NUMBERS else _("%(name)s takes no unwrap")
        raise _bad(said % {"name": name})
    aggregate, arguments, is_rate = known[name]
    if name != "quantile_over_time":
        return aggregate, "", arguments, is_rate
    if number is None or not 0 <= float(number) <= 1:
        raise _bad(_("a quantile lies between 0 and 1"))
    return aggregate, f"({float(number)})", arguments, is_rate


def _grouped(bind: Parameters, grouping: Node | None) -> str:
    if grouping is None:
        return _EMPTY
    names = bind("Array(String)", [str(name) for name in grouping.children[1:] if name is not None])
    is_by = str(grouping.children[0]) == "by"
    return f"mapFilter((k, v) -> {'' if is_by else 'NOT '}has({names}, k), s.labels)"


def _computed(left: float, operator: str, right: float) -> float:
    try:
        return float(_PYTHON[operator](left, right))
    except (ZeroDivisionError, OverflowError, ValueError):
        return math.nan


_PYTHON: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "%": math.fmod, "^": math.pow, "==": lambda a, b: a == b, "!=": lambda a, b: a != b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
}  # fmt: skip


def _bad(said: str) -> BadQuery:
    return BadQuery(said, field="query")
