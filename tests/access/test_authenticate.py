"""Tokens, the first set-up, signing in with password and second factor."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib.auth.hashers import identify_hasher
from django.core.cache import cache
from django.test import Client
from tests.people import person

from quarterdeck.access import actions
from quarterdeck.access.checks import may
from quarterdeck.access.models import OneTimeLink, Token, User
from quarterdeck.access.tokens import authenticate_token
from quarterdeck.audit.actor import ANONYMOUS, SYSTEM, Actor, ActorKind
from quarterdeck.audit.models import AuditEvent
from quarterdeck.conf import settings as product
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, NotFound, Unauthenticated

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture(autouse=True)
def _no_attempts_yet() -> None:
    cache.clear()


def newest() -> AuditEvent:
    return AuditEvent.objects.latest("seq")


def alice() -> User:
    user = person("alice")
    user.set_password(PASSWORD)
    user.save()
    return user


def sign_in(client: Client, password: str = PASSWORD, name: str = "alice") -> object:
    return client.post("/accounts/login/", {"login": name, "password": password})


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_token_is_stored_as_its_digest_only() -> None:
    token, plain = actions.create_token(SYSTEM, "ci", ["viewer"])
    assert authenticate_token(plain).id == str(token.pk)
    stored = Token.objects.filter(pk=token.pk).values().get()
    assert plain not in str(stored)
    assert plain not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize("reason", ["unknown", "expired", "revoked", "owner inactive"])
def test_a_token_is_refused(owner: Actor, owner_user: User, reason: str) -> None:
    token, plain = actions.create_token(owner, "ci", ["viewer"], expires_at=now() + timedelta(hours=1))
    if reason == "unknown":
        plain += "x"
    elif reason == "expired":
        Token.objects.update(expires_at=now() - timedelta(seconds=1))
    elif reason == "revoked":
        actions.revoke_token(owner, token)
    else:
        User.objects.filter(pk=owner_user.pk).update(is_active=False)
    with pytest.raises(Unauthenticated):
        authenticate_token(plain)


def test_the_use_of_a_token_is_noted() -> None:
    token, plain = actions.create_token(SYSTEM, "ci", ["viewer"])
    authenticate_token(plain)
    token.refresh_from_db()
    assert token.last_used_at is not None


def test_somebody_elses_token_is_not_theirs_to_revoke(owner: Actor, teammate: Actor) -> None:
    token, plain = actions.create_token(owner, "ci", ["viewer"])
    with pytest.raises(NotFound):
        actions.revoke_token(teammate, token)
    assert authenticate_token(plain).id == str(token.pk)


def test_the_set_up_link_makes_one_administrator_once() -> None:
    secret = actions.setup_link(SYSTEM)
    assert secret not in str(list(OneTimeLink.objects.values()))
    user = actions.complete_setup(ANONYMOUS, secret, "alice", "alice@example.com", PASSWORD)
    assert may(Actor(ActorKind.USER, "alice", str(user.pk)), "access.manage")
    with pytest.raises(NotFound):
        actions.complete_setup(ANONYMOUS, secret, "mallory", "", PASSWORD)
    assert (newest().verb, newest().result) == ("access.setup", "error")
    with pytest.raises(Conflict):
        actions.setup_link(SYSTEM)


def test_the_set_up_link_expires() -> None:
    secret = actions.setup_link(SYSTEM)
    OneTimeLink.objects.update(expires_at=now())
    with pytest.raises(NotFound):
        actions.complete_setup(ANONYMOUS, secret, "alice", "", PASSWORD)


@pytest.mark.parametrize("password", ["", "short", "alice", "123456789012345", "passwordpassword"[:8]])
def test_the_set_up_takes_no_weak_password(password: str) -> None:
    secret = actions.setup_link(SYSTEM)
    with pytest.raises(BadInput):
        actions.complete_setup(ANONYMOUS, secret, "alice", "alice@example.com", password)
    assert not User.objects.exists()
    actions.complete_setup(ANONYMOUS, secret, "alice", "alice@example.com", PASSWORD)


def test_passwords_are_kept_by_argon2(settings: Any) -> None:
    settings.PASSWORD_HASHERS = product.PASSWORD_HASHERS
    assert product.PASSWORD_HASHERS == ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    assert identify_hasher(alice().password).algorithm == "argon2"


def test_signing_in_and_out_is_recorded(client: Client) -> None:
    alice()
    sign_in(client)
    assert is_signed_in(client)
    assert (newest().verb, newest().actor_name, newest().result) == ("access.sign_in", "alice", "ok")
    assert newest().auth_method == "password"
    client.post("/accounts/logout/")
    assert not is_signed_in(client)
    assert newest().verb == "access.sign_out"


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_a_wrong_password_is_recorded_without_the_password(client: Client, name: str) -> None:
    alice()
    sign_in(client, "not the password", name)
    assert not is_signed_in(client)
    event = newest()
    assert (event.verb, event.result, event.object_name) == ("access.sign_in", "denied", name)
    assert "not the password" not in str(AuditEvent.objects.values().get(seq=event.seq))


def test_it_is_throttled_after_five_wrong_passwords(client: Client) -> None:
    alice()
    for _ in range(5):
        sign_in(client, "wrong")
    sign_in(client)
    assert not is_signed_in(client)
    sign_in(Client(REMOTE_ADDR="198.51.100.7"))
    assert not is_signed_in(client)


def test_an_inactive_person_cannot_sign_in(client: Client) -> None:
    User.objects.filter(pk=alice().pk).update(is_active=False)
    sign_in(client)
    assert not is_signed_in(client)


def test_nobody_signs_up(client: Client) -> None:
    client.post("/accounts/signup/", {"username": "m", "email": "", "password1": PASSWORD, "password2": PASSWORD})
    assert not User.objects.exists()


def code_now() -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(SECRET, counter))


def test_a_second_factor_is_asked_for_and_kept_encrypted(client: Client) -> None:
    TOTP.activate(alice(), SECRET)
    assert SECRET not in str(Authenticator.objects.values().get())
    sign_in(client)
    assert not is_signed_in(client)
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert not is_signed_in(client)
    assert (newest().verb, newest().result) == ("access.second_factor", "denied")
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    assert is_signed_in(client)
    assert (newest().verb, newest().result, newest().auth_method) == ("access.sign_in", "ok", "password+totp")


def test_deactivating_somebody_signs_them_out(client: Client, owner: Actor) -> None:
    user = alice()
    sign_in(client)
    actions.update_user(owner, user, {"is_active": False})
    assert not is_signed_in(client)


def test_a_refused_token_is_recorded_once_a_minute(client: Client) -> None:
    for _ in range(3):
        client.get("/api/v1/me", headers={"Authorization": "Bearer qd_guess"})
    refused = AuditEvent.objects.filter(verb="access.sign_in", result="denied", object_kind="token")
    assert refused.count() == 1
