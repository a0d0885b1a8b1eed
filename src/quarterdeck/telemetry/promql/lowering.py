"""From the tree of a query to SQL: one function for each kind of node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import promql_parser as ast
from django.utils.translation import gettext as _

from quarterdeck.telemetry.promql import aggregating, functions, matching, operators
from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.plan import Evaluation, Scalar, Text, Vector, combined, constant, mapped
from quarterdeck.telemetry.promql.selecting import instant

Lowered = Vector | Scalar | Text


def lower(node: Any, where: Evaluation) -> Lowered:
    """Return what `node` is on the grid of `where`. Raises BadExpression, ExecutionFailed."""
    lowered = _NODES.get(type(node))
    if lowered is None:
        raise BadExpression(_("a range vector cannot stand here"), field="query")
    return lowered(node, where)


def _negated(node: ast.UnaryExpr, where: Evaluation) -> Lowered:
    inner = lower(node.expr, where)
    if isinstance(inner, Scalar):
        return combined(lambda s: f"-({s})", inner)
    return mapped(_vector(inner), lambda x: f"-({x})")


def _binary(node: ast.BinaryExpr, where: Evaluation) -> Lowered:
    operator = str(node.op)
    left, right = lower(node.lhs, where), lower(node.rhs, where)
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return combined(lambda a, b: operators.number(operator, a, b), left, right)
    if isinstance(left, Vector) and isinstance(right, Vector):
        matching.count(operator, where.parameters)
        apply = matching.set_operation if operator in operators.SETS else matching.operation
        return apply(operator, left, right, node.modifier, where.parameters, where.grid.points)
    return _with_scalar(operator, left, right, node.modifier)


def _with_scalar(operator: str, left: Lowered, right: Lowered, modifier: Any) -> Vector:
    """A comparison keeps the vector's value, on whichever side it stands."""
    is_bool = modifier is not None and modifier.return_bool
    keeps_name = operator in operators.COMPARISONS and not is_bool

    def value(x: str, s: str) -> str:
        a, b = (x, s) if isinstance(left, Vector) else (s, x)
        return operators.value_or_nothing(operator, a, b, is_bool=is_bool, kept=x)

    vector, scalar = (left, right) if isinstance(left, Vector) else (right, left)
    return mapped(_vector(vector), value, _scalar(scalar), keeps_name=keeps_name)


def _vector(lowered: Lowered) -> Vector:
    if not isinstance(lowered, Vector):
        raise BadExpression(_("an instant vector is expected"), field="query")
    return lowered


def _scalar(lowered: Lowered) -> Scalar:
    if not isinstance(lowered, Scalar):
        raise BadExpression(_("a scalar is expected"), field="query")
    return lowered


_NODES: dict[type[Any], Callable[[Any, Evaluation], Lowered]] = {
    ast.ParenExpr: lambda node, where: lower(node.expr, where),
    ast.NumberLiteral: lambda node, where: constant(node.val, where.grid),
    ast.StringLiteral: lambda node, _where: Text(node.val),
    ast.UnaryExpr: _negated,
    ast.BinaryExpr: _binary,
    ast.AggregateExpr: aggregating.lowered,
    ast.Call: functions.lowered,
    ast.VectorSelector: instant,
}
