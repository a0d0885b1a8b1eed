"""The same three people everywhere: `owner` may everything, `teammate` works on env:prod, `stranger` has no role."""

from __future__ import annotations

import pytest

from quarterdeck.access.models import Role, RoleBinding, User
from quarterdeck.audit.actor import Actor, ActorKind


def person(name: str, *roles: Role) -> User:
    """Make an account with `roles` and a password of its own name twice."""
    user = User.objects.create_user(name, f"{name}@example.com", f"{name}-{name}-0")
    for role in roles:
        RoleBinding.objects.create(role=role, user=user)
    return user


def actor(user: User) -> Actor:
    """The signed-in person as actions see them."""
    return Actor(ActorKind.USER, user.username, str(user.pk), auth_method="session")


@pytest.fixture
def owner_user(db: None) -> User:
    return person("owner", Role.objects.get(name="admin"))


@pytest.fixture
def teammate_user(db: None) -> User:
    verbs = ["inventory.*", "telemetry.query", "access.tokens"]
    role, _made = Role.objects.get_or_create(name="prod-operator", defaults={"verbs": verbs, "query": "env:prod"})
    return person("teammate", role)


@pytest.fixture
def stranger_user(db: None) -> User:
    return person("stranger")


@pytest.fixture
def owner(owner_user: User) -> Actor:
    return actor(owner_user)


@pytest.fixture
def teammate(teammate_user: User) -> Actor:
    return actor(teammate_user)


@pytest.fixture
def stranger(stranger_user: User) -> Actor:
    return actor(stranger_user)
