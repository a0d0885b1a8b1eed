"""From a request to the actor it comes from."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection
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
BEARER = ("bearer",)
# Where other products' clients ask: promtool and many data sources only send a token as the password of HTTP Basic.
# Browsers send that by themselves, so that it is taken only where nothing is written.
WITH_BASIC = (*BEARER, "basic")
# As Elasticsearch's clients send it: the token itself, or `base64(id:token)`.
WITH_API_KEY = (*WITH_BASIC, "apikey")


def actor_of(request: HttpRequest, schemes: Collection[str] = BEARER) -> Actor:
    """Return the token's actor, the signed-in person or ANONYMOUS, with the request's address and id.

    `schemes` are the ways in which a token may be sent here; what is sent in another way is no token of ours.
    Raises Unauthenticated when a token is sent that is unknown, expired or revoked: never taken for nobody.
    """
    actor = _known(request, schemes)
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


def _known(request: HttpRequest, schemes: Collection[str]) -> Actor:
    scheme, _space, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() in schemes:
        try:
            return authenticate_token(_TOKENS[scheme.lower()](value.strip()))
        except Unauthenticated as error:
            _record_refusal(request, error)
            raise
    if request.user.is_authenticated:
        return Actor(ActorKind.USER, request.user.get_username(), str(request.user.pk), auth_method="session")
    return ANONYMOUS


def _behind_colon(encoded: str) -> str:
    """Return `token` of `base64(name:token)`, "" for what is something else."""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


# How the token stands in what is sent.
_TOKENS: dict[str, Callable[[str], str]] = {
    "bearer": lambda value: value,
    "basic": _behind_colon,
    "apikey": lambda value: _behind_colon(value) or value,
}


def _record_refusal(request: HttpRequest, error: Unauthenticated) -> None:
    """Record a token that was refused, once a minute for each address: trying a million of them fills no disk."""
    address = request.META.get("REMOTE_ADDR", "")
    if cache.add(f"token-refused:{address}", 1, _REFUSAL_IS_NOTED_EVERY_SECONDS):
        actor = replace(ANONYMOUS, source_ip=address, user_agent=request.headers.get("User-Agent", "")[:200])
        record(actor, "access.sign_in", ("token", "", ""), result="denied", error=error.message)
