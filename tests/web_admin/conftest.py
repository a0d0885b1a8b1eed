"""Browsers of the three people of `tests.people`."""

from __future__ import annotations

import pytest
from django.test import Client

from quarterdeck.access.models import User


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def as_owner(owner_user: User) -> Client:
    return signed_in(owner_user)


@pytest.fixture
def as_teammate(teammate_user: User) -> Client:
    return signed_in(teammate_user)


@pytest.fixture
def as_stranger(stranger_user: User) -> Client:
    return signed_in(stranger_user)
