"""One function for each address. Errors are text, as Zipkin's are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
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
from quarterdeck.api.zipkin import shapes
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, NotFound, OpsError, Unauthenticated
from quarterdeck.tracing import queries

_LIMIT_USUAL = 10
_LIMIT_MAX = 1000
_LOOKBACK_USUAL_MS = 86_400_000
_TRACE_ID = re.compile(r"[0-9a-fA-F]{1,32}")
_MILLISECONDS_MAX = 2**53

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
        response["Cache-Control"] = "private, no-cache"
        return response

    return csrf_exempt(require_safe(view))


def _failure(error: OpsError) -> HttpResponse:
    status = 400 if isinstance(error, BadInput) else error.status
    response = HttpResponse(str(error.message), status=status, content_type="text/plain; charset=utf-8")
    if isinstance(error, Unauthenticated):
        response["WWW-Authenticate"] = 'Bearer realm="quarterdeck"'
    return response


def _number(request: HttpRequest, name: str, usual: int) -> int:
    text = request.GET.get(name, "")
    if not text:
        return usual
    if not re.fullmatch(r"\d{1,16}", text) or int(text) > _MILLISECONDS_MAX:
        raise BadInput(_("%(name)s is no whole number") % {"name": name})
    return int(text)


def _range(request: HttpRequest) -> tuple[datetime, datetime]:
    """Return the times that endTs and lookback (both in milliseconds) mean."""
    end_ms = min(_number(request, "endTs", int(now().timestamp() * 1000) + 1), 2**32 * 1000 - 1)
    start_ms = max(0, end_ms - _number(request, "lookback", _LOOKBACK_USUAL_MS))
    return datetime.fromtimestamp(start_ms / 1000, UTC), datetime.fromtimestamp(end_ms / 1000, UTC)


def _trace_id(text: str) -> str:
    if not _TRACE_ID.fullmatch(text.strip()):
        raise BadInput(f"{text[:64]} should be lower-hex encoded with no prefix")
    return queries.trace_key(text)


def _query(request: HttpRequest) -> str:
    """Return the request's conditions in our language. Names are in small letters there, so case is not looked at."""
    parts = []
    if service := request.GET.get("serviceName", "").strip():
        parts.append(f"service:{quoted(_as_stored(request, service))}")
    if remote := request.GET.get("remoteServiceName", "").strip():
        parts.append(f"peer:{quoted(remote)}")
    if (name := request.GET.get("spanName", "").strip()) and name != "all":
        parts.append(f"operation:{quoted(_operation(request, service, name))}")
    low, high = _number(request, "minDuration", 0), _number(request, "maxDuration", 0)
    if high and not low:
        raise BadInput(_("maxDuration needs a minDuration"))
    parts += [f"duration:>={low}us"] if low else []
    parts += [f"duration:<={high}us"] if high else []
    for part in filter(None, map(str.strip, request.GET.get("annotationQuery", "").split(" and "))):
        key, equals, value = part.partition("=")
        parts.append(of_tag(key.strip(), value.strip() if equals else None))
    return " ".join(parts)


def _as_stored(request: HttpRequest, service: str) -> str:
    """Return the service's name as it was sent: Zipkin shows all of them in small letters."""
    known = queries.service_names(identify(request, WITH_BASIC))
    return next((name for name in known if name.lower() == service.lower()), service)


def _operation(request: HttpRequest, service: str, name: str) -> str:
    known = queries.operations(identify(request, WITH_BASIC), _as_stored(request, service)) if service else []
    return next((found for found, _kind in known if found.lower() == name.lower()), name)


def traces_(request: HttpRequest, actor: Actor) -> list[Any]:
    limit = _number(request, "limit", _LIMIT_USUAL)
    if not 1 <= limit <= _LIMIT_MAX:
        raise BadInput(_("between 1 and %(max)d traces can be asked for") % {"max": _LIMIT_MAX})
    start, end = _range(request)
    found = queries.traces(actor, _query(request), start, end, limit=limit)
    return [shapes.of_trace(trace) for trace in queries.traces_by_id(actor, [one.trace_id for one in found])]


def trace_(_request: HttpRequest, actor: Actor, trace_id: str) -> list[Any]:
    try:
        return shapes.of_trace(queries.trace(actor, _trace_id(trace_id)))
    except NotFound as error:
        raise NotFound(f"{shapes.trace_id(_trace_id(trace_id))} not found") from error


def trace_many_(request: HttpRequest, actor: Actor) -> list[Any]:
    asked = request.GET.get("traceIds", "")
    if not asked:
        raise BadInput("traceIds parameter is empty")
    ids = [_trace_id(text) for text in asked.split(",")[:_LIMIT_MAX]]
    if len(ids) == 1:
        raise BadInput("Use /api/v2/trace/{traceId} endpoint to retrieve a single trace")
    if twice := next((key for index, key in enumerate(ids) if key in ids[:index]), ""):
        raise BadInput(f"redundant traceId: {shapes.trace_id(twice)}")
    return [shapes.of_trace(trace) for trace in queries.traces_by_id(actor, ids)]


def services_(_request: HttpRequest, actor: Actor) -> list[str]:
    return sorted({name.lower() for name in queries.service_names(actor)})


def spans_(request: HttpRequest, actor: Actor) -> list[str]:
    service = _as_stored(request, request.GET.get("serviceName", ""))
    return sorted({name.lower() for name, _kind in queries.operations(actor, service)})


def remote_services_(request: HttpRequest, actor: Actor) -> list[str]:
    service = _as_stored(request, request.GET.get("serviceName", ""))
    return sorted({name.lower() for name in queries.remote_services(actor, service)})


def dependencies_(request: HttpRequest, actor: Actor) -> list[dict[str, Any]]:
    if not request.GET.get("endTs"):
        raise BadInput("endTs is required")
    start, end = _range(request)
    found: dict[tuple[str, str], list[int]] = {}
    for edge in queries.service_map(actor, start, end).edges:
        counted = found.setdefault((edge.caller.lower(), edge.callee.lower()), [0, 0])
        counted[0] += edge.red.count
        counted[1] += edge.red.errors
    return [
        {"parent": caller, "child": callee, "callCount": calls, **({"errorCount": errors} if errors else {})}
        for (caller, callee), (calls, errors) in found.items()
    ]


def keys_(_request: HttpRequest, actor: Actor) -> list[str]:
    return queries.attribute_keys(actor)


def values_(request: HttpRequest, actor: Actor) -> list[str]:
    return queries.attribute_values(actor, request.GET.get("key", ""))


def config_(_request: HttpRequest, _actor: Actor) -> dict[str, Any]:
    """What the UI asks for first."""
    return {
        "environment": "",
        "queryLimit": _LIMIT_USUAL,
        "defaultLookback": 15 * 60 * 1000,
        "searchEnabled": True,
        "dependency": {"enabled": True, "lowErrorRate": 0.5, "highErrorRate": 0.75},
    }


traces, trace, trace_many = _view(traces_), _view(trace_), _view(trace_many_)
services, spans, remote_services = _view(services_), _view(spans_), _view(remote_services_)
dependencies, keys, values, config = _view(dependencies_), _view(keys_), _view(values_), _view(config_)
