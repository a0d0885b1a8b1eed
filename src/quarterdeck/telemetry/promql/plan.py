"""What the nodes of an expression are lowered to, and the grid of steps that their values stand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

# The look-back of an instant selector: a series without a sample for so long has ended.
# See https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness
LOOKBACK_MS = 300_000
# The resolution of a subquery that names none: Prometheus' default evaluation interval.
SUBQUERY_STEP_MS = 60_000

NO_LABELS = "CAST(map(), 'Map(String, String)')"


@dataclass(frozen=True, slots=True)
class Grid:
    """The times `start_ms + k * step_ms` for k in [0, points), Unix time in milliseconds."""

    start_ms: int
    step_ms: int
    points: int

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.step_ms * (self.points - 1)

    @property
    def seconds_sql(self) -> str:
        """An expression of the times in seconds: Array(Float64)."""
        times = f"arrayMap(k -> {self.start_ms} + k * {self.step_ms}, range({self.points}))"
        return f"arrayMap(t -> t / 1000, {times})"

    def shifted(self, by_ms: int) -> Grid:
        return replace(self, start_ms=self.start_ms + by_ms)

    def parameters(self, window_ms: int) -> str:
        """The parameters of the engine's functions `timeSeries...ToGrid`: (start, end, step, window)."""
        step = 0 if self.points == 1 else self.step_ms
        return f"{moment(self.start_ms)}, {moment(self.end_ms)}, {_seconds(step)}, {_seconds(window_ms)}"


def moment(ms: int) -> str:
    return f"fromUnixTimestamp64Milli(toInt64({ms}), 'UTC')"


def _seconds(ms: int) -> str:
    return f"toDecimal64({ms // 1000}.{ms % 1000:03d}, 3)"


@dataclass(frozen=True, slots=True)
class Vector:
    """A SELECT of rows `(labels Map(String, String), dropped UInt8, vs Array(Nullable(Float64)))`.

    `labels` are in order of name, `__name__` among them; `dropped` says that the name goes before the answer is given
    (Prometheus' "delayed name removal"). `vs` has a value or NULL for each step of the grid.
    `is_single` says that no two rows have the same labels, whether their names go or stay.
    """

    sql: str
    is_single: bool = False


@dataclass(frozen=True, slots=True)
class Scalar:
    """An expression of type Array(Float64): a value for each step of the grid."""

    sql: str


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(slots=True)
class Parameters:
    """Values that the query brings; they reach the engine as query parameters, never as SQL."""

    values: dict[str, Any] = field(default_factory=dict)
    # What the operators between vectors cost so far: an arithmetic one 2, a set operator 1.
    joined: int = 0
    # The longest time whose samples a selector reads.
    span_ms: int = 0

    def text(self, value: str) -> str:
        return self.add(value, "String")

    def texts(self, values: list[str]) -> str:
        return self.add(values, "Array(String)")

    def add(self, value: Any, type_name: str) -> str:
        """Return the place of a value of the engine's type."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{type_name}}}"


@dataclass(frozen=True, slots=True)
class Scope:
    """What the asker may read. `owners` None is everything; otherwise series of these items and senders only.

    `names` are those of items that have series of their own: `{item id: name}`; they become the label `item`.
    `senders()` tells the names of the items that senders are bound to, `{sender key: name}`: a matcher of `item` picks
    what they sent, too, whose labels stay as they were sent.
    """

    owners: tuple[int, ...] | None = None
    names: tuple[tuple[int, str], ...] = ()
    senders: Callable[[], tuple[tuple[int, str], ...]] = tuple


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Where a node is evaluated: on `grid`, within a query from `start_ms` to `end_ms` (`start()`, `end()`).

    `at_once` says that the samples of all series may be in memory together: faster, for what is small enough.
    """

    grid: Grid
    start_ms: int
    end_ms: int
    step_ms: int
    scope: Scope
    parameters: Parameters
    lower: Callable[[Any, Evaluation], Any]
    at_once: bool = False

    def on(self, grid: Grid) -> Evaluation:
        return replace(self, grid=grid)


def number(value: float) -> str:
    """Return a Float64 literal."""
    if value != value:
        return "nan"
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "(-inf)"
    return f"({value!r})" if value < 0 else repr(value)


def constant(value: float, grid: Grid) -> Scalar:
    return Scalar(f"arrayWithConstant({grid.points}, toFloat64({number(value)}))")


Expression: TypeAlias = Callable[..., str]


def mapped(vector: Vector, expression: Expression, *scalars: Scalar, keeps_name: bool = False) -> Vector:
    """Apply `expression(x, s0, s1 ...)`, SQL of a Float64 or NULL, to each value and the scalars of its step."""
    names = [f"s{index}" for index in range(len(scalars))]
    value = expression("assumeNotNull(v)", *names)
    arguments = ", ".join(["vs", *(scalar.sql for scalar in scalars)])
    function = f"({', '.join(['v', *names])}) -> if(isNull(v), NULL, {value})"
    dropped = "dropped" if keeps_name else "toUInt8(1)"
    return Vector(
        f"SELECT labels, {dropped} AS dropped,"
        f" CAST(arrayMap({function}, {arguments}), 'Array(Nullable(Float64))') AS vs FROM ({vector.sql})",
        vector.is_single,
    )


def combined(expression: Expression, *scalars: Scalar) -> Scalar:
    """Apply `expression(s0, s1 ...)` to the scalars of each step."""
    names = [f"s{index}" for index in range(len(scalars))]
    function = f"({', '.join(names)}) -> toFloat64({expression(*names)})"
    return Scalar(f"arrayMap({function}, {', '.join(scalar.sql for scalar in scalars)})")


SAME_LABELS = "vector cannot contain metrics with the same labelset"


# Of `rows`, the arrays of one series, their values as one array. Nearly always there is one row: aggregating each step
# of each series would take three times the memory.
MERGED = "if(length(rows) = 1, rows[1], arrayReduce('anyForEach', rows))"
IS_UNIQUE = (
    f"NOT throwIf(length(rows) > 1 AND arrayExists(c -> c > 1, arrayReduce('countForEach', rows)), '{SAME_LABELS}')"
)


def unique(vector: Vector) -> Vector:
    """Join rows that became the same series, as long as no step has two values."""
    return Vector(
        f"SELECT labels, flag AS dropped, {MERGED} AS vs FROM ("
        "SELECT labels, max(dropped) AS flag, groupArray(vs) AS rows"
        f" FROM ({vector.sql}) GROUP BY labels) WHERE {IS_UNIQUE}"
    )


def folded(points: int, value: str = "v") -> str:
    """Return the aggregate that makes rows `(k, v)` an array over the grid, NULL where there is no row."""
    default = "(toUInt8(0), toFloat64(0))"
    inserted = f"groupArrayInsertAt({default}, {points})((toUInt8(1), toFloat64({value})), toUInt32(k))"
    return f"CAST(arrayMap(p -> if(p.1 = 1, p.2, NULL), {inserted}), 'Array(Nullable(Float64))')"
