"""From a request to the actor it comes from."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from django.http import HttpRequest

from quarterdeck.access.tokens import authenticate_token
from quarterdeck.audit.actor import ANONYMOUS, Actor, ActorKind


def actor_of(request: HttpRequest) -> Actor:
    """Return the token's actor, the signed-in person or ANONYMOUS, with the request's address and id.

    Raises Unauthenticated when a bearer token is sent that is unknown, expired or revoked: never taken for nobody.
    """
    scheme, _space, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        actor = authenticate_token(value.strip())
    elif request.user.is_authenticated:
        actor = Actor(ActorKind.USER, request.user.get_username(), str(request.user.pk), auth_method="session")
    else:
        actor = ANONYMOUS
    return replace(
        actor,
        source_ip=request.META.get("REMOTE_ADDR", ""),
        user_agent=request.headers.get("User-Agent", "")[:200],
        request_id=getattr(request, "request_id", "") or uuid4().hex,
    )
