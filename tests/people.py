"""The same three people in every test, so that a test of permissions takes four lines.

owner      administrator
teammate   operator on `env:prod`
stranger   signed in, without any role
"""

from __future__ import annotations

import pytest

from quarterdeck.access.models import Role, RoleBinding, User
from quarterdeck.audit.actor import Actor, ActorKind

PASSWORD = "correct horse battery staple"


def person(username: str, *roles: str) -> Actor:
    """Return a new user with these roles as an actor. Its password is PASSWORD."""
    user = User.objects.create_user(username, email=f"{username}@example.com", password=PASSWORD)
    RoleBinding.objects.bulk_create(RoleBinding(role=Role.objects.get(name=name), user=user) for name in roles)
    return acting(user)


def acting(user: User) -> Actor:
    """Return a user as an actor."""
    return Actor(ActorKind.USER, user.username, str(user.pk), auth_method="password", source_ip="192.0.2.7")


def role(name: str, verbs: list[str], query: str = "") -> Role:
    """Return a role that exists from now on, whatever it grants."""
    return Role.objects.create(name=name, verbs=verbs, query=query)


@pytest.fixture
def owner(db: None) -> Actor:
    return person("owner", "admin")


@pytest.fixture
def teammate(db: None) -> Actor:
    role("operator-prod", Role.objects.get(name="operator").verbs, "env:prod")
    return person("teammate", "operator-prod")


@pytest.fixture
def stranger(db: None) -> Actor:
    return person("stranger")
