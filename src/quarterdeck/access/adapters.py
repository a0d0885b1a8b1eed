"""How django-allauth serves us: nobody signs up by themselves; an identity provider may bring people without rights.

See https://docs.allauth.org/en/latest/account/adapter.html
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.providers.base.constants import AuthError, AuthProcess
from cryptography.fernet import Fernet
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from requests import RequestException

from quarterdeck.access.actors import visitor
from quarterdeck.access.limits import require_an_administrator
from quarterdeck.access.links import needs_setup
from quarterdeck.access.models import User
from quarterdeck.access.openid.adapter import Unreachable
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.errors import Conflict
from quarterdeck.core.keys import instance_key

_PROVIDER = Actor(ActorKind.SYSTEM, "system:oidc")
_CAUSES = {AuthError.CANCELLED: "cancelled at the identity provider", AuthError.DENIED: "the identity provider said no"}
_REFUSAL_IS_NOTED_EVERY_SECONDS = 60


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Accounts are made by an administrator or by the first set-up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def add_message(self, request: HttpRequest, level: int, message_template: str, *args: Any, **more: Any) -> None:
        """Leave out the word that one is signed in: the page that follows shows it."""
        if message_template != "account/messages/logged_in.txt":
            super().add_message(request, level, message_template, *args, **more)

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        record(visitor(request, None), "access.sign_in", user, result="denied", error="the account is not active")
        response: HttpResponse = super().respond_user_inactive(request, user)
        return response


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
        """Before anybody has set the instance up nobody comes in from outside; then known people are recognised.

        Nobody is recognised when a person who is signed in connects an identity: it becomes theirs or nobody's.
        """
        if needs_setup():
            hint = _("Open the one-time set-up link that Quarterdeck showed when it started.")
            raise _refusal(request, sociallogin, _("Nobody has an account here yet."), hint)
        if sociallogin.is_existing or sociallogin.state.get("process") == AuthProcess.CONNECT:
            return
        user = _known_person(sociallogin)
        if user is not None:
            with transaction.atomic():
                sociallogin.connect(request, user)
        elif _is_address_taken(sociallogin):
            hint = _("Sign in to it, then connect the identity provider under My account.")
            raise _refusal(request, sociallogin, _("Somebody here has your e-mail address already."), hint)
        elif not self.is_open_for_signup(request, sociallogin):
            hint = _("Ask an administrator of this instance for an account.")
            raise _refusal(request, sociallogin, _("You have no account here."), hint)

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        with transaction.atomic():
            user: User = super().save_user(request, sociallogin, form)
            after = {"username": user.username, "email": user.email, "subject": sociallogin.account.uid}
            record(_PROVIDER, "access.create_user", user, after=after)
        return user

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """Record why nobody came in, and let the page tell a provider that is down from one that says no."""
        if extra_context is not None:
            extra_context["is_unreachable"] = isinstance(exception, Unreachable | RequestException)
        cause = str(exception or "") or _CAUSES.get(error, "the answer belongs to no sign-in of this browser")
        _record_refusal(request, "", cause)


def _refusal(request: HttpRequest, sociallogin: Any, sentence: str, hint: str) -> ImmediateHttpResponse:
    _record_refusal(request, str(sociallogin.account.uid), sentence)
    context = {"sentence": sentence, "hint": hint}
    return ImmediateHttpResponse(render(request, "socialaccount/refused.html", context, status=403))


def _record_refusal(request: HttpRequest, subject: str, cause: str) -> None:
    """Record it once a minute for each address and cause: whoever tries without end fills no disk."""
    actor = visitor(request, None, "openid_connect")
    key = hashlib.sha256(f"{actor.source_ip} {subject} {cause}".encode()).hexdigest()
    if cache.add(f"openid-refused:{key}", 1, _REFUSAL_IS_NOTED_EVERY_SECONDS):
        record(actor, "access.sign_in", ("user", "", subject), result="denied", error=cause[:500])


def _claims(sociallogin: Any) -> dict[str, Any]:
    """Return what the provider says of the person, from the user information and from the ID token."""
    return dict(sociallogin.account.extra_data["userinfo"])


def _known_person(sociallogin: Any) -> User | None:
    """Return the one active person with the address that the provider has verified, else None.

    Only an account that an administrator made and nobody has entered yet, and without roles: people write their own
    addresses, so whoever put somebody else's into an account in use would wait there for its owner. An address is also
    a weak reason to hand over an account that can do something. Everybody else connects the two by signing in first.
    """
    claims = _claims(sociallogin)
    email = str(claims.get("email") or "")
    if not email or claims.get("email_verified") is not True:
        return None
    found = list(User.objects.filter(email__iexact=email, is_active=True)[:2])
    if len(found) != 1 or found[0].last_login is not None:
        return None
    return None if found[0].role_bindings.exists() or found[0].groups.exists() else found[0]


def _is_address_taken(sociallogin: Any) -> bool:
    email = str(_claims(sociallogin).get("email") or "")
    return bool(email) and User.objects.filter(email__iexact=email).exists()


def join_groups(user: User, sociallogin: Any) -> None:
    """Make the person's groups those that the provider's claim names, as far as they exist here.

    They stay as they are, and the log says so, when nobody would be left as administrator.
    """
    claim = settings.QD["oidc_groups_claim"]
    named = _claims(sociallogin).get(claim) if claim else None
    if not isinstance(named, list):
        return
    wanted = list(Group.objects.filter(name__in=[str(name) for name in named]))
    before = {"groups": sorted(user.groups.values_list("name", flat=True))}
    after = {"groups": sorted(group.name for group in wanted)}
    if before == after:
        return
    try:
        with transaction.atomic():
            user.groups.set(wanted)
            require_an_administrator()
            record(_PROVIDER, "access.join_groups", user, before=before, after=after)
    except Conflict as error:
        wish = ", ".join(after["groups"])
        record(_PROVIDER, "access.join_groups", user, wish, before=before, result="denied", error=error.message)
