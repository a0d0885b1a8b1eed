"""Selectors: which series a person means, and their samples."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import re2
from django.utils.translation import gettext as _
from promql_parser import AtModifierType, MatchOp, MatrixSelector, SubqueryExpr, VectorSelector

from quarterdeck.telemetry.canonical import STALE_BITS
from quarterdeck.telemetry.owners import SENDER_BIT
from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.plan import (
    LOOKBACK_MS,
    MERGED,
    SUBQUERY_STEP_MS,
    Evaluation,
    Grid,
    Parameters,
    Scope,
    Vector,
    folded,
    moment,
)

# More steps than this in one subquery answer nobody's question.
SUBQUERY_POINTS_MAX = 200_000
# Samples of a time as short are cheaper to find by their time than by their series.
SHORT_MS_MAX = 3 * 3_600_000
# Series come one after another, and as many as a block has rows are in memory at once: 24 h of 5,000 series at 15 s
# take 0.2 GB so, and 1 GB in blocks of the usual size, for a tenth less time.
_FEW_AT_ONCE = " SETTINGS max_block_size = 128"
# In order of their keys series are read by one thread for each part of the table, of which there may be one: so the
# series are cut in parts by the second half of their ids, which is a hash.
_SHARDS = 2
_EVERY_SHARD = "id.2 >= 0"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REGEX_OPTIONS = re2.Options()
_REGEX_OPTIONS.log_errors = False


def milliseconds(duration: timedelta | None) -> int:
    return 0 if duration is None else round(duration / timedelta(milliseconds=1))


def regex(pattern: str) -> str:
    """Return the pattern that matches whole values. Raises BadExpression for one that RE2 cannot read."""
    try:
        re2.compile(pattern, _REGEX_OPTIONS)
    except re2.error as error:
        raise BadExpression(
            _("invalid regular expression %(pattern)s") % {"pattern": pattern}, field="query"
        ) from error
    return f"^(?s:{pattern})$"


def _label(name: str, scope: Scope, parameters: Parameters) -> str:
    """An expression of a label's value in `series`, "" where there is none."""
    if name == "__name__":
        return "toString(metric_name)"
    value = f"labels[{parameters.text(name)}]"
    if name != "item":
        return value
    bound = _named(scope.senders(), "''", parameters)
    sent = f"if({value} != '', {value}, {bound})"
    return f"if(item < {SENDER_BIT}, {_item_name(scope, parameters)}, {sent})"


def _item_name(scope: Scope, parameters: Parameters) -> str:
    return _named(scope.names, "toString(item)", parameters)


def _named(known: tuple[tuple[int, str], ...], otherwise: str, parameters: Parameters) -> str:
    """An expression of the name of the column `item`, by what is known."""
    if not known:
        return otherwise
    ids = ", ".join(str(id_) for id_, _name in known)
    names = parameters.texts([name for _id, name in known])
    return f"transform(item, [{ids}], {names}, {otherwise})"


def _matches(matcher: Any, scope: Scope, parameters: Parameters) -> str:
    value = _label(matcher.name, scope, parameters)
    if matcher.op in (MatchOp.Equal, MatchOp.NotEqual):
        return f"{value} {'=' if matcher.op == MatchOp.Equal else '!='} {parameters.text(matcher.value)}"
    matched = f"match({value}, {parameters.text(regex(matcher.value))})"
    return matched if matcher.op == MatchOp.Re else f"NOT {matched}"


def condition(selector: Any, scope: Scope, parameters: Parameters) -> str:
    """Return what holds in `series` for those that `selector` means and the asker may read."""
    parts = [] if scope.owners is None else [f"item IN ({', '.join(map(str, scope.owners)) or 'NULL'})"]
    if selector.name:
        parts.append(f"metric_name = {parameters.text(selector.name)}")
    parts += [_matches(matcher, scope, parameters) for matcher in selector.matchers.matchers]
    if selector.matchers.or_matchers:
        groups = [[_matches(one, scope, parameters) for one in group] for group in selector.matchers.or_matchers]
        parts.append("(" + " OR ".join("(" + " AND ".join(group) + ")" for group in groups) + ")")
    return " AND ".join(parts) or "1"


