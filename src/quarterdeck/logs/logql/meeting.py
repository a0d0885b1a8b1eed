"""Operators between the series of two queries: as PromQL has them, on the same code.

A query of numbers is rows `(labels, t, value)` in LogQL and one array over the steps for each series in PromQL.
See https://grafana.com/docs/loki/latest/query/#binary-operators
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.utils.translation import gettext as _
from lark import Token, Tree
from promql_parser import LabelModifierType, VectorMatchCardinality

from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.logql.parsing import Node
from quarterdeck.telemetry.promql import matching
from quarterdeck.telemetry.promql.operators import SETS
from quarterdeck.telemetry.promql.plan import Parameters, Vector, folded


@dataclass(frozen=True, slots=True)
class Grid:
    """The times of an answer, in Unix milliseconds: `start`, every `step` after it, up to `end`."""

    start_ms: int
    end_ms: int
    step_ms: int

    @property
    def steps(self) -> int:
        return (self.end_ms - self.start_ms) // self.step_ms + 1


@dataclass(frozen=True, slots=True)
class Matching:
    """The labels of `on` (Include) or `ignoring` (Exclude)."""

    type: LabelModifierType
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Modifier:
    """What stands between the sides, with the names of promql_parser's own, which Python cannot make."""

    card: VectorMatchCardinality
    matching: Matching | None
    group_labels: tuple[str, ...]
    return_bool: bool
    fill_values: None = None


def modifier_of(operator: str, meeting: Node | None, *, is_bool: bool) -> Modifier:
    """Return the modifier that the grammar's `meeting` is. Raises BadQuery."""
    one, many = VectorMatchCardinality.OneToOne, VectorMatchCardinality.ManyToMany
    usual = many if operator in SETS else one
    if meeting is None:
        return Modifier(usual, None, (), is_bool)
    word, names, group, included = meeting.children
    kind = LabelModifierType.Include if str(word) == "on" else LabelModifierType.Exclude
    if group is not None and operator in SETS:
        raise BadQuery(_("no grouping is allowed for %(name)s") % {"name": operator}, field="query")
    sides = {"group_left": VectorMatchCardinality.ManyToOne, "group_right": VectorMatchCardinality.OneToMany}
    card = usual if group is None else sides[str(cast(Token, group))]
    return Modifier(card, Matching(kind, _names(names)), _names(included), is_bool)


def _names(node: Node | Token | None) -> tuple[str, ...]:
    return tuple(str(name) for name in node.children) if isinstance(node, Tree) else ()


def met(operator: str, left: str, right: str, modifier: Modifier, bind: Parameters, grid: Grid) -> str:
    """Return the SQL of the rows that an operator makes of the rows of both sides. Raises BadQuery."""
    matching.count(operator, bind)
    apply = matching.set_operation if operator in SETS else matching.operation
    made = apply(operator, _vector(left, grid), _vector(right, grid), modifier, bind, grid.steps)
    return (
        f"SELECT v.labels AS labels, toInt64({grid.start_ms} + p.1 * {grid.step_ms}) AS t, assumeNotNull(p.2) AS value"
        f" FROM ({made.sql}) AS v ARRAY JOIN arrayZip(range(length(v.vs)), v.vs) AS p WHERE isNotNull(p.2)"
    )


def _vector(rows: str, grid: Grid) -> Vector:
    steps = f"intDiv(s.t - {grid.start_ms}, {grid.step_ms})"
    return Vector(
        f"SELECT r.labels AS labels, toUInt8(0) AS dropped, {folded(grid.steps, 'r.value')} AS vs"
        f" FROM (SELECT mapSort(s.labels) AS labels, {steps} AS k, s.value AS value FROM ({rows}) AS s) AS r"
        " GROUP BY r.labels"
    )
