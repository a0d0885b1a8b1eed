"""Asking the engine, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import orjson
import promql_parser as ast
from clickhouse_connect.driver.exceptions import DatabaseError
from django.utils.translation import gettext as _

from quarterdeck.telemetry import client
from quarterdeck.telemetry.promql import sizes
from quarterdeck.telemetry.promql.errors import ExecutionFailed
from quarterdeck.telemetry.promql.lowering import lower
from quarterdeck.telemetry.promql.parsing import bare, parse
from quarterdeck.telemetry.promql.plan import (
    IS_UNIQUE,
    MERGED,
    SAME_LABELS,
    Evaluation,
    Grid,
    Parameters,
    Scalar,
    Scope,
    Text,
    Vector,
)
from quarterdeck.telemetry.promql.selecting import SHORT_MS_MAX, samples

POINTS_MAX = 11_000
Kind = Literal["vector", "matrix", "scalar", "string"]
# The engine's number of an error that `throwIf` raised.
_THROWN = 395


@dataclass(frozen=True, slots=True)
class Series:
    """`points` is JSON text as the API has it: `[1700000000,"1"],[1700000015,"2"]`, without the brackets around."""

    labels: dict[str, str]
    points: str

    def samples(self) -> list[tuple[float, float]]:
        """Return `[(Unix time in seconds, value), ...]`."""
        return [(at, float(value)) for at, value in orjson.loads(f"[{self.points}]")]


@dataclass(frozen=True, slots=True)
class Answer:
    """`series` holds one of them, without labels, for a scalar; for a string `text` and `at_ms` are all there is."""

    kind: Kind
    series: list[Series]
    at_ms: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Written:
    """A query as a statement of the engine; `text` is the value itself where `kind` is string."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may use up."""

    seconds: int = 30
    memory_bytes: int = 256 << 20
    answer_bytes: int = 64 << 20
    id: str = ""

    def options(self) -> dict[str, Any]:
        return {
            "enable_time_series_aggregate_functions": 1,
            "prefer_column_name_to_alias": 1,
            "join_algorithm": "hash",
            "max_execution_time": self.seconds,
            "timeout_overflow_mode": "throw",
            "max_memory_usage": self.memory_bytes,
            "max_bytes_before_external_group_by": 0,
            "max_bytes_before_external_sort": 0,
            "max_result_bytes": self.answer_bytes,
            "result_overflow_mode": "throw",
            "max_query_size": 4 << 20,
            "max_ast_depth": 20_000,
            "max_parser_depth": 10_000,
            "max_subquery_depth": 1000,
            "max_ast_elements": 1_000_000,
            "max_expanded_ast_elements": 10_000_000,
            "log_comment": self.id,
            "readonly": 2,
        }


def instant(text: str, at_ms: int, scope: Scope, limits: Limits) -> Answer:
    """Evaluate a query at one time. Raises BadExpression, ExecutionFailed, Unavailable."""
    inner = bare(parse(text))
    is_matrix = isinstance(inner, ast.MatrixSelector | ast.SubqueryExpr)
    write = _written_matrix if is_matrix else _written
    written, series = _read(text, partial(write, inner), evaluation(Grid(at_ms, 0, 1), 0, scope), limits)
    if written.kind == "string":
        return Answer("string", [], at_ms, written.text)
    return Answer(written.kind, ordered(inner, series) if written.kind == "vector" else series, at_ms)


def over_range(text: str, start_ms: int, end_ms: int, step_ms: int, scope: Scope, limits: Limits) -> Answer:
    """Evaluate a query at each step from `start_ms` to `end_ms`. Raises as `instant` does."""
    points = (end_ms - start_ms) // step_ms + 1
    where = evaluation(Grid(start_ms, step_ms, points), step_ms, scope, end_ms)
    written, series = _read(text, partial(_written, bare(parse(text))), where, limits)
    if written.kind == "string":
        raise ExecutionFailed(
            _("invalid expression type %(kind)s for range query, must be Scalar or instant Vector")
            % {"kind": '"string"'},
            field="query",
        )
    return Answer("matrix", series, end_ms)


def evaluation(grid: Grid, step_ms: int, scope: Scope, end_ms: int | None = None) -> Evaluation:
    """Return where a query is evaluated that ends at `end_ms`, the end of the grid by default."""
    end = grid.end_ms if end_ms is None else end_ms
    return Evaluation(grid, grid.start_ms, end, step_ms, scope, Parameters(), lower)


def _points(times: str, values: str) -> str:
    """The JSON of points. Python would take a microsecond for each, the engine a tenth of that."""
    one = "concat('[', toString(t / 1000), ',\"', timeSeriesPrometheusValueToString(assumeNotNull(v)), '\"]')"
    return f"arrayStringConcat(arrayMap((t, v) -> {one}, {times}, {values}), ',')"


def _of_vector(vector: Vector, where: Evaluation) -> str:
    grid = where.grid
    named = "if(dropped = 1, mapFilter((k, v) -> k != '__name__', labels), labels)"
    is_there = "arrayExists(v -> isNotNull(v), vs)"
    if vector.is_single:
        return f"SELECT {named} AS named, {_kept_points(grid, 'vs')} FROM ({vector.sql}) WHERE {is_there}"
    renamed = f"SELECT {named} AS named, vs FROM ({vector.sql}) WHERE {is_there}"
    gathered = f"SELECT named, groupArray(vs) AS rows FROM ({renamed}) GROUP BY named"
    merged = f"SELECT named, rows, {MERGED} AS found FROM ({gathered})"
    return f"SELECT named, {_kept_points(grid, 'found')} FROM ({merged}) WHERE {IS_UNIQUE}"


