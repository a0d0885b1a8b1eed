"""How items are doing: their metrics as series for charts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.routers.items import find
from quarterdeck.api.shapes import Id, Line, moment
from quarterdeck.api.times import at_time
from quarterdeck.core.clock import now
from quarterdeck.telemetry import queries

router = Router()
# About as many as a chart of usual width has columns.
_USUAL_POINTS = 360


class MetricRow(TypedDict):
    """A metric of an item; `labels` are the names that tell its series apart."""

    metric: str
    unit: str
    is_counter: bool
    labels: list[str]
    series: int
    last_seen: str


class LatestRow(TypedDict):
    """The newest value of one series."""

    metric: str
    labels: dict[str, str]
    value: float
    at: str


class LatestValues(Schema):
    items: list[LatestRow]


class Metrics(Schema):
    items: list[MetricRow]


class SeriesRow(Schema):
    """`values[i]` belongs to the time `start + i * step_seconds`; null where there is no sample."""

    labels: dict[str, str]
    values: list[float | None]


class ChartRow(Schema):
    """One metric of one item. `unit` is that of the values, per second when `is_rate`."""

    metric: str
    unit: str
    is_rate: bool
    start: str
    step_seconds: int
    resolution: str
    series: list[SeriesRow] = Field(default_factory=list)


def _step(since: datetime, until: datetime) -> int:
    """Return the step of a chart that does not name one: whole multiples of the ten seconds between samples."""
    seconds = (until - since).total_seconds() / _USUAL_POINTS
    return max(10, -(-int(seconds) // 10) * 10)


@router.get("/items/{int:item_id}/metrics", response=Metrics)
def list_(request: HttpRequest, item_id: Id) -> dict[str, Any]:
    """List the metrics that an item has."""
    actor = identify(request)
    found = queries.metrics_of(actor, find(actor, item_id))
    return {
        "items": [
            {
                "metric": metric.name,
                "unit": metric.unit,
                "is_counter": metric.is_counter,
                "labels": list(metric.labels),
                "series": metric.series,
                "last_seen": moment(metric.last_seen),
            }
            for metric in found
        ]
    }


@router.get("/items/{int:item_id}/latest", response=LatestValues)
def latest(request: HttpRequest, item_id: Id, metrics: Annotated[str, Query(max_length=4000)]) -> dict[str, Any]:
    """Answer the newest values of metrics, comma separated; series that are silent for minutes are left out."""
    actor = identify(request)
    item = find(actor, item_id)
    names = [name.strip() for name in metrics.split(",") if name.strip()]
    found = queries.latest(actor, [item], names).get(item.pk, {})
    return {
        "items": [
            {"metric": name, "labels": value.labels, "value": value.value, "at": moment(value.at)}
            for name, values in found.items()
            for value in values
        ]
    }


@router.get("/items/{int:item_id}/chart", response=ChartRow)
def chart(
    request: HttpRequest,
    item_id: Id,
    metric: Line,
    since: Line = "1h",
    until: Line = "",
    step_seconds: Annotated[int | None, Query(None, ge=1, le=31_536_000)] = None,
    by: Annotated[Line | None, Query(None, description="Labels that tell series apart; empty adds all up.")] = None,
    aggregate: Literal["sum", "avg", "min", "max"] = "sum",
) -> dict[str, Any]:
    """Answer the series of one metric of an item. `since` and `until` are 30m, 6h, 7d ago or ISO 8601."""
    actor, at = identify(request), now()
    start, end = at_time(since, "since", at), at_time(until, "until", at) if until else at
    groups = None if by is None else [label.strip() for label in by.split(",") if label.strip()]
    step = step_seconds or _step(start, end)
    found = queries.chart(actor, find(actor, item_id), metric, start, end, step, groups, aggregate=aggregate)
    return {
        "metric": found.metric,
        "unit": found.unit,
        "is_rate": found.is_rate,
        "start": moment(found.start),
        "step_seconds": found.step_seconds,
        "resolution": found.resolution,
        "series": [{"labels": series.labels, "values": series.values} for series in found.series],
    }
