"""From a request to the actor it comes from."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from django.core.cache import cache
from django.http import HttpRequest

from quarterdeck.access.models import User
from quarterdeck.access.tokens import authenticate_token
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import ANONYMOUS, Actor, ActorKind
from quarterdeck.core.errors import Unauthenticated

_REFUSAL_IS_NOTED_EVERY_SECONDS = 60


def actor_of(request: HttpRequest) -> Actor:
    """Return the token's actor, the signed-in person or ANONYMOUS, with the request's address and id.

    Raises Unauthenticated when a bearer token is sent that is unknown, expired or revoked: never taken for nobody.
    """
    actor = _known(request)
    return replace(
        actor,
        source_ip=request.META.get("REMOTE_ADDR", ""),
        user_agent=request.headers.get("User-Agent", "")[:200],
        request_id=getattr(request, "request_id", "") or uuid4().hex,
    )


def visitor(request: HttpRequest | None, user: User | None, auth_method: str = "") -> Actor:
    """Return `user`, else nobody, as the sender of `request`, which knows no user yet while somebody signs in."""
    return Actor(
        ActorKind.USER if user else ActorKind.ANONYMOUS,
        user.get_username() if user else ANONYMOUS.name,
        str(user.pk) if user else "",
        auth_method=auth_method,
        source_ip=request.META.get("REMOTE_ADDR", "") if request else "",
        user_agent=request.headers.get("User-Agent", "")[:200] if request else "",
        request_id=getattr(request, "request_id", "") or uuid4().hex,
    )


def _known(request: HttpRequest) -> Actor:
    scheme, _space, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        try:
            return authenticate_token(value.strip())
        except Unauthenticated as error:
            _record_refusal(request, error)
            raise
    if request.user.is_authenticated:
        return Actor(ActorKind.USER, request.user.get_username(), str(request.user.pk), auth_method="session")
    return ANONYMOUS


def _record_refusal(request: HttpRequest, error: Unauthenticated) -> None:
    """Record a token that was refused, once a minute for each address: trying a million of them fills no disk."""
    address = request.META.get("REMOTE_ADDR", "")
    if cache.add(f"token-refused:{address}", 1, _REFUSAL_IS_NOTED_EVERY_SECONDS):
        actor = replace(ANONYMOUS, source_ip=address, user_agent=request.headers.get("User-Agent", "")[:200])
        record(actor, "access.sign_in", ("token", "", ""), result="denied", error=error.message)
