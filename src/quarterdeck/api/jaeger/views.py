"""One function for each address; what it returns is the answer's `data`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from quarterdeck.access.actors import WITH_BASIC
from quarterdeck.api.asking import of_tag, quoted
from quarterdeck.api.auth import identify
from quarterdeck.api.jaeger import shapes
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, NotFound, OpsError, Unauthenticated
from quarterdeck.tracing import queries

_LIMIT_USUAL = 100
_LIMIT_MAX = 1000
_LOOKBACK_USUAL = timedelta(days=2)
# Go's notation, as in 1.5s or 1m30s.
_PIECE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


def _view(answer: Callable[..., list[Any]], *, is_counted: bool = False) -> Callable[..., HttpResponse]:
    @wraps(answer)
    def view(request: HttpRequest, **named: str) -> HttpResponse:
        try:
            found = answer(request, identify(request, WITH_BASIC), **named)
            return _response(shapes.answer(found, is_counted=is_counted))
        except OpsError as error:
            return _failure(error)

    return csrf_exempt(require_safe(view))


def _response(content: dict[str, Any], status: int = 200) -> HttpResponse:
    response = HttpResponse(orjson.dumps(content), status=status, content_type="application/json")
    response["Cache-Control"] = "private, no-cache"
    return response


def _failure(error: OpsError) -> HttpResponse:
    status = 400 if isinstance(error, BadInput) else error.status
    response = _response(shapes.answer(None, [{"code": status, "msg": str(error.message)}]), status)
    if isinstance(error, Unauthenticated):
        response["WWW-Authenticate"] = 'Bearer realm="quarterdeck"'
    return response


def _number(request: HttpRequest, name: str, usual: int) -> int:
    text = request.GET.get(name, "")
    if not text:
        return usual
    if not re.fullmatch(r"\d{1,18}", text):
        raise BadInput(f"unable to parse param '{name}': {text[:40]} is no whole number")
    return int(text)


def _microseconds(request: HttpRequest, name: str, usual: datetime) -> datetime:
    found = _number(request, name, int(usual.timestamp() * 1_000_000))
    return datetime.fromtimestamp(min(found / 1e6, 2.0**32 - 1), UTC)


def _duration_ns(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "").replace(" ", "")
    pieces = _PIECE.findall(text)
    if "".join(number + unit for number, unit in pieces) != text:
        raise BadInput(f"unable to parse param '{name}': {text[:40]} is no duration")
    return int(sum(float(number) * _NANOSECONDS[unit] for number, unit in pieces))


def _tags(request: HttpRequest) -> Iterator[str]:
    for text in request.GET.getlist("tag"):
        key, colon, value = text.partition(":")
        if not colon:
            raise BadInput(f"malformed 'tag' parameter, expecting key:value, received: {text[:80]}")
        yield of_tag(key, value)
    for text in request.GET.getlist("tags"):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise BadInput("malformed 'tags' parameter, cannot unmarshal JSON") from error
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise BadInput("malformed 'tags' parameter, expecting a map of strings")
        yield from (of_tag(key, value) for key, value in found.items())


def _query(request: HttpRequest) -> str:
    service = request.GET.get("service", "")
    if not service:
        raise BadInput("parameter 'service' is required")
    parts = [f"service:{quoted(service)}"]
    if operation := request.GET.get("operation", ""):
        parts.append(f"operation:{quoted(operation)}")
    low, high = _duration_ns(request, "minDuration"), _duration_ns(request, "maxDuration")
    if high and low > high:
        raise BadInput("'maxDuration' should be greater than 'minDuration'")
    parts += [f"duration:>={low}ns"] if low else []
    parts += [f"duration:<={high}ns"] if high else []
    return " ".join([*parts, *_tags(request)])


def services_(_request: HttpRequest, actor: Actor) -> list[Any]:
    return queries.service_names(actor)


def operation_names_(_request: HttpRequest, actor: Actor, service: str) -> list[Any]:
    return sorted({name for name, _kind in queries.operations(actor, service)})


def operations_(request: HttpRequest, actor: Actor) -> list[Any]:
    service, kind = request.GET.get("service", ""), request.GET.get("spanKind", "")
    if not service:
        raise BadInput("parameter 'service' is required")
    found = queries.operations(actor, service)
    return [{"name": name, "spanKind": of_kind} for name, of_kind in found if kind in ("", of_kind)]


def traces_(request: HttpRequest, actor: Actor) -> list[Any]:
    if ids := request.GET.getlist("traceID"):
        return [shapes.of_trace(trace) for trace in queries.traces_by_id(actor, ids[:_LIMIT_MAX])]
    query, limit = _query(request), _number(request, "limit", _LIMIT_USUAL)
    if not 1 <= limit <= _LIMIT_MAX:
        raise BadInput(_("between 1 and %(max)d traces can be asked for") % {"max": _LIMIT_MAX})
    end = _microseconds(request, "end", now())
    start = _microseconds(request, "start", end - _LOOKBACK_USUAL)
    found = queries.traces(actor, query, start, end, limit=limit)
    return [shapes.of_trace(trace) for trace in queries.traces_by_id(actor, [one.trace_id for one in found])]


def trace_(_request: HttpRequest, actor: Actor, trace_id: str) -> list[Any]:
    try:
        return [shapes.of_trace(queries.trace(actor, trace_id))]
    except NotFound as error:
        raise NotFound("trace not found") from error


def dependencies_(request: HttpRequest, actor: Actor) -> list[Any]:
    """endTs and lookback are in milliseconds."""
    end_ms = min(_number(request, "endTs", int(now().timestamp() * 1000)), 2**32 * 1000 - 1)
    start_ms = max(0, end_ms - _number(request, "lookback", 86_400_000))
    start, end = (datetime.fromtimestamp(at / 1000, UTC) for at in (start_ms, end_ms))
    counted: dict[tuple[str, str], int] = {}
    for edge in queries.service_map(actor, start, end).edges:
        counted[edge.caller, edge.callee] = counted.get((edge.caller, edge.callee), 0) + edge.red.count
    return [{"parent": caller, "child": callee, "callCount": calls} for (caller, callee), calls in counted.items()]


services, operation_names = _view(services_, is_counted=True), _view(operation_names_, is_counted=True)
operations, traces, trace = _view(operations_, is_counted=True), _view(traces_), _view(trace_)
dependencies = _view(dependencies_)