def _kept_points(grid: Grid, values: str) -> str:
    times = f"arrayMap(k -> {grid.start_ms} + k * {grid.step_ms}, range({grid.points}))"
    kept_times = f"arrayFilter((t, v) -> isNotNull(v), {times}, {values})"
    return _points(kept_times, f"arrayFilter(v -> isNotNull(v), {values})")


def _of_scalar(scalar: Scalar, where: Evaluation) -> str:
    grid = where.grid
    times = f"arrayMap(k -> {grid.start_ms} + k * {grid.step_ms}, range({grid.points}))"
    return f"SELECT CAST(map(), 'Map(String, String)') AS named, {_points(times, scalar.sql)}"


def _matrix(node: Any, where: Evaluation) -> str:
    """The samples themselves."""
    found = samples(node, where)
    times = "arrayMap(p -> p.1, pairs)"
    values = "arrayMap(p -> p.2, pairs)"
    pairs = "arraySort(groupUniqArray((toUnixTimestamp64Milli(at), v))) AS pairs"
    per_key = f"SELECT {found.key}, {pairs} FROM ({found.flat}) GROUP BY {found.key}"
    if found.names:
        joined = f"({per_key}) AS points INNER JOIN ({found.names}) AS named USING id"
        per_key = f"SELECT full AS labels, toUInt8(0) AS dropped, pairs FROM {joined}"
    named = "if(dropped = 1, mapFilter((k, v) -> k != '__name__', labels), labels)"
    return f"SELECT {named} AS named, {_points(times, values)} FROM ({per_key})"


def _written_matrix(node: Any, where: Evaluation) -> _Written:
    return _Written("matrix", _matrix(node, where))


def _written(node: Any, where: Evaluation) -> _Written:
    lowered = lower(node, where)
    if isinstance(lowered, Text):
        return _Written("string", lowered.value)
    if isinstance(lowered, Scalar):
        return _Written("scalar", _of_scalar(lowered, where))
    return _Written("vector", _of_vector(lowered, where))


def _read(
    text: str, write: Callable[[Evaluation], _Written], where: Evaluation, limits: Limits
) -> tuple[_Written, list[Series]]:
    """Ask for all series at once where they are few, else for one after another."""
    fast = replace(where, parameters=Parameters(), at_once=True)
    written = write(fast)
    if written.kind == "string":
        return written, []
    if fast.parameters.span_ms <= SHORT_MS_MAX and not sizes.is_large(text):
        try:
            return written, _series(written, fast, replace(limits, memory_bytes=limits.memory_bytes // 2))
        except client.TooHeavy as error:
            if not error.is_memory:
                raise
            sizes.note_large(text)
    written = write(where)
    return written, _series(written, where, limits)


def _series(written: _Written, where: Evaluation, limits: Limits) -> list[Series]:
    rows = rows_of(written.text, where, limits)
    return sorted((Series(dict(labels), points) for labels, points in rows), key=_by_labels)


def rows_of(statement: str, where: Evaluation, limits: Limits) -> list[tuple[Any, ...]]:
    """Ask the engine. Raises ExecutionFailed for what the statement itself refuses, Unavailable."""
    try:
        options = limits.options() | {"optimize_aggregation_in_order": int(not where.at_once)}
        return client.query(statement, where.parameters.values, options=options)
    except DatabaseError as error:
        raise failure_of(error) from error


def failure_of(error: DatabaseError) -> Exception:
    """Return what the statement itself refused as ExecutionFailed; anything else is as it was."""
    if getattr(error, "code", None) != _THROWN:
        return error
    said = client.said(error)
    return ExecutionFailed(said.partition(": ")[0] if said.startswith(SAME_LABELS) else said, field="query")


def _by_labels(series: Series) -> Any:
    return sorted(series.labels.items())


def ordered(node: Any, series: list[Series]) -> list[Series]:
    """Return an instant answer in the order that its outermost function asks for; else in that of the labels."""
    name, arguments = _outermost(node)
    if name in ("sort", "bottomk"):
        return sorted(series, key=lambda one: _number_key(one, 1))
    if name in ("sort_desc", "topk"):
        return sorted(series, key=lambda one: _number_key(one, -1))
    if name in ("sort_by_label", "sort_by_label_desc"):
        names = [bare(argument).val for argument in arguments[1:]]
        is_reversed = name.endswith("_desc")
        return sorted(series, key=lambda one: _label_key(one.labels, names), reverse=is_reversed)
    return series


def _outermost(node: Any) -> tuple[str, Sequence[Any]]:
    if isinstance(node, ast.Call):
        return node.func.name, node.args
    return (str(node.op), ()) if isinstance(node, ast.AggregateExpr) else ("", ())


def _number_key(series: Series, sign: int) -> tuple[bool, float]:
    """NaN comes last either way."""
    value = series.samples()[0][1]
    return (True, 0.0) if value != value else (False, sign * value)


_DIGITS = re.compile(r"(\d+)")


def _label_key(labels: Mapping[str, str], names: Sequence[str]) -> Any:
    """The labels' natural order: 4m5 comes before 4m600. What is equal is told apart by all labels."""
    keys = [_natural(labels.get(name, "")) for name in names]
    return keys, sorted(labels.items())


def _natural(text: str) -> list[tuple[bool, int, str]]:
    parts = _DIGITS.split(text)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part]
