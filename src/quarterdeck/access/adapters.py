"""How django-allauth serves us: nobody signs up by themselves; an identity provider may bring people without rights.

See https://docs.allauth.org/en/latest/account/adapter.html
"""

from __future__ import annotations

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from cryptography.fernet import Fernet
from django.conf import settings
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.shortcuts import render

from quarterdeck.access.links import needs_setup
from quarterdeck.access.models import User
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.keys import instance_key


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Accounts are made by an administrator or by the first set-up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Keeps the secrets of second factors encrypted: the database alone does not let anybody make codes."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def _cipher() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(bytes.fromhex(instance_key(settings.DATA, "second-factor"))))


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """OpenID Connect: whoever the provider vouches for gets an account without roles, unless that is switched off."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return bool(settings.QD["oidc_creates_accounts"])

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Before anybody has set the instance up nobody comes in from outside; then known people are recognised."""
        if needs_setup():
            raise ImmediateHttpResponse(render(request, "account/signup_closed.html", status=403))
        if not sociallogin.is_existing:
            user = _known_person(sociallogin)
            if user is not None:
                sociallogin.connect(request, user)


def _claims(sociallogin: Any) -> dict[str, Any]:
    """Return what the provider says: the user information, and beside it what only the ID token has."""
    data = sociallogin.account.extra_data
    return {**data.get("id_token", {}), **data.get("userinfo", {})} if "userinfo" in data else dict(data)


def _known_person(sociallogin: Any) -> User | None:
    """Return the one active person with the address that the provider has verified, else None.

    People without a role only: an address is a weak reason to hand over an account that can do something. Whoever has
    roles connects the two by signing in first.
    """
    claims = _claims(sociallogin)
    email = str(claims.get("email") or "")
    if not email or claims.get("email_verified") is not True:
        return None
    found = list(User.objects.filter(email__iexact=email, is_active=True)[:2])
    if len(found) != 1 or found[0].role_bindings.exists() or found[0].groups.exists():
        return None
    return found[0]


def join_groups(user: User, sociallogin: Any) -> None:
    """Make the person's groups those that the provider's claim names, as far as they exist here."""
    claim = settings.QD["oidc_groups_claim"]
    named = _claims(sociallogin).get(claim) if claim else None
    if not isinstance(named, list):
        return
    before = sorted(user.groups.values_list("name", flat=True))
    wanted = Group.objects.filter(name__in=[str(name) for name in named])
    after = sorted(group.name for group in wanted)
    if before != after:
        user.groups.set(wanted)
        actor = Actor(ActorKind.SYSTEM, "system:oidc")
        record(actor, "access.join_groups", user, before={"groups": before}, after={"groups": after})
