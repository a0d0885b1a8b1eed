"""Roles: which verbs on which items."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.access import actions, registry, roles
from quarterdeck.access.checks import require
from quarterdeck.access.models import Role
from quarterdeck.access.people import role_named
from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Body, Line, QueryText, UrlQuery
from quarterdeck.api.shapes.items import ItemRow, item_row
from quarterdeck.inventory.models import Item

router = Router()


class RoleRow(TypedDict):
    """A role grants `verbs` ("inventory.*") on the items that `query` selects; the empty query selects all."""

    name: str
    title: str
    description: str
    verbs: list[str]
    query: str
    builtin: bool


class Roles(Schema):
    items: list[RoleRow]


class VerbRow(TypedDict):
    """A right. A `scoped` one is granted on items, another one on the whole product."""

    name: str
    title: str
    scoped: bool


class Verbs(Schema):
    items: list[VerbRow]


class RoleValues(Body):
    verbs: list[Line] = Field(min_length=1, max_length=200)
    query: QueryText = ""
    title: str = Field("", max_length=120)
    description: str = Field("", max_length=10_000)


class Selected(Schema):
    """What a query would cover now: how many items, and the first few."""

    count: int
    sample: list[ItemRow]


def _row(role: Role) -> RoleRow:
    return {name: getattr(role, name) for name in RoleRow.__annotations__}  # type: ignore[return-value]


@router.get("/roles", response=Roles)
def list_(request: HttpRequest) -> dict[str, Any]:
    """List the roles."""
    require(identify(request), "access.view")
    return {"items": [_row(role) for role in Role.objects.all()]}


@router.get("/roles/preview", response=Selected)
def preview(request: HttpRequest, q: UrlQuery = "") -> dict[str, Any]:
    """Tell which items a role with this query would cover."""
    found = roles.preview(identify(request), q)
    return {"count": found.count, "sample": [item_row(item) for item in found.sample if isinstance(item, Item)]}


@router.get("/verbs", response=Verbs)
def verbs(request: HttpRequest) -> dict[str, Any]:
    """List every right that a role can grant."""
    require(identify(request), "access.view")
    found = registry.verbs().values()
    return {"items": [{"name": verb.name, "title": str(verb.title), "scoped": verb.scoped} for verb in found]}


@router.get("/roles/{slug:name}", response=RoleRow)
def read(request: HttpRequest, name: Line) -> RoleRow:
    """Read one role."""
    require(identify(request), "access.view")
    return _row(role_named(name))


@router.put("/roles/{slug:name}", response=RoleRow)
def put(request: HttpRequest, name: Line, body: RoleValues) -> RoleRow:
    """Create a role, or change it. Nobody can grant more than they have."""
    return _row(actions.set_role(identify(request), name, **body.dict()))


@router.delete("/roles/{slug:name}", response={204: None})
def delete(request: HttpRequest, name: Line) -> Status[None]:
    """Delete a role; who had it loses it."""
    actions.delete_role(identify(request), name)
    return Status(204, None)
