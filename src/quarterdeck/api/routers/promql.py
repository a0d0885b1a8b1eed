"""PromQL for `qd query` and scripts of our own. Prometheus' clients have their API under /prometheus/."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from django.http import HttpRequest
from ninja import Query, Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.prometheus import answers
from quarterdeck.api.shapes import Line, UrlQuery, moment
from quarterdeck.api.times import at_time
from quarterdeck.core.clock import now
from quarterdeck.monitoring import prometheus
from quarterdeck.telemetry.differing import Difference, Share
from quarterdeck.telemetry.turns import turns

router = Router()
# About as many as a chart of usual width has columns.
_USUAL_POINTS = 240


class PromqlAnswer(Schema):
    """As `data` of Prometheus' HTTP API: values are text, times Unix seconds."""

    resultType: Literal["vector", "matrix", "scalar", "string"]  # noqa: N815 - Prometheus' own name
    result: list[Any]


class LabelShareRow(TypedDict):
    """A label's value: what its series make together in both windows, and which share of the whole that is (0 to 1).

    `kind` is value, rest (values that are not told apart) or absent (series without the label). `deviations` is the
    difference of the shares in standard deviations; `query` is the expression of the value's series, "" for the rest.
    """

    kind: str
    value: str
    now: float
    before: float
    now_share: float
    before_share: float
    is_new: bool
    is_gone: bool
    deviations: float
    query: str


class LabelDifferenceRow(TypedDict):
    """A label. `score`, 0 to 1, is how different the shares of its values are: their Jensen-Shannon divergence.

    It has `distinct` values; `rest` of them are not told apart.
    """

    label: str
    score: float
    deviations: float
    distinct: int
    rest: int
    values: list[LabelShareRow]


class MetricChangesRow(Schema):
    """How [`since`, `until`) differs from [`before_since`, `since`): by label, most different first.

    `now` and `before` are the means of what all `series` make together, null where there are no samples; `combine` is
    how: sum, mean, or count of series. `compared` labels were compared.
    """

    before_since: str
    since: str
    until: str
    combine: Literal["sum", "mean", "count"]
    unit: str
    now: float | None
    before: float | None
    series: int
    compared: int
    labels: list[LabelDifferenceRow]


def _step_ms(text: str, seconds: float, at: datetime) -> int:
    """Return the step that is asked for, or one that makes a chart of usual width."""
    if text:
        return round((at - at_time(text, "step", at)).total_seconds() * 1000)
    return max(1, round(seconds / _USUAL_POINTS)) * 1000


@router.get("/promql", response=PromqlAnswer)
def query(
    request: HttpRequest,
    query: Annotated[UrlQuery, Query(min_length=1)],
    at: Line = "",
    since: Line = "",
    step: Line = "",
) -> dict[str, Any]:
    """Answer a PromQL query at one time, or, with `since`, at each `step` from then until now."""
    actor, end = identify(request), now()
    if since:
        start = at_time(since, "since", end)
        start_ms, end_ms = (round(time.timestamp() * 1000) for time in (start, end))
        step_ms = _step_ms(step, (end - start).total_seconds(), end)
        ask = prometheus.over_range(actor, query, start_ms, end_ms, step_ms)
    else:
        time = at_time(at, "at", end) if at else end
        ask = prometheus.instant(actor, query, round(time.timestamp() * 1000))
    with turns.place(ask.caller):
        found = ask.answer()
    return {"resultType": found.kind, "result": orjson.loads(answers.result(found))}


@router.get("/promql/changed", response=MetricChangesRow)
def changed(
    request: HttpRequest,
    query: Annotated[UrlQuery, Query(min_length=1)],
    since: Line = "1h",
    until: Line = "",
    combine: Literal["", "sum", "mean", "count"] = "",
    limit: Annotated[int, Query(20, ge=1, le=50)] = 20,
) -> dict[str, Any]:
    """Compare the series of a query with those of the same length of time before: which labels' values differ most.

    Of an aggregation around the series, those that it combines are compared. `combine` is what a value's series make
    together; by default what suits the query. A share that differs by less than a twentieth, or that may well be chance
    (3 deviations of the means of eight parts of each time), is not told.
    """
    actor, at = identify(request), now()
    start, end = at_time(since, "since", at), at_time(until, "until", at) if until else at
    ask = prometheus.changed(actor, query, start, end, combine=combine, limit=limit)
    with turns.place(ask.caller):
        found = ask.answer()
    return {
        "before_since": moment(start - (end - start)),
        "since": moment(start),
        "until": moment(end),
        **{name: getattr(found, name) for name in ("combine", "unit", "now", "before", "series", "compared")},
        "labels": [_label(one) for one in found.fields],
    }


def _label(one: Difference) -> dict[str, Any]:
    plain = {name: getattr(one, name) for name in ("score", "deviations", "distinct", "rest")}
    return {"label": one.field, **plain, "values": [_value(share) for share in one.values]}


def _value(one: Share) -> dict[str, Any]:
    return {name: getattr(one, name) for name in LabelShareRow.__annotations__ if name != "value"} | {"value": one.text}
