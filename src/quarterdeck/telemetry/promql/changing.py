"""Which labels' values make a metric other than it was: what a chart draws, in a window and in the one before it.

The series of the expression are what is compared; of an aggregation at its outside, those that it combines, so that
`sum(rate(requests_total[5m]))` is told apart by every label. A value's share is that of the mean over the window of
what its series make together. A label's score is the Jensen-Shannon divergence of the shares (1 when the windows have
no value in common), less what the values' scatter within the windows makes by itself. A value is told where its share
differs by more than that scatter: Welch's t of the means of a window's parts, as a normal deviate (D. L. Wallace,
"Bounds on normal approximations to Student's and the chi-square distributions", Ann. Math. Stat. 30, 1121 (1959)).
The shares and their divergence are what R. Bhagwan et al. call surprise in "Adtributor: Revenue Debugging in
Advertising Systems", NSDI 2014.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import promql_parser as ast
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.telemetry.differing import (
    DEVIATIONS_LEAST,
    FIELDS_MAX,
    SHOWN_FIELDS_MAX,
    SHOWN_VALUES,
    Difference,
    Share,
)
from quarterdeck.telemetry.promql.answering import Limits, evaluation, rows_of
from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.lowering import lower
from quarterdeck.telemetry.promql.narrowing import narrowed
from quarterdeck.telemetry.promql.parsing import bare, parse
from quarterdeck.telemetry.promql.plan import Grid, Scope, Vector
from quarterdeck.telemetry.promql.units import unit_of_expression

Combine = Literal["sum", "mean", "count"]
# The scatter of a window is that of its parts: neighbouring samples are too much alike to tell it.
PARTS = 8
POINTS_OF_PART_MAX = 8
STEP_MS_LEAST = 1000
# Values beyond a label's largest are one; a share that differs by less than this part of it is not told.
VALUES_MAX = 200
PART_LEAST = 0.05
# What aggregations make of the series that they combine; the others choose among them.
_COMBINED: dict[str, Combine] = {
    "sum": "sum", "count": "count", "group": "count", "avg": "mean", "min": "mean", "max": "mean", "quantile": "mean",
    "stddev": "mean", "stdvar": "mean",
}  # fmt: skip
_CHOOSING = ("topk", "bottomk", "limitk", "limit_ratio")
# Sums of these say nothing.
_MEANT = ("ratio", "percent", "celsius")


@dataclass(frozen=True, slots=True)
class LabelShare(Share):
    """A label's value: `now` and `before` are what its series make together, in the unit of the metric."""

    has_now: bool = True
    has_before: bool = True

    @property
    def is_new(self) -> bool:
        return self.kind == "value" and not self.has_before

    @property
    def is_gone(self) -> bool:
        return self.kind == "value" and not self.has_now


@dataclass(frozen=True, slots=True)
class LabelDifferences:
    """`now` and `before` are what all `series` make together, None where there are no samples.

    Values are combined by `combine`, in `unit`; `compared` labels were compared, of which `fields` differ.
    """

    combine: Combine
    unit: str
    now: float | None
    before: float | None
    series: int
    compared: int
    fields: list[Difference]


@dataclass(frozen=True, slots=True)
class _Opened:
    """What is compared of an expression: `node`, whose values `factor` makes those of the expression."""

    node: Any
    combine: Combine | None
    factor: float


