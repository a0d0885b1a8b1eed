"""How django-allauth serves us: nobody signs up by themselves; an identity provider may bring people without rights."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import render

from quarterdeck.access.links import needs_setup


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Accounts are made by an administrator or by the first set-up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """OpenID Connect: whoever the provider vouches for gets an account without roles, unless that is switched off."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return bool(settings.QD["oidc_creates_accounts"])

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Before anybody has set the instance up nobody comes in from outside."""
        if needs_setup():
            raise ImmediateHttpResponse(render(request, "account/signup_closed.html", status=403))
