"""Relations between items."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from quarterdeck.api.auth import identify
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.routers.items import find
from quarterdeck.api.shapes import Body, Id, Line
from quarterdeck.api.shapes.items import RelationPage, RelationRow, relation_row
from quarterdeck.inventory import actions, queries

router = Router()


class NewRelation(Body):
    """`src` -> `dst`: app1 `depends_on` db1."""

    src: Id
    dst: Id
    type: Line


@router.get("/items/{int:item_id}/relations", response=RelationPage)
def list_(
    request: HttpRequest, response: HttpResponse, item_id: Id, limit: Limit = 100, after: After = ""
) -> dict[str, Any]:
    """List an item's relations in both directions."""
    actor = identify(request)
    rows, cursor = by_id(queries.relations(actor, find(actor, item_id)), after, limit)
    return page(request, response, [relation_row(row) for row in rows], cursor)


@router.post("/relations", response={201: RelationRow})
def create(request: HttpRequest, body: NewRelation) -> Status[RelationRow]:
    """Relate two items; doing it again changes nothing."""
    actor = identify(request)
    relation = actions.relate(actor, find(actor, body.src), body.type, find(actor, body.dst))
    return Status(201, relation_row(relation))


@router.post("/relations/remove", response={204: None})
def remove(request: HttpRequest, body: NewRelation) -> Status[None]:
    """Take a relation away."""
    actor = identify(request)
    actions.unrelate(actor, find(actor, body.src), body.type, find(actor, body.dst))
    return Status(204, None)
