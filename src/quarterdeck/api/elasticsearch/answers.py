"""Answers and failures as Elasticsearch's clients read them: its header, its media types, its errors."""

from __future__ import annotations

import re
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse

from quarterdeck.api.elasticsearch.contexts import NoContext
from quarterdeck.core.errors import BadInput, BadQuery, Conflict, Denied, NotFound, OpsError, TooMany, Unauthenticated
from quarterdeck.logs.elastic.bodies import TooManyBuckets
from quarterdeck.logs.elastic.reading import NoIndex
from quarterdeck.telemetry.client import TooHeavy

# Clients from version 8 on name a media type of their own, and want it back.
_OWN = re.compile(r"application/vnd\.elasticsearch\+(?:json|x-ndjson); ?compatible-with=([0-9]{1,2})")
# The first that fits tells the kind, in Elasticsearch's words, and the status.
_KINDS: tuple[tuple[type[OpsError], str, int], ...] = (
    (TooManyBuckets, "too_many_buckets_exception", 400),
    (BadQuery, "parsing_exception", 400),
    (BadInput, "illegal_argument_exception", 400),
    (Unauthenticated, "security_exception", 401),
    (Denied, "security_exception", 403),
    (NoIndex, "index_not_found_exception", 404),
    (NoContext, "search_context_missing_exception", 404),
    (Conflict, "version_conflict_engine_exception", 409),
    (NotFound, "resource_not_found_exception", 404),
    (TooMany, "es_rejected_execution_exception", 429),
    # Clients ask again on 429 and 503: what is too heavy stays so.
    (TooHeavy, "search_phase_execution_exception", 400),
)


def answer(request: HttpRequest, body: Any, status: int = 200) -> HttpResponse:
    """Return JSON; text is left as it is."""
    if isinstance(body, str):
        response = HttpResponse(body, status=status, content_type="text/plain; charset=UTF-8")
    else:
        response = HttpResponse(orjson.dumps(body), status=status, content_type=_media_type(request))
    response["X-Elastic-Product"] = "Elasticsearch"
    response["Cache-Control"] = "no-store"
    return response


def _media_type(request: HttpRequest) -> str:
    for name in ("Accept", "Content-Type"):
        if found := _OWN.match(request.headers.get(name, "")):
            return f"application/vnd.elasticsearch+json;compatible-with={found[1]}"
    return "application/json"


def problem(error: OpsError) -> dict[str, Any]:
    """Return `{"error": ..., "status": ...}`."""
    kind, status = next(
        ((name, status) for known, name, status in _KINDS if isinstance(error, known)), ("exception", error.status)
    )
    said = f"{error.message} ({error.hint})" if error.hint else str(error.message)
    cause: dict[str, Any] = {"type": kind, "reason": said}
    if isinstance(error, NoIndex):
        cause.update({"resource.type": "index_or_alias", "resource.id": error.field, "index": error.field})
    return {"error": {"root_cause": [cause], **cause}, "status": status}


def failure(request: HttpRequest, error: OpsError) -> HttpResponse:
    body = problem(error)
    response = answer(request, body, body["status"])
    if isinstance(error, TooMany):
        response["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, Unauthenticated):
        response["WWW-Authenticate"] = 'Basic realm="quarterdeck", Bearer realm="quarterdeck", ApiKey'
    return response
