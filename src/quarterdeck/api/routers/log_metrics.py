"""Metrics that are counted from log lines."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Body, Line, moment
from quarterdeck.logs import measuring, metric_actions
from quarterdeck.logs.models import LogMetric

router = Router()
Kind = Literal["count", "distribution"]


class LogMetricRow(TypedDict):
    """A definition. `series` are the names of what is stored; minutes before `evaluated_until` are counted.

    `problem` is why the last evaluation failed.
    """

    name: str
    unit: str
    query: str
    parse: str
    kind: str
    field: str
    labels: list[str]
    series_max: int
    enabled: bool
    series: list[str]
    created_by: str
    evaluated_until: str | None
    problem: str


class LogMetricRows(Schema):
    items: list[LogMetricRow]
    next: str | None


class LogMetricBody(Body):
    """`kind` is count (lines a minute) or distribution (count, sum, min and max of the numbers in `field`).

    The values of the fields `labels` become labels, in at most `series_max` series; what is beyond shares one whose
    labels say "other".
    """

    query: str = Field("", max_length=20_000)
    unit: str = Field("", max_length=40)
    kind: Kind = "count"
    field: str = Field("", max_length=140)
    labels: list[Line] = Field(default_factory=list, max_length=metric_actions.LABELS_MAX)
    parse: str = Field("", max_length=1000)
    series_max: int = Field(100, ge=1, le=metric_actions.SERIES_MAX)
    enabled: bool = True


class BackfillBody(Body):
    hours: int = Field(ge=1, le=measuring.BEHIND_HOURS_MAX)


def _row(metric: LogMetric) -> dict[str, Any]:
    plain = (
        "name",
        "unit",
        "query",
        "parse",
        "kind",
        "field",
        "labels",
        "series_max",
        "series",
        "created_by",
        "problem",
    )
    return {name: getattr(metric, name) for name in plain} | {
        "enabled": metric.is_enabled,
        "evaluated_until": moment(metric.evaluated_until),
    }


@router.get("/logs/metrics", response=LogMetricRows)
def list_(request: HttpRequest) -> dict[str, Any]:
    """List the metrics that are counted from log lines."""
    return {"items": [_row(one) for one in metric_actions.metrics(identify(request))], "next": None}


@router.get("/logs/metrics/{name}", response=LogMetricRow)
def read(request: HttpRequest, name: Line) -> dict[str, Any]:
    """Answer one definition, how far it is evaluated, and what went wrong."""
    return _row(metric_actions.get_metric(identify(request), name))


@router.put("/logs/metrics/{name}", response=LogMetricRow)
def put(request: HttpRequest, name: Line, body: LogMetricBody) -> dict[str, Any]:
    """Make or change a metric; each minute that is over from now on gives its samples."""
    values = body.model_dump(exclude={"enabled"})
    return _row(metric_actions.set_metric(identify(request), name, is_enabled=body.enabled, **values))


@router.delete("/logs/metrics/{name}", response={204: None})
def delete(request: HttpRequest, name: Line) -> Status[None]:
    """Delete a metric. Samples that were written stay as long as others."""
    metric_actions.delete_metric(identify(request), name)
    return Status(204, None)


@router.post("/logs/metrics/{name}/backfill", response=LogMetricRow)
def backfill(request: HttpRequest, name: Line, body: BackfillBody) -> dict[str, Any]:
    """Count the last hours from the lines that are there, from the next minute on; `evaluated_until` tells how far."""
    return _row(metric_actions.backfill_metric(identify(request), name, body.hours))
