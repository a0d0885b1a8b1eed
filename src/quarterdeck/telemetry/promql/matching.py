"""Operators between two vectors: which series meet. See VectorBinop, VectorAnd and their likes in promql/engine.go."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from promql_parser import LabelModifierType, VectorMatchCardinality

from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.operators import ARITHMETIC, SETS, value_or_nothing
from quarterdeck.telemetry.promql.plan import Parameters, Vector, number, unique

# 16 additions of vectors, which take the engine seconds to plan; 24 take it half a minute.
JOINED_MAX = 32
_DUPLICATES = (
    "found duplicate series for the match group on the {side} hand-side of the operation;"
    "many-to-many matching not allowed: matching labels must be unique on one side"
)
_MANY = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
_NOT_UNIQUE = "multiple matches for labels: grouping labels must ensure unique matches"


def _signature(modifier: Any, parameters: Parameters) -> str:
    """The labels by which series meet, as one text."""
    return f"toString({_matched(modifier, parameters, 'labels')})"


def _matched(modifier: Any, parameters: Parameters, labels: str) -> str:
    matching = modifier.matching if modifier is not None else None
    if matching is not None and matching.type == LabelModifierType.Include:
        kept = f"has({parameters.texts(list(matching.labels))}, k)"
    else:
        kept = f"NOT has({parameters.texts([*(matching.labels if matching else ()), '__name__'])}, k)"
    return f"mapFilter((k, v) -> {kept}, {labels})"


def _signed(vector: Vector, signature: str) -> str:
    return f"SELECT {signature} AS sig, labels, dropped, vs FROM ({vector.sql})"


def count(operator: str, parameters: Parameters) -> None:
    """Bound what the engine has to plan: its time for joins in one another doubles with every few more."""
    parameters.joined += 1 if operator in SETS else 2
    if parameters.joined > JOINED_MAX:
        raise BadExpression(
            _("the query has too many operators between vectors"),
            hint=_("aggregate the series with one selector, such as {__name__=~...}, instead of adding them up"),
            field="query",
        )


def set_operation(
    operator: str, left: Vector, right: Vector, modifier: Any, parameters: Parameters, points: int
) -> Vector:
    """Apply `and`, `or` or `unless`; `modifier` is the parser's, or None."""
    signature = _signature(modifier, parameters)
    if operator == "or":
        return _either(left, right, signature)
    counted = f"SELECT sig, countForEach(vs) AS counts FROM ({_signed(right, signature)}) GROUP BY sig"
    none = f"arrayWithConstant({points}, toUInt64(0))"
    counts = f"if(empty(r.counts), {none}, r.counts)"
    held = "c > 0" if operator == "and" else "c = 0"
    join = "INNER" if operator == "and" else "LEFT"
    vs = f"arrayMap((v, c) -> if({held}, v, NULL), l.vs, {counts})"
    return Vector(
        f"SELECT l.labels AS labels, l.dropped AS dropped, {vs} AS vs"
        f" FROM ({_signed(left, signature)}) AS l {join} JOIN ({counted}) AS r ON l.sig = r.sig"
    )


def _either(left: Vector, right: Vector, signature: str) -> Vector:
    """The left side, and what the right one has where the left has nothing of the same signature."""
    sides = " UNION ALL ".join(
        f"SELECT *, toUInt8({side}) AS side FROM ({_signed(vector, signature)})"
        for side, vector in enumerate((left, right))
    )
    taken = "countForEach(arrayMap(v -> if(side = 0, v, NULL), vs)) OVER (PARTITION BY sig)"
    return Vector(
        "SELECT labels, dropped, if(side = 0, vs, arrayMap((v, c) -> if(c > 0, NULL, v), vs, taken)) AS vs"
        f" FROM (SELECT labels, dropped, side, vs, {taken} AS taken FROM ({sides}))"
    )


