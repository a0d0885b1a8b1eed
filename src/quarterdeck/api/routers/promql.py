"""PromQL for `qd query` and scripts of our own. Prometheus' clients have their API under /prometheus/."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from django.http import HttpRequest
from ninja import Query, Router, Schema

from quarterdeck.api.auth import identify
from quarterdeck.api.prometheus import answers
from quarterdeck.api.shapes import Line, UrlQuery
from quarterdeck.api.times import at_time
from quarterdeck.core.clock import now
from quarterdeck.monitoring import prometheus
from quarterdeck.telemetry.turns import turns

router = Router()
# About as many as a chart of usual width has columns.
_USUAL_POINTS = 240


class PromqlAnswer(Schema):
    """As `data` of Prometheus' HTTP API: values are text, times Unix seconds."""

    resultType: Literal["vector", "matrix", "scalar", "string"]  # noqa: N815 - Prometheus' own name
    result: list[Any]


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
    actor, moment = identify(request), now()
    if since:
        start = at_time(since, "since", moment)
        start_ms, end_ms = (round(time.timestamp() * 1000) for time in (start, moment))
        step_ms = _step_ms(step, (moment - start).total_seconds(), moment)
        ask = prometheus.over_range(actor, query, start_ms, end_ms, step_ms)
    else:
        time = at_time(at, "at", moment) if at else moment
        ask = prometheus.instant(actor, query, round(time.timestamp() * 1000))
    with turns.place(ask.caller):
        found = ask.answer()
    return {"resultType": found.kind, "result": orjson.loads(answers.result(found))}