def changed(
    text: str, since_ms: int, until_ms: int, combine: str, limit: int, scope: Scope, limits: Limits
) -> LabelDifferences:
    """Compare the series of `text` in (`since_ms`, `until_ms`] with those of the same length of time before.

    `combine` "" is what suits the expression. Raises BadExpression, BadInput, ExecutionFailed, Unavailable.
    """
    if combine and combine not in get_args(Combine):
        raise BadInput(
            _('unknown way to combine "%(name)s"') % {"name": combine[:40]}, hint=", ".join(get_args(Combine))
        )
    opened = _opened(parse(text))
    _require_labels(opened.node)
    unit = "" if opened.combine == "count" else unit_of_expression(opened.node)
    how = cast("Combine", combine) or opened.combine or ("mean" if unit in _MEANT else "sum")
    points = max(1, min(POINTS_OF_PART_MAX, (until_ms - since_ms) // (PARTS * STEP_MS_LEAST)))
    step_ms = max(1, (until_ms - since_ms) // (PARTS * points))
    grid = Grid(until_ms - (2 * PARTS * points - 1) * step_ms, step_ms, 2 * PARTS * points)
    where = evaluation(grid, step_ms, scope)
    lowered = lower(opened.node, where)
    if not isinstance(lowered, Vector):
        raise BadExpression(_("an instant vector is expected"), field="query")
    rows = rows_of(_statement(lowered, points, how, max(1, min(limit, SHOWN_FIELDS_MAX))), where, limits)
    return _differences(text, opened, how, "" if how == "count" else unit, rows)


def _opened(node: Any) -> _Opened:
    """Take off what stands around the series: aggregations, and factors that are numbers."""
    combine: Combine | None = None
    factor = 1.0
    while True:
        node = bare(node)
        if isinstance(node, ast.AggregateExpr) and str(node.op) in (*_COMBINED, *_CHOOSING):
            combine, node = _COMBINED.get(str(node.op), combine), node.expr
        elif scaled := _scaled(node):
            node, factor = scaled[0], factor * scaled[1]
        else:
            return _Opened(node, combine, factor)


def _require_labels(node: Any) -> None:
    """Raise BadExpression for arithmetic of totals: what it makes has no labels to compare."""
    totals = list(_totals(node))
    if isinstance(node, ast.BinaryExpr) and totals and None not in totals:
        queries = list(dict.fromkeys(one.prettify() for one in totals))
        raise BadExpression(
            _("What is computed from totals has no labels that could be compared."),
            hint=_("Compare one of them: %(totals)s") % {"totals": "; ".join(queries[:5])},
            field="query",
        )


def _totals(node: Any) -> Iterator[Any]:
    """Yield the aggregations to one series that arithmetic puts together, None for anything that has labels."""
    node = bare(node)
    if isinstance(node, ast.BinaryExpr):
        yield from _totals(node.lhs)
        yield from _totals(node.rhs)
    elif isinstance(node, ast.UnaryExpr):
        yield from _totals(node.expr)
    elif isinstance(node, ast.AggregateExpr) and str(node.op) in _COMBINED and _is_one_group(node.modifier):
        yield node
    elif not isinstance(node, ast.NumberLiteral):
        yield None


def _is_one_group(modifier: Any) -> bool:
    return modifier is None or (modifier.type == ast.AggModifierType.By and not modifier.labels)


def _scaled(node: Any) -> tuple[Any, float] | None:
    """Return `(x, f)` for `f * x`, `x * f` and `x / f`."""
    if not isinstance(node, ast.BinaryExpr) or str(node.op) not in ("*", "/"):
        return None
    left, right = bare(node.lhs), bare(node.rhs)
    if isinstance(right, ast.NumberLiteral) and right.val:
        return node.lhs, right.val if str(node.op) == "*" else 1 / right.val
    if isinstance(left, ast.NumberLiteral) and str(node.op) == "*":
        return node.rhs, left.val
    return None


def _differences(text: str, opened: _Opened, how: Combine, unit: str, rows: list[tuple[Any, ...]]) -> LabelDifferences:
    if not rows:
        return LabelDifferences(how, unit, None, None, 0, 0, [])
    (_name, _score, _deviations, series, compared, _rest, total), *fields = rows
    _kind, _text, now, before, _now_share, _before_share, _z, has_now, has_before = total[0]
    return LabelDifferences(
        how,
        unit,
        now * opened.factor if has_now else None,
        before * opened.factor if has_before else None,
        int(series),
        int(compared),
        [_difference(text, opened.factor, row) for row in fields],
    )


def _difference(text: str, factor: float, row: tuple[Any, ...]) -> Difference:
    name, score, deviations, _series, distinct, rest, values = row
    shares: list[Share] = [_share(text, name, factor, value) for value in values]
    return Difference(name, float(score), float(deviations), int(distinct), int(rest), shares)


def _share(text: str, label: str, factor: float, value: tuple[Any, ...]) -> LabelShare:
    kind, known, now, before, now_share, before_share, deviations, has_now, has_before = value
    query = "" if kind == "rest" else narrowed(text, {label: known})
    return LabelShare(
        kind, known, now * factor, before * factor, now_share, before_share, False, deviations, query, bool(has_now),
        bool(has_before),
    )  # fmt: skip


# What series make together in a part of a window, of the sums of their values and how many these are.
_OF_PART: dict[Combine, str] = {
    "sum": "x / {points}",
    "mean": "if(n > 0, x / n, nan)",
    "count": "n / {points}",
}


def _statement(vector: Vector, points: int, how: Combine, limit: int) -> str:
    """Return rows `(label, score, deviations, series, distinct, rest, values)`, those of all series, label "", first.

    That row has how many labels were compared for `distinct`. `values` are tuples `(kind, text, now, before, now_share,
    before_share, deviations, has_now, has_before)`.
    """
    part = f"arraySlice(vs, b * {points} + 1, {points})"
    return (
        _STATEMENT.replace("{vector}", vector.sql)
        .replace("{part}", part)
        .replace("{of_part}", _OF_PART[how].format(points=points))
        .replace("{limit}", str(limit))
    )


_NOW, _BEFORE = (f"arrayFilter(y -> isFinite(y), arraySlice(parts, {at}, {PARTS}))" for at in (PARTS + 1, 1))
_FREE = 2 * PARTS - 2
_NORMAL = f"sign(t) * {(8 * _FREE + 1) / (8 * _FREE + 3)} * sqrt({_FREE} * log(1 + t * t / {_FREE}))"
# From the inside: each series' sums and counts in the parts of both windows; those of each label's values, "" for
# series without the label; values beyond the largest as one; what they are in the windows, and the variances of that;
# shares; what each tells. Where nothing was counted in a window, each series has the same share in it.
_STATEMENT = f"""
SELECT label, score, deviations, series, if(label = '', labels_compared, distinct) AS distinct, rest, shown
FROM (
    SELECT label, max(all_series) AS series, max(labels_known) AS labels_compared,
        sumIf(texts, kind != 'absent') AS distinct, sumIf(texts, kind = 'rest') AS rest, count() - 1 AS degrees,
        greatest(0, sum(told) - sum(by_scatter)) AS score, sum(z * z) * degrees / (degrees + 1) AS square,
        if(degrees < 1, 0, (cbrt(square / degrees) - 1 + 2 / (9 * degrees)) / sqrt(2 / (9 * degrees))) AS deviations,
        arrayMap(v -> v.2, arraySlice(arrayReverseSort(v -> v.1, groupArrayIf(
            (told, (kind, text, now, before, now_share, before_share, z, has_now, has_before)),
            label = '' OR abs(z) >= {DEVIATIONS_LEAST})), 1, {SHOWN_VALUES})) AS shown
    FROM (
        SELECT *, (p + q) / 2 AS m,
            (if(p > 0, p * log2(p / m), 0) + if(q > 0, q * log2(q / m), 0)) / 2 AS told,
            if(all_now > 0, (pow(1 - p, 2) * now_var + p * p * (all_now_var - now_var)) / pow(all_now, 2), 0)
            + if(all_before > 0, (pow(1 - q, 2) * before_var + q * q * (all_before_var - before_var))
                / pow(all_before, 2), 0) AS variance,
            if(m > 0, variance / (8 * ln2 * m), 0) AS by_scatter,
            if(p = q, 0, (p - q) / sqrt(variance + pow({PART_LEAST / DEVIATIONS_LEAST} * m, 2))) AS t,
            {_NORMAL} AS z
        FROM (
            SELECT *, log(2) AS ln2, if(all_now > 0, abs(now) / all_now, 0) AS now_share,
                if(all_before > 0, abs(before) / all_before, 0) AS before_share,
                if(all_now > 0, now_share, series / all_series) AS p,
                if(all_before > 0, before_share, series / all_series) AS q
            FROM (
                SELECT *, sum(abs(now)) OVER whole AS all_now, sum(abs(before)) OVER whole AS all_before,
                    sum(now_var) OVER whole AS all_now_var, sum(before_var) OVER whole AS all_before_var,
                    sum(series) OVER whole AS all_series
                FROM (
                    SELECT *, {_NOW} AS now_parts, {_BEFORE} AS before_parts,
                        if(empty(now_parts), 0, arrayAvg(now_parts)) AS now,
                        if(empty(before_parts), 0, arrayAvg(before_parts)) AS before,
                        if(length(now_parts) < 2, 0, arrayReduce('varSamp', now_parts) / length(now_parts)) AS now_var,
                        if(length(before_parts) < 2, 0, arrayReduce('varSamp', before_parts) / length(before_parts))
                            AS before_var
                    FROM (
                        SELECT label, kind, if(kind = 'value', known, '') AS text, count() AS texts,
                            sum(series_of) AS series, any(labels_known_of) AS labels_known,
                            sumForEach(xs_of) AS xs, sumForEach(ns_of) AS ns,
                            arraySum(arraySlice(ns, {PARTS + 1}, {PARTS})) > 0 AS has_now,
                            arraySum(arraySlice(ns, 1, {PARTS})) > 0 AS has_before,
                            arrayMap((x, n) -> {{of_part}}, xs, ns) AS parts
                        FROM (
                            SELECT *, row_number() OVER (PARTITION BY label ORDER BY size DESC, known) AS place,
                                if(known = '', 'absent', if(place > {VALUES_MAX}, 'rest', 'value')) AS kind
                            FROM (
                                SELECT label, row.1[label] AS known, any(labels_known_of) AS labels_known_of,
                                    count() AS series_of, sumForEach(row.2) AS xs_of, sumForEach(row.3) AS ns_of,
                                    arraySum(x -> abs(x), xs_of) AS size
                                FROM (
                                    SELECT arrayJoin(rows) AS row,
                                        arraySlice(arraySort(found), 1, {FIELDS_MAX}) AS names,
                                        length(names) AS labels_known_of
                                    FROM (
                                        SELECT groupArray((named, x, n)) AS rows,
                                            groupUniqArrayArray(mapKeys(named)) AS found
                                        FROM (
                                            SELECT if(dropped = 1, mapFilter((k, v) -> k != '__name__', labels), labels)
                                                    AS named,
                                                arrayMap(b -> arraySum(v -> if(isFinite(ifNull(v, nan)),
                                                    assumeNotNull(v), 0), {{part}}), range({2 * PARTS})) AS x,
                                                arrayMap(b -> toFloat64(arrayCount(v -> isFinite(ifNull(v, nan)),
                                                    {{part}})), range({2 * PARTS})) AS n
                                            FROM ({{vector}})
                                            WHERE arraySum(n) > 0
                                        )
                                    )
                                )
                                ARRAY JOIN arrayConcat([''], names) AS label
                                GROUP BY label, known
                            )
                        )
                        GROUP BY label, kind, text
                    )
                )
                WINDOW whole AS (PARTITION BY label)
            )
        )
    )
    GROUP BY label
)
WHERE label = '' OR (deviations >= {DEVIATIONS_LEAST} AND score > 0 AND notEmpty(shown))
ORDER BY label != '', round(score, 3) DESC, distinct, label LIMIT {{limit}} + 1"""
