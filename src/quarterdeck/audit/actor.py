"""Who acts. Every action takes an `Actor`; nothing asks for "the current request"."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import uuid4


class ActorKind(StrEnum):
    USER = "user"
    TOKEN = "token"  # noqa: S105 - the word, not a secret
    SCHEDULE = "schedule"
    SYSTEM = "system"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a token, a schedule or the system itself, with where the call came from.

    `id` is the primary key of the user or token ("" for the system); `name` is what people read. `request_id` joins
    everything that one call caused.
    """

    kind: ActorKind
    name: str
    id: str = ""
    auth_method: str = ""
    source_ip: str = ""
    user_agent: str = ""
    request_id: str = field(default_factory=lambda: uuid4().hex)

    def named(self, name: str) -> Actor:
        """The same actor under another name, for a part of the system ("system:sync")."""
        return replace(self, name=name)


SYSTEM = Actor(ActorKind.SYSTEM, "system")
ANONYMOUS = Actor(ActorKind.ANONYMOUS, "anonymous")
