"""Every error answer of the API: `application/problem+json`. See https://www.rfc-editor.org/rfc/rfc9457

    {"type": "urn:quarterdeck:problem:bad_query", "title": "Bad Request", "status": 400, "code": "bad_query",
     "detail": "unknown field \"rol\"", "hint": "did you mean \"role\"?", "field": "q", "position": 4,
     "errors": [{"pointer": "/name", "in": "body", "message": "Field required"}],
     "instance": "/api/v1/items", "request_id": "9f0c..."}

`code` and `type` are stable and meant for machines; `hint`, `field`, `position` and `errors` appear where they apply.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from quarterdeck.core.errors import NotFound, OpsError, TooMany, Unauthenticated, Unavailable
from quarterdeck.core.records import trouble

CONTENT_TYPE = "application/problem+json"
_CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "denied",
    404: "not_found",
    405: "method_not_allowed",
    411: "length_required",
    413: "too_large",
    415: "unsupported_media_type",
    422: "bad_input",
    429: "too_many",
    500: "bug",
    503: "unavailable",
}
_log = logging.getLogger(__name__)


class Problem(HttpResponse):
    """An answer that is a problem already."""


def problem(
    request: HttpRequest,
    status: int,
    detail: str,
    *,
    code: str = "",
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> HttpResponse:
    """Return the answer for one problem; empty `members` are left out."""
    code = code or _CODES.get(status, "error")
    content = {
        "type": f"urn:quarterdeck:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **{name: value for name, value in members.items() if value not in ("", None)},
        "instance": request.path,
        "request_id": getattr(request, "request_id", ""),
    }
    return Problem(orjson.dumps(content, default=str), status=status, content_type=CONTENT_TYPE, headers=headers)


def of_ops_error(request: HttpRequest, error: OpsError) -> HttpResponse:
    """Return what a person can act on: the message, its hint, and where in the request it is."""
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="quarterdeck"'
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, Unavailable):
        headers["Retry-After"] = "5"
    return problem(
        request,
        error.status,
        str(error.message),
        code=error.code,
        hint=str(error.hint),
        field=error.field,
        position=error.position,
        headers=headers,
    )


def of_status(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return the problem for an error answer that Django or a library made as text or a page."""
    sentences = {
        400: _("the request cannot be read"),
        403: _("the request was refused"),
        404: _("there is nothing at this address"),
        405: _("this address does not answer that method"),
        413: _("the request is too large"),
        500: _("this is a bug in Quarterdeck; its log has the details under the request id"),
    }
    hints = {404: _("GET /api/v1/openapi.json lists every address"), 405: _("see the Allow header")}
    kept = {name: response[name] for name in ("Allow", "Retry-After") if name in response}
    status = response.status_code
    # What Django's own error pages for programs say, such as the setting that allows a host, is worth keeping.
    told = orjson.loads(response.content) if response.get("Content-Type", "").startswith(CONTENT_TYPE) else {}
    detail = told.get("detail") or sentences.get(status, HTTPStatus(status).phrase)
    return problem(request, status, detail, hint=hints.get(status) or told.get("hint", ""), headers=kept)


def _pointer(location: tuple[str | int, ...]) -> str:
    """Return a JSON pointer (RFC 6901) into the body, or the parameter's name."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = []
    for found in error.errors:
        place, *location = found["loc"]
        # ninja puts the name of the operation's argument before the path inside a JSON body
        location = location[1:] if place == "body" else location
        errors.append({"in": place, "pointer": _pointer(tuple(location)), "message": found["msg"]})
    first = errors[0] if errors else {"in": "request", "pointer": "", "message": ""}
    detail = f"{first['in']} {first['pointer'].lstrip('/')}: {first['message']}".replace(" :", ":")
    return problem(request, 422, detail, errors=errors, field=first["pointer"].lstrip("/"))


def _of_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error.__cause__, OpsError):
        return of_ops_error(request, error.__cause__)
    if error.status_code == 401:
        return of_ops_error(request, Unauthenticated(_("sign in or send a token"), hint=TOKEN_HINT))
    return problem(request, error.status_code, error.message)


def _of_missing(request: HttpRequest, error: Http404) -> HttpResponse:
    return of_ops_error(request, NotFound(_("there is nothing at this address")))


def _of_busy_records(request: HttpRequest, error: OperationalError) -> HttpResponse:
    _log.exception("request %s: the records database did not answer", getattr(request, "request_id", ""))
    return of_ops_error(request, trouble(error))


def _of_bug(request: HttpRequest, error: Exception) -> HttpResponse:
    _log.exception("BUG: request %s %s", getattr(request, "request_id", ""), request.path)
    return of_status(request, HttpResponse(status=500))


TOKEN_HINT = "send Authorization: Bearer TOKEN; quarterdeck token create makes one"  # noqa: S105 - words, no secret


def install(api: NinjaAPI) -> None:
    """Make `api` answer every exception as a problem; none shows a traceback."""
    handlers: dict[type[Exception], Any] = {
        OpsError: of_ops_error,
        ValidationError: _invalid,
        HttpError: _of_http_error,
        Http404: _of_missing,
        OperationalError: _of_busy_records,
        Exception: _of_bug,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)