def operation(operator: str, left: Vector, right: Vector, modifier: Any, parameters: Parameters, points: int) -> Vector:
    """Apply an arithmetic or comparison operator to the series that meet."""
    card = modifier.card if modifier is not None else VectorMatchCardinality.OneToOne
    is_bool = modifier is not None and modifier.return_bool
    is_right_many = card == VectorMatchCardinality.OneToMany
    many, one = (right, left) if is_right_many else (left, right)
    signature = _signature(modifier, parameters)
    a, b = ("o", "m") if is_right_many else ("m", "o")
    a, b = f"assumeNotNull({a})", f"assumeNotNull({b})"
    value = value_or_nothing(operator, a, b, is_bool=is_bool, kept=a)
    labels = _result_labels(modifier, card, parameters)
    drops = "toUInt8(1)" if operator in ARITHMETIC or is_bool else "m.dropped"
    many_sql, one_sql = _signed(many, signature), _one_side(one, signature, "left" if is_right_many else "right")
    kind, many_vs, one_vs = _filled(modifier, is_right_many, points)
    met = (
        f"SELECT m.sig AS sig, {labels} AS labels, {drops} AS dropped,"
        f" CAST(arrayMap((m, o) -> if(isNull(m) OR isNull(o), NULL, {value}), {many_vs}, {one_vs}),"
        f" 'Array(Nullable(Float64))') AS vs FROM ({many_sql}) AS m {kind} JOIN ({one_sql}) AS o ON m.sig = o.sig"
    )
    return unique(_single(met, card))


def _filled(modifier: Any, is_right_many: bool, points: int) -> tuple[str, str, str]:
    """Return the kind of the join and the values of both sides; `fill` puts a value where a side has none."""
    fills = modifier.fill_values if modifier is not None else None
    pair = (fills.lhs, fills.rhs) if fills is not None else (None, None)
    many, one = (pair[1], pair[0]) if is_right_many else pair
    none = f"CAST(arrayWithConstant({points}, NULL), 'Array(Nullable(Float64))')"
    sides = []
    for name, value in (("m", many), ("o", one)):
        vs = f"if(empty({name}.vs), {none}, {name}.vs)"
        sides.append(vs if value is None else f"arrayMap(x -> ifNull(x, {number(value)}), {vs})")
    kinds = {(False, False): "INNER", (False, True): "LEFT", (True, False): "RIGHT", (True, True): "FULL"}
    return kinds[many is not None, one is not None], sides[0], sides[1]


def _one_side(vector: Vector, signature: str, side: str) -> str:
    counted = (
        "SELECT sig, labels, dropped, vs, countForEach(vs) OVER (PARTITION BY sig) AS counts"
        f" FROM ({_signed(vector, signature)})"
    )
    wrong = f"throwIf(arrayExists(c -> c > 1, counts), '{_DUPLICATES.format(side=side)}')"
    return f"SELECT sig, labels, dropped, vs FROM ({counted}) WHERE NOT {wrong}"


def _single(met: str, card: Any) -> Vector:
    """Check that at each step at most one pair gives a result for its group."""
    is_one = card == VectorMatchCardinality.OneToOne
    group, words = ("sig", _MANY) if is_one else ("sig, labels", _NOT_UNIQUE)
    counted = f"SELECT labels, dropped, vs, countForEach(vs) OVER (PARTITION BY {group}) AS counts FROM ({met})"
    wrong = f"throwIf(arrayExists(c -> c > 1, counts), '{words}')"
    return Vector(f"SELECT labels, dropped, vs FROM ({counted}) WHERE NOT {wrong}")


def _result_labels(modifier: Any, card: Any, parameters: Parameters) -> str:
    """See resultMetric. Labels named by group_left or group_right come from the one side, also when it lacks them."""
    matching = modifier.matching if modifier is not None else None
    # Where `fill` makes up the many side, it has the labels by which the sides meet.
    labels = f"if(empty(m.vs), {_matched(modifier, parameters, 'o.labels')}, m.labels)"
    if card == VectorMatchCardinality.OneToOne and matching is not None:
        names = parameters.texts(list(matching.labels))
        held = f"has({names}, k)" if matching.type == LabelModifierType.Include else f"NOT has({names}, k)"
        labels = f"mapFilter((k, v) -> {held}, {labels})"
    included = list(modifier.group_labels or ()) if modifier is not None else []
    if not included or card == VectorMatchCardinality.OneToOne:
        return labels
    names = parameters.texts(included)
    own = f"mapFilter((k, v) -> NOT has({names}, k), {labels})"
    taken = f"mapFilter((k, v) -> has({names}, k), o.labels)"
    return f"mapSort(mapUpdate({own}, {taken}))"
