"""The unit of an expression, guessed from the names of its metrics and what is done to them."""

from __future__ import annotations

from typing import Any

import promql_parser as ast

from quarterdeck.telemetry.samples import unit_of

_PER_SECOND = frozenset({"rate", "irate", "deriv"})
_PLAIN = frozenset({
    "absent", "absent_over_time", "changes", "resets", "count_over_time", "present_over_time", "sgn", "exp", "ln",
    "log2", "log10", "sqrt", "minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month",
    "year", "stdvar_over_time",
})  # fmt: skip
_PLAIN_AGGREGATIONS = frozenset({"count", "count_values", "group", "stdvar"})
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "and", "or", "unless"})


def unit_of_expression(node: Any) -> str:
    """Return "bytes", "bytes/s", "seconds", "ratio", "percent", "/s" ..., "" for a plain number or when in doubt."""
    if isinstance(node, ast.VectorSelector):
        return _of_name(node.name or "")
    if isinstance(node, ast.MatrixSelector):
        return unit_of_expression(node.vector_selector)
    if isinstance(node, ast.AggregateExpr):
        return "" if str(node.op) in _PLAIN_AGGREGATIONS else unit_of_expression(node.expr)
    if isinstance(node, ast.Call):
        return _of_call(node.func.name, node.args)
    if isinstance(node, ast.BinaryExpr):
        return _of_operator(node)
    return unit_of_expression(node.expr) if hasattr(node, "expr") else ""


def _of_name(metric: str) -> str:
    for ending in ("_bucket", "_sum"):
        metric = metric.removesuffix(ending)
    return "" if metric.endswith("_count") else unit_of(metric)


def _of_call(name: str, arguments: list[Any]) -> str:
    if name == "time" or name == "timestamp":
        return "seconds"
    if name in _PLAIN or not arguments:
        return ""
    if name in ("histogram_quantile", "quantile_over_time"):
        # Buckets are counted per second; what a quantile of them measures is what their bounds do.
        return unit_of_expression(arguments[1]).removesuffix("/s")
    unit = unit_of_expression(arguments[0])
    if name not in _PER_SECOND:
        return unit
    return "ratio" if unit == "seconds" and _is_busy_time(arguments[0]) else f"{unit}/s"


def _is_busy_time(node: Any) -> bool:
    """Seconds of work in a second are a share of it; of buckets they are bounds, not time that passes."""
    name = node.vector_selector.name or "" if isinstance(node, ast.MatrixSelector) else ""
    return name.endswith("_seconds_total")


def _of_operator(node: ast.BinaryExpr) -> str:
    left, right, operator = unit_of_expression(node.lhs), unit_of_expression(node.rhs), str(node.op)
    if operator in _COMPARISONS:
        return "" if node.modifier and node.modifier.return_bool else left
    if operator in ("+", "-"):
        return left if left == right or not right else right if not left else ""
    if operator == "/" and left and left == right:
        return "ratio"
    if operator in ("*", "/") and isinstance(node.rhs, ast.NumberLiteral):
        return "percent" if left == "ratio" and operator == "*" and node.rhs.val == 100 else left
    if operator == "*" and isinstance(node.lhs, ast.NumberLiteral):
        return "percent" if right == "ratio" and node.lhs.val == 100 else right
    return ""
