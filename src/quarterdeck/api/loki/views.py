"""One function for each address. Errors are text, as Loki's are."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from quarterdeck.access.actors import WITH_BASIC
from quarterdeck.api.auth import identify
from quarterdeck.api.loki.asked import HOUR_NS, NS, failure, is_forward, length_ns, limit, moment_ns, time_range
from quarterdeck.api.prometheus.parameters import text, texts
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, OpsError
from quarterdeck.logs.logql import answering
from quarterdeck.logs.logql.answering import Series
from quarterdeck.logs.logql.meeting import Grid

_MS = 1_000_000
# What Grafana reads to know which parts of the API there are.
COMPATIBLE_VERSION = "3.0.0"

Answer = Callable[..., Any]


def _view(answer: Answer) -> Callable[..., HttpResponse]:
    """Make a view of a function that returns what is written as JSON."""

    @wraps(answer)
    def view(request: HttpRequest, **named: str) -> HttpResponse:
        try:
            body = orjson.dumps(answer(request, identify(request, WITH_BASIC), **named))
        except OpsError as error:
            return failure(error)
        response = HttpResponse(body, content_type="application/json")
        response["Cache-Control"] = "no-store"
        return response

    return csrf_exempt(require_http_methods(["GET", "POST", "HEAD"])(view))


def _success(data: Any) -> dict[str, Any]:
    return {"status": "success", "data": data}


def _lines(request: HttpRequest, actor: Actor, after: int, until: int) -> dict[str, Any]:
    asked = {"limit": limit(request), "forward": is_forward(request)}
    found = answering.lines(actor, text(request, "query"), after, until, **asked)  # type: ignore[arg-type]
    rows = [{"stream": one.labels, "values": [[str(ts), line] for ts, line in one.values]} for one in found]
    return _success({"resultType": "streams", "result": rows, "stats": {}})


def _number(value: float) -> str:
    if math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"


def _points(one: Series) -> list[list[Any]]:
    return [[t / 1000, _number(value)] for t, value in one.values]


def query_range_(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    after, until = time_range(request)
    if answering.is_of_lines(text(request, "query")):
        return _lines(request, actor, after, until)
    step = length_ns(request, "step", max(NS, (until - after) // 250 // NS * NS)) // _MS
    if step < 1:
        raise BadInput(_("zero or negative query resolution step widths are not accepted"), field="step")
    found = answering.numbers(actor, text(request, "query"), Grid((after + 1) // _MS, until // _MS, step))
    rows = [{"metric": one.labels, "values": _points(one)} for one in found]
    return _success({"resultType": "matrix", "result": rows, "stats": {}})


def query_(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """At one time; lines are those of the hour before it."""
    at = moment_ns(request, "time", round(now().timestamp() * NS))
    if answering.is_of_lines(text(request, "query")):
        return _lines(request, actor, at - HOUR_NS, at)
    found = answering.numbers(actor, text(request, "query"), Grid(at // _MS, at // _MS, 1000))
    rows = [{"metric": one.labels, "value": _points(one)[0]} for one in found]
    return _success({"resultType": "vector", "result": rows, "stats": {}})


def labels_(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    return _success(answering.label_names(actor, *time_range(request), text(request, "query")))


def label_values_(request: HttpRequest, actor: Actor, name: str) -> dict[str, Any]:
    return _success(answering.label_values(actor, name, *time_range(request), text(request, "query")))


def series_(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    return _success(answering.series(actor, texts(request, "match[]") or texts(request, "match"), *time_range(request)))


def stats_(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    streams, entries, size = answering.volume(actor, text(request, "query"), *time_range(request))
    return {"streams": streams, "chunks": 0, "entries": entries, "bytes": size}


def buildinfo_(_request: HttpRequest, _actor: Actor) -> dict[str, Any]:
    return {
        "version": COMPATIBLE_VERSION,
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }


def ready(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ready\n", content_type="text/plain")


query, query_range = _view(query_), _view(query_range_)
labels, label_values, series = _view(labels_), _view(label_values_), _view(series_)
stats, buildinfo = _view(stats_), _view(buildinfo_)
