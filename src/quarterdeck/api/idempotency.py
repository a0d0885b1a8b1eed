"""Writes that may be sent twice and happen once: the `Idempotency-Key` header.

The first request's answer is stored in the transaction of its write and repeated, with `Idempotent-Replayed: true`, to
every later request of the same caller with the same key, method, path and body for 24 hours; other content under the
same key is a conflict (409). Two at once: the second waits at the unique key for the first. Answers 429 and 5xx are not
kept, so those may be tried again. See https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from quarterdeck.api.auth import caller_key, identify
from quarterdeck.api.models import IdempotentAnswer
from quarterdeck.api.problems import Problem, of_ops_error
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, OpsError

KEPT_HOURS = 24
_SAFE = ("GET", "HEAD", "OPTIONS")
# The status of an answer that is not kept, though its request was done.
_SHOWN_ONCE = 0
_KEPT_HEADERS = ("Content-Type", "ETag", "Location")

Run = Callable[..., HttpResponseBase]


def _fingerprint(request: HttpRequest) -> str:
    """Return a keyed digest: a body may hold a password, which who has the database only must not be able to guess."""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"{request.method} {request.get_full_path()}\n".encode(), "sha256")
    digest.update(request.body)
    return digest.hexdigest()


def _replay(answer: IdempotentAnswer, fingerprint: str) -> HttpResponse:
    if answer.fingerprint != fingerprint:
        raise Conflict(
            _("this Idempotency-Key was used for another request"),
            hint=_("use a new key for every new request"),
            field="Idempotency-Key",
        )
    if answer.status == _SHOWN_ONCE:
        raise Conflict(
            _("this request was done, and its answer held a secret that is shown once"),
            hint=_("make another one with a new key"),
            field="Idempotency-Key",
        )
    kind = Problem if answer.status >= 400 else HttpResponse
    response = kind(bytes(answer.body), status=answer.status, headers=answer.headers)
    response["Idempotent-Replayed"] = "true"
    return response


def _keep(answer: IdempotentAnswer, response: HttpResponseBase) -> None:
    if response.status_code >= 500 or response.status_code == 429 or not isinstance(response, HttpResponse):
        answer.delete()
        return
    if "no-store" in response.get("Cache-Control", ""):
        # A new token's text, for example: it must not lie about in the database for a day.
        return
    answer.status = response.status_code
    answer.body = response.content
    answer.headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
    answer.save()


def _once(run: Run, request: HttpRequest, key: str, path: dict[str, Any]) -> HttpResponseBase:
    caller, fingerprint, at = caller_key(identify(request)), _fingerprint(request), now()
    mine = IdempotentAnswer.objects.filter(caller=caller, key=key)
    with transaction.atomic():
        mine.filter(created_at__lt=at - timedelta(hours=KEPT_HOURS)).delete()
        answer, is_first = mine.get_or_create(
            caller=caller, key=key, defaults={"fingerprint": fingerprint, "created_at": at}
        )
        if not is_first:
            return _replay(answer, fingerprint)
        response = run(request, **path)
        _keep(answer, response)
        return response


def at_most_once(run: Run) -> Run:
    """Wrap an operation: with an `Idempotency-Key` its write happens once."""

    @wraps(run)
    def call(request: HttpRequest, **path: Any) -> HttpResponseBase:
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method in _SAFE:
            return run(request, **path)
        try:
            if not 1 <= len(key) <= 255 or not key.isprintable():
                raise BadInput(_("Idempotency-Key must have 1 to 255 printable characters"), field="Idempotency-Key")
            return _once(run, request, key, path)
        except OpsError as error:
            return of_ops_error(request, error)

    return call
