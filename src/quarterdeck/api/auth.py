"""Who calls: a bearer token, or a signed-in session with its CSRF token on writes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from quarterdeck.access.actors import BEARER, actor_of
from quarterdeck.api import limits
from quarterdeck.api.problems import TOKEN_HINT
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.errors import Denied, Unauthenticated


def caller_key(actor: Actor) -> str:
    """Return "token:7": the name under which an actor's rate and idempotency keys are kept."""
    return f"{actor.kind}:{actor.id or actor.name}"


def identify(request: HttpRequest, schemes: Collection[str] = BEARER) -> Actor:
    """Return the actor of `request`, known and within its rate; asked again it answers from memory.

    `schemes` are the ways in which a token may be sent, see `access.actors`.
    Raises Unauthenticated, Denied (no CSRF token on a session's write) or TooMany.
    """
    known: Actor | None = getattr(request, "actor", None)
    if known is not None:
        return known
    actor: Actor = actor_of(request, schemes)
    if actor.kind is ActorKind.ANONYMOUS:
        raise Unauthenticated(_("sign in or send a token"), hint=TOKEN_HINT)
    if actor.kind is ActorKind.USER and check_csrf(request) is not None:
        raise Denied(_("the CSRF token is missing or wrong"), hint=_("send the cookie's value as X-CSRFToken"))
    request.allowance = limits.spend(caller_key(actor))  # type: ignore[attr-defined]
    request.actor = actor  # type: ignore[attr-defined]
    return actor


class BearerToken(HttpBearer):
    def __call__(self, request: HttpRequest) -> Actor:
        return identify(request)

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        raise NotImplementedError("identify() reads the header")


class Session(APIKeyCookie):
    """Only tells the description that a session works as well; `BearerToken` accepts both."""

    param_name = settings.SESSION_COOKIE_NAME

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        return identify(request)
