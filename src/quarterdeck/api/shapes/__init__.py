"""The JSON shapes of the API: what is taken (strict schemas) and what is answered (typed dictionaries)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

MAX_ID = 2**63 - 1
Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Json = Any
# NUL cannot be stored by PostgreSQL; `codec` refuses it in bodies and `edge` in addresses.
Line = Annotated[str, StringConstraints(max_length=255)]
Reason = Annotated[str, StringConstraints(max_length=500)]
QueryText = Annotated[str, StringConstraints(max_length=200_000)]
# In an address; the HTTP server takes 64 KB for all of it.
UrlQuery = Annotated[str, StringConstraints(max_length=20_000)]


class Body(Schema):
    """A request's body. A name that it does not know is an error, so that a typing mistake is never "no change"."""

    model_config = ConfigDict(extra="forbid")


class Changed(Schema):
    """How many things a bulk write changed, and as which change set: `POST /changes/{id}/undo` takes that back."""

    changed: int
    change_set: int | None = None


def moment(at: datetime | None) -> str | None:
    """Return "2026-05-01T12:30:00.123456Z"; None stays None."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
