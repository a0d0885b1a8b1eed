"""Who is behind an actor."""

from __future__ import annotations

from quarterdeck.access.models import Token
from quarterdeck.audit.actor import Actor, ActorKind


def person_of(actor: Actor) -> str:
    """Return the same for all doors of a person: "user:7" for them and for each of their tokens."""
    if actor.kind is ActorKind.TOKEN:
        owner = Token.objects.filter(pk=int(actor.id)).values_list("user_id", flat=True).first()
        if owner is not None:
            return f"user:{owner}"
    return f"{actor.kind.value}:{actor.id or actor.name}"
