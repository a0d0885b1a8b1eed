"""Django's own errors on the one error page: bad requests, refused forms, unknown addresses, bugs."""

from __future__ import annotations

from http import HTTPStatus

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import REASON_NO_CSRF_COOKIE
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, Denied, NotFound, OpsError
from quarterdeck.web.context import THEMES
from quarterdeck.web.middleware import error_page


def _answer(request: HttpRequest, error: OpsError) -> HttpResponse:
    return _for_machines(request, error) if request.path.startswith("/api/") else error_page(request, error)


def _for_machines(request: HttpRequest, error: OpsError) -> HttpResponse:
    """The API answers its own errors; this is for what ends before it. See https://www.rfc-editor.org/rfc/rfc9457"""
    content = {
        "type": f"urn:quarterdeck:problem:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.message,
        "hint": error.hint,
        "instance": request.path,
    }
    return JsonResponse(content, status=error.status, content_type="application/problem+json")


class _BadRequest(BadInput):
    status = HTTPStatus.BAD_REQUEST


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig | TooManyFieldsSent):
        error = _BadRequest(_("The request is too large."), hint=_("Send it in smaller parts."))
    elif isinstance(exception, SuspiciousOperation) and "Host" in str(exception):
        error = _BadRequest(
            _("This address is not one under which Quarterdeck may be asked for."),
            hint=_("Add its host name to the setting allowed_hosts."),
        )
    else:
        error = _BadRequest(_("The request cannot be read."), hint=_("Go back and try again."))
    return _answer(request, error)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    text = _("You lack the right for this.")
    return _answer(request, Denied(text, hint=_("Ask an administrator for a role with this right.")))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    text = _("There is nothing at this address.")
    return _answer(request, NotFound(text, hint=_("It may have been moved or removed, or you may not see it.")))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that did not come from a page of ours, or from one that is too old."""
    hint = _("Go back, load the page again, and send the form once more.")
    if reason == REASON_NO_CSRF_COOKIE:
        hint = _("Allow cookies for this site, load the page again, and send the form once more.")
    return _answer(request, Denied(_("The form could not be checked, so nothing was changed."), hint=hint))


def server_error(request: HttpRequest) -> HttpResponse:
    """A bug. The page needs no database and no session: either may be what is broken."""
    if request.path.startswith("/api/"):
        return JsonResponse(
            {"type": "urn:quarterdeck:problem:bug", "title": "Internal Server Error", "status": 500, "code": "bug"},
            status=500,
            content_type="application/problem+json",
        )
    theme = request.COOKIES.get("qd_theme", "auto")
    context = {"request": request, "theme": theme if theme in THEMES else "auto"}
    return HttpResponse(render_to_string("500.html", context), status=500)
