"""Secret values, shown one at a time to those who may, with a reason and an audit record."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.routers.items import find
from quarterdeck.api.shapes import Body, Id, Line
from quarterdeck.inventory import actions

router = Router()


class Revealed(TypedDict):
    value: str


class Need(Body):
    """Why it must be seen, for the audit log."""

    reason: str = Field(min_length=3, max_length=500)


@router.post("/items/{int:item_id}/secrets/{field}", response=Revealed)
def reveal(request: HttpRequest, response: HttpResponse, item_id: Id, field: Line, body: Need) -> Revealed:
    """Show the value of a secret attribute."""
    response["Cache-Control"] = "no-store"
    actor = identify(request)
    return {"value": actions.reveal_secret(actor, find(actor, item_id), field, reason=body.reason)}
