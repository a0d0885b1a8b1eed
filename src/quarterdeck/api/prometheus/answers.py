"""Prometheus' answers, good and bad.

{"status": "success", "data": ...}
{"status": "error", "errorType": "bad_data", "error": "parse error: ..."}
"""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpResponse

from quarterdeck.core.errors import BadInput, BadQuery, NotFound, OpsError, TooMany, Unavailable
from quarterdeck.telemetry.client import TooHeavy
from quarterdeck.telemetry.promql.answering import Answer
from quarterdeck.telemetry.promql.errors import ExecutionFailed

# The engine's numbers for too much time.
_TIME = (159, 160)


def success(data: Any) -> HttpResponse:
    return _json(200, b'{"status":"success","data":' + orjson.dumps(data) + b"}")


def of_answer(answer: Answer) -> HttpResponse:
    """Return the answer of a query; its points are JSON already."""
    head = b'{"status":"success","data":{"resultType":"%s","result":' % answer.kind.encode()
    return _json(200, head + result(answer) + b"}}")


def result(answer: Answer) -> bytes:
    if answer.kind == "string":
        return orjson.dumps([answer.at_ms / 1000, answer.text])
    if answer.kind == "scalar":
        return answer.series[0].points.encode()
    shape = b'{"metric":%b,"value":%b}' if answer.kind == "vector" else b'{"metric":%b,"values":[%b]}'
    rows = (shape % (orjson.dumps(series.labels), series.points.encode()) for series in answer.series)
    return b"[" + b",".join(rows) + b"]"


def failure(error: OpsError) -> HttpResponse:
    """Return what went wrong, as the API names it; the hint is part of the sentence."""
    status, kind = _kind(error)
    said = f"{error.message} ({error.hint})" if error.hint else str(error.message)
    response = _json(status, orjson.dumps({"status": "error", "errorType": kind, "error": said}))
    if isinstance(error, TooMany):
        response["Retry-After"] = str(error.retry_after_seconds)
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="quarterdeck"'
    return response


def _kind(error: OpsError) -> tuple[int, str]:
    if isinstance(error, ExecutionFailed):
        return 422, "execution"
    if isinstance(error, TooHeavy):
        is_time = getattr(error.__cause__, "code", None) in _TIME
        return (503, "timeout") if is_time else (422, "execution")
    if isinstance(error, BadQuery | BadInput):
        return 400, "bad_data"
    if isinstance(error, NotFound):
        return 404, "not_found"
    return (503, "unavailable") if isinstance(error, Unavailable) else (error.status, error.code)


def _json(status: int, content: bytes) -> HttpResponse:
    response = HttpResponse(content, status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response
