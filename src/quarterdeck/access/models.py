"""People, groups, roles scoped by query, tokens."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person who signs in."""
