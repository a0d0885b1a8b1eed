"""API tokens: one's own, or everybody's for those who manage access."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from quarterdeck.access import actions, roles
from quarterdeck.access.checks import require
from quarterdeck.access.models import Token
from quarterdeck.api.auth import identify
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.shapes import Body, Id, Line, moment

router = Router()


class TokenRow(TypedDict):
    """A token; `hint` is how its text begins. The rest of it is kept by nobody."""

    id: int
    name: str
    hint: str
    roles: list[str]
    owner: str
    created_by: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class NewTokenRow(TokenRow):
    """A token with its text, which is shown this once."""

    token: str


class TokenPage(Schema):
    items: list[TokenRow]
    next: str | None


class NewToken(Body):
    name: str = Field(min_length=1, max_length=120)
    roles: list[Line] = Field(min_length=1, max_length=100)
    expires_at: AwareDatetime | None = None


def _row(token: Token) -> TokenRow:
    return {
        "id": token.pk,
        "name": token.name,
        "hint": token.hint,
        "roles": sorted(role.name for role in token.roles.all()),
        "owner": token.user.username if token.user else "",
        "created_by": token.created_by,
        "created_at": moment(token.created_at) or "",
        "expires_at": moment(token.expires_at),
        "last_used_at": moment(token.last_used_at),
        "revoked_at": moment(token.revoked_at),
    }


@router.get("/tokens", response=TokenPage)
def list_(request: HttpRequest, response: HttpResponse, limit: Limit = 100, after: After = "") -> dict[str, Any]:
    """List tokens."""
    actor = identify(request)
    require(actor, "access.tokens")
    rows, cursor = by_id(roles.tokens_of(actor), after, limit)
    return page(request, response, [_row(token) for token in rows], cursor)


@router.post("/tokens", response={201: NewTokenRow})
def create(request: HttpRequest, response: HttpResponse, body: NewToken) -> Status[dict[str, Any]]:
    """Create a token with roles that one has oneself. Its text is in this answer only."""
    response["Cache-Control"] = "no-store"
    token, plain = actions.create_token(identify(request), body.name, body.roles, expires_at=body.expires_at)
    return Status(201, {**_row(token), "token": plain})


@router.delete("/tokens/{int:token_id}", response={204: None})
def revoke(request: HttpRequest, token_id: Id) -> Status[None]:
    """Revoke a token: its next request is refused."""
    actions.revoke_token(identify(request), token_id)
    return Status(204, None)