def labels_sql(scope: Scope, parameters: Parameters) -> str:
    """An expression of a series' labels as PromQL has them: its name among them, and the item's of its own metrics."""
    named = "map('__name__', toString(metric_name))"
    # Two items send the same metric with the same labels: what they measure by themselves is told apart by the item.
    own = f"map('__name__', toString(metric_name), 'item', {_item_name(scope, parameters)})"
    kept = "mapFilter((k, v) -> v != '', CAST(labels, 'Map(String, String)'))"
    return f"mapSort(mapUpdate({kept}, if(item < {SENDER_BIT}, {own}, {named})))"


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples in windows that end at the steps of `ends`: `(end - window_ms, end]`, left-open as of Prometheus 3.

    `source` selects `key`, `at` and `v`: a row for each sample, or arrays of one series. `names`, where the key is an
    id, selects `(id, full)`, their labels; `is_single` says that these differ also without `__name__`. `steps` is the
    evaluation's number of steps: more than those of `ends` when `@` makes all of them the same.
    """

    source: str
    key: str
    names: str
    ends: Grid
    steps: int
    window_ms: int
    is_array: bool
    is_single: bool
    at_once: bool

    @property
    def shards(self) -> list[str]:
        """The source in parts of disjoint series, which the engine reads side by side."""
        if self.is_array or self.at_once:
            return [self.source]
        width = 2**64 // _SHARDS
        return [
            self.source.replace(_EVERY_SHARD, f"id.2 BETWEEN {number * width} AND {(number + 1) * width - 1}")
            for number in range(_SHARDS)
        ]

    @property
    def is_fixed(self) -> bool:
        return self.ends.points != self.steps

    def reduced(self, aggregate: str, arguments: str = "at, v", *, drops_name: bool = False) -> Vector:
        """Apply one of the engine's `timeSeries...ToGrid` functions to each series."""
        value = f"{aggregate}({self.ends.parameters(self.window_ms)})({arguments})"
        return self.gathered(f"CAST({value}, 'Array(Nullable(Float64))')", drops_name=drops_name)

    def gathered(self, value: str, *, drops_name: bool = False) -> Vector:
        """Aggregate each series' samples to one array over `ends`, and that over all steps."""
        few = "" if self.at_once else _FEW_AT_ONCE
        per_key = " UNION ALL ".join(
            f"SELECT {self.key}, {value} AS found FROM ({source}) GROUP BY {self.key}{few}" for source in self.shards
        )
        vs = f"arrayResize(found, {self.steps}, found[1])" if self.is_fixed else "found"
        return self._named(per_key, vs, drops_name=drops_name)

    def _named(self, per_key: str, vs: str, *, drops_name: bool = False) -> Vector:
        if not self.names:
            dropped = "toUInt8(1)" if drops_name else "dropped"
            return Vector(f"SELECT labels, {dropped} AS dropped, {vs} AS vs FROM ({per_key})", self.is_single)
        # Senders that give the same labels give the same series.
        rows = (
            f"SELECT full, groupArray({vs}) AS rows FROM ({per_key}) AS points"
            f" INNER JOIN ({self.names}) AS named USING id GROUP BY full"
        )
        dropped = f"toUInt8({int(drops_name)})"
        return Vector(f"SELECT full AS labels, {dropped} AS dropped, {MERGED} AS vs FROM ({rows})", self.is_single)

    def windowed(self, value: str) -> Vector:
        """Compute `value` from `w`, the window's samples as Array(Tuple(ms, value)) in order, and `k`, its step."""
        rows = f"SELECT {self.key}, toUnixTimestamp64Milli(at) AS t, v FROM ({self.flat})"
        per_step = (
            f"SELECT {self.key}, k, arraySort(groupArray((t, v))) AS w FROM ({rows}) ARRAY JOIN {self._steps_of_t} AS k"
            f" GROUP BY {self.key}, k"
        )
        valued = f"SELECT {self.key}, k, {value} AS v FROM ({per_step})"
        # `value` is NULL where a window has too few samples.
        per_key = (
            f"SELECT {self.key}, {folded(self.steps, 'assumeNotNull(v)')} AS found FROM ({valued})"
            f" WHERE isNotNull(v) GROUP BY {self.key}"
        )
        return self._named(per_key, "found")

    @property
    def flat(self) -> str:
        """The source with a row for each sample."""
        if not self.is_array:
            return self.source
        return f"SELECT {self.key}, one.1 AS at, one.2 AS v FROM ({self.source}) ARRAY JOIN arrayZip(at, v) AS one"

    @property
    def _steps_of_t(self) -> str:
        """The numbers of the steps whose window holds a sample of the time `t`."""
        if self.ends.points == 1:
            return f"range({self.steps})"
        start, step = self.ends.start_ms, self.ends.step_ms
        first = f"greatest(0, toInt64(ceil((t - {start}) / {step})))"
        after = f"least({self.ends.points}, toInt64(ceil((t + {self.window_ms} - {start}) / {step})))"
        return f"range({first}, {after})"


def _ends(at: Any, offset: timedelta | None, where: Evaluation) -> Grid:
    """Return the times that a node with `@` and `offset` looks at."""
    shift = -milliseconds(offset)
    if at is None:
        return where.grid.shifted(shift)
    if at.type == AtModifierType.At:
        fixed = round((at.at - _EPOCH) / timedelta(milliseconds=1))
    else:
        fixed = where.start_ms if at.type == AtModifierType.Start else where.end_ms
    return Grid(fixed + shift, 0, 1)


