"""Sign-ins, sign-outs and changes of second factors go to the audit log. These are the framework's own signals."""

from __future__ import annotations

from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.account.signals import password_changed
from allauth.account.signals import user_logged_in as signed_in_by_allauth
from allauth.mfa.signals import (
    authentication_failed,
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
)
from allauth.socialaccount.signals import social_account_added, social_account_removed
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from quarterdeck.access.actors import visitor
from quarterdeck.access.adapters import join_groups
from quarterdeck.access.models import User
from quarterdeck.audit.actions import record


def connect() -> None:
    """Connect the receivers, once."""
    user_logged_in.connect(_signed_in, dispatch_uid="audit-signed-in")
    social_account_added.connect(_identity_connected, dispatch_uid="audit-identity-connected")
    social_account_removed.connect(_identity_disconnected, dispatch_uid="audit-identity-disconnected")
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


def _signed_in(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record(visitor(request, user, _ways_in(request, user)), "access.sign_in", user)


def _ways_in(request: HttpRequest, user: User) -> str:
    """Return by what the person came in, in that order: "password+totp", "openid_connect"; "" by a one-time link."""
    ways = []
    for way in get_authentication_records(request, user):
        is_outside = way["method"] == "socialaccount"
        ways.append("openid_connect" if is_outside else way.get("type") or way["method"])
    return "+".join(dict.fromkeys(ways))


def _signed_in_from_outside(user: User, sociallogin: Any = None, **_kwargs: Any) -> None:
    if sociallogin is not None:
        join_groups(user, sociallogin)


def _identity_connected(request: HttpRequest, sociallogin: Any, **_kwargs: Any) -> None:
    user, account = sociallogin.user, sociallogin.account
    after = {"provider": account.provider, "subject": account.uid}
    record(visitor(request, user), "access.connect_identity", user, after=after)


def _identity_disconnected(request: HttpRequest, socialaccount: Any, **_kwargs: Any) -> None:
    before = {"provider": socialaccount.provider, "subject": socialaccount.uid}
    user = socialaccount.user
    record(visitor(request, user), "access.disconnect_identity", user, before=before)


def _signed_out(request: HttpRequest, user: User | None, **_kwargs: Any) -> None:
    if user is not None:
        record(visitor(request, user), "access.sign_out", user)


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_kwargs: Any) -> None:
    name = str(credentials.get("username") or credentials.get("email") or "")[:150]
    record(
        visitor(request, None), "access.sign_in", ("user", "", name), result="denied", error="wrong name or password"
    )


def _password_changed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record(visitor(request, user), "access.change_password", user)


def _second_factor(verb: str) -> Any:
    def receive(request: HttpRequest, user: User, **_kwargs: Any) -> None:
        record(visitor(request, user), verb, user)

    return receive


def _second_factor_failed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record(visitor(request, user), "access.second_factor", user, result="denied", error="wrong code")
