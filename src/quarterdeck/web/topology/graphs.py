"""What the graph island draws: items and relations, around one item or of a query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.inventory import queries
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries import Edge
from quarterdeck.web.templatetags.qd import tone

MAX_NODES = 500
MAX_DEPTH = 6
# The other end of this many relations is named in the list; the graph shows all.
MAX_LISTED_RELATIONS = 12


@dataclass(slots=True)
class Picture:
    """Items with their relations; `is_cut` tells that a cap left something out."""

    root: Item | None
    nodes: dict[int, Item]
    edges: Sequence[Edge]
    is_cut: bool


def around(actor: Actor, item: Item, depth: int, direction: str) -> Picture:
    found = queries.graph(actor, item, depth, MAX_NODES, direction=direction)
    return Picture(item, found.nodes, found.edges, found.is_cut)


def of_query(actor: Actor, q: str) -> Picture:
    """Return the first items of a query and the relations between them. Raises BadQuery."""
    found = queries.subgraph(actor, q, MAX_NODES)
    return Picture(None, found.nodes, found.edges, found.is_cut)


def as_json(picture: Picture) -> dict[str, Any]:
    """Return what islands/graph.ts reads."""
    types = catalogue().by_id
    kinds = sorted((types[pk] for pk in {node.type_id for node in picture.nodes.values()}), key=lambda spec: spec.title)
    return {
        "root": picture.root.pk if picture.root else None,
        "kinds": [{"code": spec.code, "title": spec.title} for spec in kinds],
        "nodes": [_node(node) for node in picture.nodes.values()],
        "edges": [{"source": edge.src, "target": edge.dst, "title": edge.type} for edge in picture.edges],
    }


def _node(item: Item) -> dict[str, Any]:
    spec = catalogue().by_id[item.type_id]
    detail = " · ".join(filter(None, [spec.title, str(item.get_state_display()), item.primary_ip]))
    return {
        "id": item.pk,
        "name": item.name,
        "kind": spec.code,
        "detail": detail,
        "tone": tone(item.state),
        "url": reverse("web:item", args=[item.pk]),
    }


@dataclass(frozen=True, slots=True)
class Listed:
    """An item in words: what it is related to in the picture."""

    item: Item
    relations: list[tuple[str, Item]]
    more: int


def listed(picture: Picture) -> list[Listed]:
    """Return the picture as a list, by type and name: for the keyboard and for screen readers."""
    outgoing: dict[int, list[tuple[str, Item]]] = {}
    for edge in picture.edges:
        outgoing.setdefault(edge.src, []).append((edge.type, picture.nodes[edge.dst]))
    return [_listed(item, outgoing.get(item.pk, [])) for item in _in_order(picture.nodes.values())]


def _listed(item: Item, relations: list[tuple[str, Item]]) -> Listed:
    return Listed(item, relations[:MAX_LISTED_RELATIONS], max(0, len(relations) - MAX_LISTED_RELATIONS))


def _in_order(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (item.type.code, item.name.lower()))


def directions() -> list[tuple[str, str]]:
    return [("both", _("Both directions")), ("out", _("What it needs")), ("in", _("What depends on it"))]
