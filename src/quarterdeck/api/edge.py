"""The API's outermost layer, a Django middleware: request ids, size limits, HEAD, problems, rate headers, gzip.

It touches addresses under /api/ only. Answers that Django itself makes there (no such address, wrong method, bad host)
become problems as well, so that a client meets one shape of error.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import cast
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware, re_accepts_gzip
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from quarterdeck.api import problems
from quarterdeck.core.streams import gzipped

PREFIX = "/api/"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """Return the answer to a request that is refused unread, by its head alone."""
    if "%00" in request.META.get("QUERY_STRING", "") or "\x00" in request.path:
        return problems.problem(request, 400, _("the address holds a NUL character"))
    if request.headers.get("Transfer-Encoding") and not request.headers.get("Content-Length"):
        return problems.problem(request, 411, _("the body's length is unknown"), hint=_("send Content-Length"))
    length = request.headers.get("Content-Length") or "0"
    is_upload = request.content_type == "multipart/form-data"
    limit_mb = int(settings.QD["upload_max_mb" if is_upload else "request_max_mb"])
    if not length.isdigit():
        return problems.problem(request, 400, _("Content-Length is not a number"))
    if int(length) > limit_mb << 20:
        detail = _("the body has %(found)s bytes, at most %(limit)d MB are taken") % {
            "found": length,
            "limit": limit_mb,
        }
        hint = _("send it in parts, or as a file to /api/v1/imports")
        return problems.problem(request, 413, detail, hint=hint)
    return None


def _finish(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code >= 400 and not isinstance(response, problems.Problem):
        response = problems.of_status(request, cast(HttpResponse, response))
    allowance = getattr(request, "allowance", None)
    for name, value in (allowance.headers() if allowance else {}).items():
        response.headers.setdefault(name, value)
    response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
    response.headers.setdefault("Cache-Control", "private, no-cache")
    return response


def _stream_gzipped(request: HttpRequest, response: StreamingHttpResponse) -> StreamingHttpResponse:
    patch_vary_headers(response, ("Accept-Encoding",))
    if re_accepts_gzip.search(request.headers.get("Accept-Encoding", "")):
        response.streaming_content = gzipped(cast(AsyncIterator[bytes], response.streaming_content))
        response["Content-Encoding"] = "gzip"
    return response


class ApiEdge:
    """Sync middleware; put it before everything that may answer in the API's stead."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._gzip = GZipMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(PREFIX):
            return self.get_response(request)
        given = request.headers.get("X-Request-ID", "")
        request.request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex  # type: ignore[attr-defined]
        if request.method == "HEAD":
            # The server sends no body in answer to HEAD whatever we return; every GET then has its HEAD.
            request.method = "GET"
        response = _finish(request, _refusal(request) or self.get_response(request))
        if isinstance(response, StreamingHttpResponse) and response.is_async:
            return _stream_gzipped(request, response)
        return self._gzip.process_response(request, cast(HttpResponse, response))
