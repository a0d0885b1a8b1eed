"""Who asks, and whether this is a server at all."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from quarterdeck.access.checks import may
from quarterdeck.audit.actor import Actor
from quarterdeck.errors.artifacts.actions import UPLOAD


def whoami(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """Answer what `sentry-cli info` and `login` ask: who the token is."""
    scopes = ["project:releases", "org:ci"] if may(actor, UPLOAD) else []
    who = {"id": actor.id, "email": actor.name, "username": actor.name, "name": actor.name}
    return {"version": "0", "user": who, "auth": {"scopes": scopes}}
