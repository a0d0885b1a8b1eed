"""Browsers of the three people, and a small fleet."""

from __future__ import annotations

import pytest
from django.test import Client

from quarterdeck.access.models import User
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory import actions
from quarterdeck.inventory.models import Item


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def as_owner(owner_user: User) -> Client:
    return signed_in(owner_user)


@pytest.fixture
def as_teammate(teammate_user: User) -> Client:
    """May work on env:prod only."""
    return signed_in(teammate_user)


@pytest.fixture
def as_stranger(stranger_user: User) -> Client:
    return signed_in(stranger_user)


@pytest.fixture
def web1(owner: Actor) -> Item:
    return actions.create_item(owner, "host", "web1", {"env": "prod", "cpu_count": 8}, labels={"role": "web"})


@pytest.fixture
def lab1(owner: Actor) -> Item:
    """Out of the teammate's reach."""
    return actions.create_item(owner, "host", "lab1", {"env": "lab"})
