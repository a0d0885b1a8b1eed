"""Arithmetic and comparison, between numbers. See vectorElemBinop and scalarBinop in promql/engine.go."""

from __future__ import annotations

ARITHMETIC = {
    "+": lambda a, b: f"({a} + {b})",
    "-": lambda a, b: f"({a} - {b})",
    "*": lambda a, b: f"({a} * {b})",
    "/": lambda a, b: f"({a} / {b})",
    # The engine's `%` of Float64 is C's fmod, as Go's math.Mod.
    "%": lambda a, b: f"if({b} = 0 OR NOT isFinite({a}), nan, if(isInfinite({b}), {a}, {a} % {b}))",
    "^": lambda a, b: f"pow({a}, {b})",
    "atan2": lambda a, b: f"atan2({a}, {b})",
}
COMPARISONS = {"==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
SETS = frozenset({"and", "or", "unless"})


def compared(operator: str, a: str, b: str) -> str:
    """A condition; NaN differs from everything, itself included."""
    return f"({a} {COMPARISONS[operator]} {b})"


def number(operator: str, a: str, b: str) -> str:
    """A Float64: what arithmetic gives, or 1 and 0 for a comparison with `bool`."""
    if operator in ARITHMETIC:
        return f"toFloat64({ARITHMETIC[operator](a, b)})"
    return f"toFloat64({compared(operator, a, b)})"


def value_or_nothing(operator: str, a: str, b: str, *, is_bool: bool, kept: str) -> str:
    """A Float64, or NULL where a comparison without `bool` leaves the value `kept` out."""
    if operator in ARITHMETIC or is_bool:
        return number(operator, a, b)
    return f"if({compared(operator, a, b)}, {kept}, NULL)"
