"""A chart's series, with their points on one grid, computed in the engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from django.conf import settings
from django.db.models import Model
from django.utils.translation import gettext as _

from quarterdeck.access.checks import require
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput
from quarterdeck.telemetry import client
from quarterdeck.telemetry.owners import owners_of
from quarterdeck.telemetry.samples import is_counter, unit_of

# As in Prometheus: more points than any screen has only cost memory.
POINTS_MAX = 11_000
# Two samples of a counter further apart than this are not joined: what happened between them is not known.
STALE_SECONDS = 300
Aggregate = Literal["sum", "avg", "min", "max"]


@dataclass(frozen=True, slots=True)
class Series:
    """`values[i]` belongs to the chart's time `start + i * step_seconds`; None where there is no sample."""

    labels: dict[str, str]
    values: list[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """`resolution` is what was read: "raw", "5m" or "1h". `unit` is that of the values, per second when `is_rate`."""

    metric: str
    unit: str
    is_rate: bool
    start: datetime
    step_seconds: int
    resolution: str
    series: list[Series]


@dataclass(frozen=True, slots=True)
class Grid:
    """Times of points: `start + i * step`, Unix time in seconds."""

    start: int
    step: int
    points: int

    @property
    def end(self) -> int:
        return self.start + self.step * self.points


def chart(
    actor: Actor,
    item: Model,
    metric: str,
    since: datetime,
    until: datetime,
    step_seconds: int,
    group_by: Sequence[str] | None = None,
    rate: bool | None = None,
    *,
    aggregate: Aggregate = "sum",
) -> Chart:
    """Return the series of one metric of one item from `since` (inclusive) to `until` (exclusive).

    A point is the mean of the samples in its step; of a counter (`rate`, by default for names in `_total`) the growth
    per second, where a restart from zero counts as such. `group_by` None keeps every series; otherwise the series with
    the same values of these labels are combined by `aggregate`, () combines all. Raises Denied, BadInput, Unavailable.
    """
    require(actor, "telemetry.query", [item])
    if aggregate not in get_args(Aggregate):
        raise BadInput(
            _('unknown aggregate "%(name)s"') % {"name": aggregate},
            hint=_("one of %(names)s") % {"names": ", ".join(get_args(Aggregate))},
        )
    grid = grid_of(since, until, step_seconds)
    is_rate = is_counter(metric) if rate is None else rate
    resolution = _resolution(grid)
    sql = _statement(grid, _PER_SERIES[resolution, is_rate], group_by, aggregate)
    parameters = _parameters(grid, resolution, list(owners_of([int(item.pk)])), metric) | {"keys": list(group_by or ())}
    series = [Series(dict(labels), _without_nan(values)) for labels, values in client.query(sql, parameters)]
    return Chart(
        metric, unit_of(metric), is_rate, datetime.fromtimestamp(grid.start, UTC), grid.step, resolution, series
    )


def fleet(
    actor: Actor,
    items: Sequence[Model],
    metric: str,
    since: datetime,
    until: datetime,
    step_seconds: int,
    *,
    aggregate: Aggregate = "avg",
) -> dict[int, list[float | None]]:
    """Return `{item id: values}` of one metric, in one query for any number of items, on the grid that `grid_of` gives.

    Points are as `chart` has them; the series of an item are combined by `aggregate`. Items without a sample are left
    out. Raises Denied, BadInput, Unavailable.
    """
    items = list(items)
    if not items:
        return {}
    require(actor, "telemetry.query", items)
    grid, is_rate = grid_of(since, until, step_seconds), is_counter(metric)
    resolution = _resolution(grid)
    owners = owners_of([int(item.pk) for item in items])
    parameters = _parameters(grid, resolution, list(owners), metric) | {"items": list(owners.values())}
    rows = client.query(_fleet_statement(grid, _PER_SERIES[resolution, is_rate], aggregate), parameters)
    return {int(item): _without_nan(values) for item, values in rows}


def _parameters(grid: Grid, resolution: str, owners: list[int], metric: str) -> dict[str, Any]:
    return {
        "owners": owners,
        "metric": metric,
        "start": grid.start,
        "border": _border(grid, resolution),
        "end": grid.end,
        "step": grid.step,
        "stale": STALE_SECONDS,
    }


def grid_of(since: datetime, until: datetime, step_seconds: int) -> Grid:
    """Align the range to whole steps, so that the same moment falls on the same point at every reload."""
    if step_seconds < 1 or until <= since:
        raise BadInput(
            _("the range is empty"), hint=_("choose an end after the start, and a step of at least one second")
        )
    start = int(since.timestamp()) // step_seconds * step_seconds
    points = math.ceil((until.timestamp() - start) / step_seconds)
    if points > POINTS_MAX:
        raise BadInput(
            _("the chart would have %(found)d points, %(limit)d are allowed") % {"found": points, "limit": POINTS_MAX},
            hint=_("choose a step of at least %(seconds)d seconds")
            % {"seconds": math.ceil((until - since).total_seconds() / POINTS_MAX)},
            field="step_seconds",
        )
    return Grid(start, step_seconds, points)


def _resolution(grid: Grid) -> str:
    """Return the finest table that reaches back far enough and is not finer than the step needs."""
    age_days = (now().timestamp() - grid.start) / 86400
    if grid.step % 3600 == 0 and (age_days > settings.QD["metrics_5m_retention_days"] or grid.step >= 6 * 3600):
        return "1h"
    if grid.step % 300 == 0 or age_days > settings.QD["metrics_retention_days"]:
        return "5m"
    return "raw"


def _border(grid: Grid, resolution: str) -> int:
    """Return the time from which raw samples are read: the last step that the roll-up does not fill."""
    if resolution == "raw":
        return grid.start
    sql = "SELECT toUnixTimestamp(max(done_until)) FROM rollups WHERE target = {target:String}"
    done = int(client.query(sql, {"target": f"samples_{resolution}"})[0][0])
    whole_steps = max(0, done - grid.start) // grid.step
    return min(grid.start + whole_steps * grid.step, grid.end)


def _without_nan(values: Sequence[float]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values]


_IDS = "(SELECT id FROM series WHERE item IN {owners:Array(UInt64)} AND metric_name = {metric:String})"
_SLOT = "intDiv(toUnixTimestamp(timestamp) - {start:Int64}, {step:Int64})"
_RAW_MEAN = f"""
    SELECT id, {_SLOT} AS slot, avg(value) AS v FROM samples
    WHERE id IN {_IDS} AND timestamp >= toDateTime64({{border:Int64}}, 3) AND timestamp < toDateTime64({{end:Int64}}, 3)
        AND isFinite(value)
    GROUP BY id, slot"""
# Growth between neighbours over the time between them, summed per step: gaps and restarts neither add nor take away.
_RAW_RATE = f"""
    SELECT id, {_SLOT} AS slot, sum(grown) / sum(seconds) AS v FROM (
        SELECT id, timestamp,
            value - if(value >= previous, previous, 0) AS grown,
            toFloat64(timestamp) - toFloat64(before) AS seconds
        FROM (
            SELECT id, timestamp, value,
                lagInFrame(value, 1, nan) OVER neighbours AS previous,
                lagInFrame(timestamp, 1, toDateTime64(0, 3, 'UTC')) OVER neighbours AS before
            FROM samples
            WHERE id IN {_IDS} AND timestamp >= toDateTime64({{border:Int64}} - {{stale:Int64}}, 3)
                AND timestamp < toDateTime64({{end:Int64}}, 3) AND isFinite(value)
            WINDOW neighbours AS (PARTITION BY id ORDER BY timestamp ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
        )
        WHERE timestamp >= toDateTime64({{border:Int64}}, 3) AND seconds > 0 AND seconds <= {{stale:Int64}}
    )
    GROUP BY id, slot"""


def _rolled(table: str, value: str, raw: str) -> str:
    """Read `table` up to the border, which is where it is complete, and raw samples behind it."""
    return f"""
    SELECT id, {_SLOT} AS slot, {value} AS v FROM {table}
    WHERE id IN {_IDS} AND timestamp >= toDateTime({{start:Int64}}) AND timestamp < toDateTime({{border:Int64}})
    GROUP BY id, slot
    UNION ALL {raw}"""


_PER_SERIES = {
    ("raw", False): _RAW_MEAN,
    ("raw", True): _RAW_RATE,
    ("5m", False): _rolled("samples_5m", "sum(sum) / sum(count)", _RAW_MEAN),
    ("5m", True): _rolled("samples_5m", "sum(inc) / sum(inc_seconds)", _RAW_RATE),
    ("1h", False): _rolled("samples_1h", "sum(sum) / sum(count)", _RAW_MEAN),
    ("1h", True): _rolled("samples_1h", "sum(inc) / sum(inc_seconds)", _RAW_RATE),
}


def _statement(grid: Grid, per_series: str, group_by: Sequence[str] | None, aggregate: Aggregate) -> str:
    """Join the labels, combine series, and lay the points on the grid: nan where there is none."""
    kept = "labels" if group_by is None else "mapFilter((k, v) -> has({keys:Array(String)}, k), labels)"
    return f"""
    SELECT grouped, groupArrayInsertAt(nan, {grid.points})(v, toUInt32(slot)) FROM (
        SELECT mapSort({kept}) AS grouped, slot, {aggregate}(v) AS v FROM ({per_series}) AS points
        INNER JOIN (
            SELECT id, any(labels) AS labels FROM series
            WHERE item IN {{owners:Array(UInt64)}} AND metric_name = {{metric:String}} GROUP BY id
        ) AS named USING id
        GROUP BY grouped, slot
    ) GROUP BY grouped ORDER BY grouped"""


def _fleet_statement(grid: Grid, per_series: str, aggregate: Aggregate) -> str:
    """As `_statement`, with whose a series is in place of its labels."""
    return f"""
    SELECT whose, groupArrayInsertAt(nan, {grid.points})(v, toUInt32(slot)) FROM (
        SELECT transform(owner, {{owners:Array(UInt64)}}, {{items:Array(UInt64)}}, owner) AS whose,
            slot, {aggregate}(v) AS v
        FROM ({per_series}) AS points
        INNER JOIN (
            SELECT id, any(series.item) AS owner FROM series
            WHERE series.item IN {{owners:Array(UInt64)}} AND metric_name = {{metric:String}} GROUP BY id
        ) AS named USING id
        GROUP BY whose, slot
    ) GROUP BY whose ORDER BY whose"""
