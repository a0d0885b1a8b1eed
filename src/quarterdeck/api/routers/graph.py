"""What an item is related to, and what depends on it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.routers.items import find
from quarterdeck.api.shapes import Id, Line
from quarterdeck.inventory import queries
from quarterdeck.inventory.models import Item

router = Router()


class Node(TypedDict):
    """An item in the graph; `level` is its distance from the first one in steps."""

    id: int
    type: str
    name: str
    state: str
    lifecycle: str
    env: str
    level: int


class Edge(TypedDict):
    src: int
    dst: int
    type: str
    source: str


class Graph(Schema):
    """`is_cut` tells that a limit left something out."""

    nodes: list[Node]
    edges: list[Edge]
    is_cut: bool


def _node(item: Item, level: int) -> Node:
    return {
        "id": item.pk,
        "type": item.type.code,
        "name": item.name,
        "state": item.state,
        "lifecycle": item.lifecycle,
        "env": item.env,
        "level": level,
    }


@router.get("/items/{int:item_id}/graph", response=Graph)
def read(
    request: HttpRequest,
    item_id: Id,
    depth: Annotated[int, Query(3, ge=1, le=10, description="Steps away from the item.")] = 3,
    nodes: Annotated[int, Query(500, ge=1, le=2000, description="At most so many items.")] = 500,
    direction: Literal["both", "out", "in"] = "both",
    types: Line = "",
) -> dict[str, Any]:
    """Answer the items around one item and the relations between them.

    `direction=out` is what it needs, `in` what breaks when it breaks; `types=runs_on,depends_on` follows these only.
    """
    actor = identify(request)
    kinds = [kind.strip() for kind in types.split(",") if kind.strip()]
    found = queries.graph(actor, find(actor, item_id), depth, nodes, direction=direction, types=kinds)
    edges = [{"src": edge.src, "dst": edge.dst, "type": edge.type, "source": edge.source} for edge in found.edges]
    return {
        "nodes": [_node(item, found.level[pk]) for pk, item in found.nodes.items()],
        "edges": edges,
        "is_cut": found.is_cut,
    }
