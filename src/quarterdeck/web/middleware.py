"""What holds for every page: a Content-Security-Policy with a nonce, no shared caches, and errors in words."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from quarterdeck.access.actors import actor_of
from quarterdeck.audit.actor import ActorKind
from quarterdeck.core.errors import OpsError, TooMany, Unauthenticated
from quarterdeck.core.records import trouble

_log = logging.getLogger(__name__)
Answer = Callable[[HttpRequest], HttpResponseBase]


def policy(nonce: str, *, style_attributes: bool = False) -> str:
    """Scripts and styles: ours, or with this answer's nonce; never inline, never from elsewhere.

    A page whose script writes style attributes, which carry no code, is allowed these by `style_attributes`.
    `form-action` names the OpenID Connect issuer because browsers apply it to where a sign-in form is redirected.
    See https://www.w3.org/TR/CSP3/
    """
    issuer = urlsplit(settings.QD["oidc_issuer"])
    attributes = " style-src-attr 'unsafe-inline';" if style_attributes else ""
    form_action = f"'self' {issuer.scheme}://{issuer.netloc}" if issuer.netloc else "'self'"
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}';{attributes} "
        f"img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action {form_action}; "
        "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
    )


class ContentSecurityPolicy:
    """Set `request.csp_nonce` for templates, and the policy unless the view has set one."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        nonce = secrets.token_urlsafe(16)
        request.csp_nonce = nonce  # type: ignore[attr-defined]
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", policy(nonce))
        response.headers.setdefault("Referrer-Policy", "same-origin")
        # A page is one person's: no proxy keeps it, and after they signed out the browser asks before it shows it.
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response


def toast(response: HttpResponse, text: str, *, hint: str = "", level: str = "good") -> HttpResponse:
    """Make the browser show a short message when htmx takes in `response`."""
    response.headers["HX-Trigger"] = json.dumps({"toast": {"text": text, "hint": hint, "level": level}})
    return response


def error_page(request: HttpRequest, error: OpsError) -> HttpResponse:
    """Return the one error page for `error`; to htmx a toast, so that the page and what was typed stay."""
    if request.headers.get("HX-Request") and not request.headers.get("HX-Boosted"):
        response = toast(HttpResponse(status=error.status), error.message, hint=error.hint, level="bad")
        response.headers["HX-Reswap"] = "none"
    else:
        context = {
            "error": error,
            "status": error.status,
            "title": title_of(error.status),
            "base": "web/base.html" if _keeps_the_menu(request, error) else "web/base_plain.html",
        }
        response = render(request, "web/error.html", context, status=error.status)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def _keeps_the_menu(request: HttpRequest, error: OpsError) -> bool:
    """Whoever is signed in goes on from the menu, unless what draws it may be the part that does not answer."""
    is_known = hasattr(request, "user") and actor_of(request).kind != ActorKind.ANONYMOUS
    return is_known and error.status != HTTPStatus.SERVICE_UNAVAILABLE


def title_of(status: int) -> str:
    """Return what a status means to a person."""
    titles = {
        400: _("This cannot be done as asked"),
        401: _("Please sign in"),
        403: _("You may not do this"),
        404: _("Not found"),
        409: _("This contradicts what is stored"),
        412: _("Somebody else was faster"),
        422: _("Something in it is not right"),
        429: _("Too many requests"),
        503: _("A part of Quarterdeck does not answer"),
    }
    return titles.get(status, _("Something went wrong"))


class OpsErrors:
    """Answer an OpsError of a page with the one error page. The API has answers of its own."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if request.path.startswith("/api/"):
            return None
        if isinstance(exception, OperationalError):
            _log.error("%s: the records database did not answer", request.path, exc_info=exception)
            exception = trouble(exception)
        if not isinstance(exception, OpsError):
            return None
        if isinstance(exception, Unauthenticated):
            from quarterdeck.web.pages import to_sign_in

            return to_sign_in(request)
        return error_page(request, exception)
