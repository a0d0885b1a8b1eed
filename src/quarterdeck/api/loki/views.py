"""One function for each address. Errors are text, as Loki's are."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from quarterdeck.access.actors import WITH_BASIC
from quarterdeck.api.auth import identify
from quarterdeck.api.prometheus.parameters import text, texts
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, BadQuery, OpsError, TooMany, Unauthenticated
from quarterdeck.logs.logql import answering
from quarterdeck.logs.logql.answering import Series
from quarterdeck.logs.logql.meeting import Grid
from quarterdeck.logs.logql.parsing import duration_ns

_NS, _MS = 1_000_000_000, 1_000_000
_LAST_NS = (2**32 - 1) * _NS
_HOUR_NS = 3600 * _NS
_LIMIT_USUAL = 100
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
            return _failure(error)
        response = HttpResponse(body, content_type="application/json")
        response["Cache-Control"] = "no-store"
        return response

    return csrf_exempt(require_http_methods(["GET", "POST", "HEAD"])(view))


def _failure(error: OpsError) -> HttpResponse:
    status = 400 if isinstance(error, BadInput | BadQuery) else error.status
    said = f"{error.message} ({error.hint})" if error.hint else str(error.message)
    response = HttpResponse(said, status=status, content_type="text/plain; charset=utf-8")
    if isinstance(error, TooMany):
        response["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, Unauthenticated):
        response["WWW-Authenticate"] = 'Bearer realm="quarterdeck"'
    return response


def _moment_ns(request: HttpRequest, name: str, usual: int) -> int:
    """Return a time: Unix nanoseconds, Unix seconds with a fraction or of ten digits, or RFC 3339."""
    given = text(request, name)
    if not given:
        return usual
    if re.fullmatch(r"\d{11,19}", given):
        return min(int(given), _LAST_NS)
    try:
        seconds = float(given)
    except ValueError:
        try:
            seconds = datetime.fromisoformat(given).timestamp()
        except (ValueError, OverflowError):
            raise _wrong(name, given) from None
    if not math.isfinite(seconds):
        raise _wrong(name, given)
    return max(0, min(round(seconds * _NS), _LAST_NS))


def _length_ns(request: HttpRequest, name: str, usual: int) -> int:
    """Return a length of time: seconds, or `1h30m`."""
    given = text(request, name)
    if not given:
        return usual
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", given):
        return round(float(given) * _NS)
    if not re.fullmatch(r"(\d{1,9}(\.\d{1,9})?(ns|us|µs|ms|s|m|h|d|w|y))+", given):
        raise _wrong(name, given)
    return duration_ns(given)


def _wrong(name: str, given: str) -> BadInput:
    return BadInput(f'could not parse "{name}" parameter: "{given[:60]}"', field=name)


def _range(request: HttpRequest) -> tuple[int, int]:
    until = _moment_ns(request, "end", round(now().timestamp() * _NS))
    after = _moment_ns(request, "start", until - _length_ns(request, "since", _HOUR_NS))
    if after > until:
        raise BadInput(_("end timestamp must not be before start time"), field="end")
    # A start belongs to the time that is asked for.
    return after - 1, until


def _limit(request: HttpRequest) -> int:
    given = text(request, "limit", str(_LIMIT_USUAL))
    if not re.fullmatch(r"\d{1,9}", given) or not int(given):
        raise _wrong("limit", given)
    return int(given)


def _is_forward(request: HttpRequest) -> bool:
    given = text(request, "direction", "backward").lower()
    if given not in ("forward", "backward"):
        raise _wrong("direction", given)
    return given == "forward"


def _success(data: Any) -> dict[str, Any]:
    return {"status": "success", "data": data}


def _lines(request: HttpRequest, actor: Actor, after: int, until: int) -> dict[str, Any]:
    asked = {"limit": _limit(request), "forward": _is_forward(request)}
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
    after, until = _range(request)
    if answering.is_of_lines(text(request, "query")):
        return _lines(request, actor, after, until)
    step = _length_ns(request, "step", max(_NS, (until - after) // 250 // _NS * _NS)) // _MS
    if step < 1:
        raise BadInput(_("zero or negative query resolution step widths are not accepted"), field="step")
    found = answering.numbers(actor, text(request, "query"), Grid((after + 1) // _MS, until // _MS, step))
    rows = [{"metric": one.labels, "values": _points(one)} for one in found]
    return _success({"resultType": "matrix", "result": rows, "stats": {}})


def query_(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """At one time; lines are those of the hour before it."""
    at = _moment_ns(request, "time", round(now().timestamp() * _NS))
    if answering.is_of_lines(text(request, "query")):
        return _lines(request, actor, at - _HOUR_NS, at)
    found = answering.numbers(actor, text(request, "query"), Grid(at // _MS, at // _MS, 1000))
    rows = [{"metric": one.labels, "value": _points(one)[0]} for one in found]
    return _success({"resultType": "vector", "result": rows, "stats": {}})


def labels_(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    return _success(answering.label_names(actor, *_range(request), text(request, "query")))


def label_values_(request: HttpRequest, actor: Actor, name: str) -> dict[str, Any]:
    return _success(answering.label_values(actor, name, *_range(request), text(request, "query")))


def series_(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    return _success(answering.series(actor, texts(request, "match[]") or texts(request, "match"), *_range(request)))


def stats_(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    streams, entries, size = answering.volume(actor, text(request, "query"), *_range(request))
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