def stored(selector: Any, window_ms: int, where: Evaluation, *, with_stale: bool = False) -> Samples:
    """Return the samples of a selector. The marks of a series' end are no samples, unless `with_stale`."""
    chosen = condition(selector, where.scope, where.parameters)
    ends = _ends(selector.at, selector.offset, where)
    value = "" if with_stale else f" AND reinterpretAsUInt64(value) != {STALE_BITS}"
    span_ms = ends.end_ms - ends.start_ms + window_ms
    where.parameters.span_ms = max(where.parameters.span_ms, span_ms)
    when = f"timestamp > {moment(ends.start_ms - window_ms)} AND timestamp <= {moment(ends.end_ms)}"
    shard = "" if where.at_once else f" AND {_EVERY_SHARD}"
    chosen_ids = f"id IN (SELECT id FROM series WHERE {chosen}{shard})"
    found = f"PREWHERE {when} WHERE {chosen_ids}" if span_ms <= SHORT_MS_MAX else f"WHERE {chosen_ids} AND {when}"
    source = f"SELECT id, timestamp AS at, value AS v FROM samples {found}{value}"
    full = labels_sql(where.scope, where.parameters)
    names = f"SELECT id, any({full}) AS full FROM series WHERE {chosen} GROUP BY id"
    return Samples(
        source, "id", names, ends, where.grid.points, window_ms, is_array=False, is_single=_has_one_name(selector),
        at_once=where.at_once,
    )  # fmt: skip


def _has_one_name(selector: Any) -> bool:
    """Whether all series of a selector have the same `__name__`, so that they differ without it, too."""
    fixed = [one for one in selector.matchers.matchers if one.name == "__name__" and one.op == MatchOp.Equal]
    return bool(selector.name or fixed)


def subquery(node: Any, where: Evaluation) -> Samples:
    """Return the values of an expression at the steps of a subquery, which are whole multiples of its resolution."""
    ends, window_ms = _ends(node.at, node.offset, where), milliseconds(node.range)
    step_ms = milliseconds(node.step) or SUBQUERY_STEP_MS
    first = ends.start_ms - window_ms
    start_ms = first // step_ms * step_ms + step_ms
    points = max(0, (ends.end_ms - start_ms) // step_ms + 1)
    if points > SUBQUERY_POINTS_MAX:
        raise BadExpression(
            _("the subquery has %(points)d steps, more than %(max)d") % {"points": points, "max": SUBQUERY_POINTS_MAX},
            hint=_("choose a coarser resolution or a shorter range"),
            field="query",
        )
    grid = Grid(start_ms, step_ms, max(1, points))
    inner = where.lower(node.expr, where.on(grid))
    end_ms = grid.end_ms
    pairs = f"timeSeriesFromGrid({moment(start_ms)}, {moment(end_ms)}, toDecimal64({step_ms / 1000}, 3), vs)"
    vector = inner if isinstance(inner, Vector) else scalar_vector(inner.sql)
    nothing = "" if points else " WHERE 0"
    source = (
        "SELECT labels, dropped, arrayMap(p -> p.1, pairs) AS at, arrayMap(p -> assumeNotNull(p.2), pairs) AS v FROM"
        f" (SELECT labels, dropped, {pairs} AS pairs FROM ({vector.sql}){nothing})"
    )
    return Samples(
        source, "labels, dropped", "", ends, where.grid.points, window_ms, is_array=True, is_single=vector.is_single,
        at_once=where.at_once,
    )  # fmt: skip


def scalar_vector(sql: str) -> Vector:
    """Return the one series without labels that a scalar makes."""
    return Vector(
        "SELECT CAST(map(), 'Map(String, String)') AS labels, toUInt8(0) AS dropped,"
        f" CAST({sql}, 'Array(Nullable(Float64))') AS vs",
        is_single=True,
    )


def samples(node: Any, where: Evaluation) -> Samples:
    """Return the samples of a range selector or subquery."""
    if isinstance(node, SubqueryExpr):
        return subquery(node, where)
    if not isinstance(node, MatrixSelector):
        raise BadExpression(_("a range vector is expected"), field="query")
    return stored(node.vector_selector, milliseconds(node.range), where)


def instant(selector: VectorSelector, where: Evaluation) -> Vector:
    """Return the newest value of each series at each step, unless it ended before."""
    found = stored(selector, LOOKBACK_MS, where, with_stale=True)
    values = f"timeSeriesLastToGrid({found.ends.parameters(LOOKBACK_MS)})(at, v)"
    ended = f"isNotNull(v) AND reinterpretAsUInt64(assumeNotNull(v)) = {STALE_BITS}"
    alive = f"arrayMap(v -> if({ended}, NULL, v), {values})"
    return found.gathered(f"CAST({alive}, 'Array(Nullable(Float64))')")


def instant_times(selector: VectorSelector, where: Evaluation) -> Vector:
    """As `instant`, with the time of the sample, in seconds, for its value."""
    found = stored(selector, LOOKBACK_MS, where, with_stale=True)
    parameters = found.ends.parameters(LOOKBACK_MS)
    values = f"timeSeriesLastToGrid({parameters})(at, v)"
    times = f"timeSeriesLastToGrid({parameters})(at, toFloat64(toUnixTimestamp64Milli(at)))"
    alive = f"isNotNull(v) AND reinterpretAsUInt64(assumeNotNull(v)) != {STALE_BITS}"
    kept = f"arrayMap((v, t) -> if({alive}, t / 1000, NULL), {values}, {times})"
    return found.gathered(f"CAST({kept}, 'Array(Nullable(Float64))')")
