"""Sign-ins, sign-outs and changes of second factors go to the audit log. These are the framework's own signals."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from allauth.account.signals import password_changed
from allauth.account.signals import user_logged_in as signed_in_by_allauth
from allauth.mfa.signals import (
    authentication_failed,
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
)
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from quarterdeck.access.adapters import join_groups
from quarterdeck.access.models import User
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor, ActorKind


def connect() -> None:
    """Connect the receivers, once."""
    user_logged_in.connect(_signed_in, dispatch_uid="audit-signed-in")
    signed_in_by_allauth.connect(_signed_in_from_outside, dispatch_uid="groups-of-provider")
    user_logged_out.connect(_signed_out, dispatch_uid="audit-signed-out")
    user_login_failed.connect(_failed, dispatch_uid="audit-failed")
    authentication_failed.connect(_second_factor_failed, dispatch_uid="audit-second-factor-failed")
    password_changed.connect(_password_changed, dispatch_uid="audit-password")
    for signal, verb in (
        (authenticator_added, "access.second_factor_added"),
        (authenticator_removed, "access.second_factor_removed"),
        (authenticator_reset, "access.second_factor_reset"),
    ):
        signal.connect(_second_factor(verb), weak=False, dispatch_uid=verb)


def _actor(request: HttpRequest | None, user: User | None, name: str = "") -> Actor:
    return Actor(
        ActorKind.USER if user else ActorKind.ANONYMOUS,
        user.get_username() if user else name or "anonymous",
        str(user.pk) if user else "",
        source_ip=request.META.get("REMOTE_ADDR", "") if request else "",
        user_agent=request.headers.get("User-Agent", "")[:200] if request else "",
        request_id=getattr(request, "request_id", "") or uuid4().hex,
    )


def _signed_in(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record(_actor(request, user), "access.sign_in", user)


def _signed_in_from_outside(user: User, sociallogin: Any = None, **_kwargs: Any) -> None:
    if sociallogin is not None:
        join_groups(user, sociallogin)


def _signed_out(request: HttpRequest, user: User | None, **_kwargs: Any) -> None:
    if user is not None:
        record(_actor(request, user), "access.sign_out", user)


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_kwargs: Any) -> None:
    name = str(credentials.get("username") or credentials.get("email") or "")[:150]
    record(_actor(request, None), "access.sign_in", ("user", "", name), result="denied", error="wrong name or password")


def _password_changed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record(_actor(request, user), "access.change_password", user)


def _second_factor(verb: str) -> Any:
    def receive(request: HttpRequest, user: User, **_kwargs: Any) -> None:
        record(_actor(request, user), verb, user)

    return receive


def _second_factor_failed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record(_actor(request, user), "access.second_factor", user, result="denied", error="wrong code")
