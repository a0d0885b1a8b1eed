"""Reads for pages that show more than one item's own record: the relations within a query, merges, identities."""

from __future__ import annotations

from django.db.models import QuerySet

from quarterdeck.access.checks import visible
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.models import Identity, Item, Merge, Relation
from quarterdeck.inventory.queries.items import items
from quarterdeck.inventory.queries.looking import Edge, Graph

_MAX_EDGES = 5_000


def subgraph(actor: Actor, q: str, nodes: int = 500) -> Graph:
    """Return the first `nodes` items of a query and the relations between them. Three queries. Raises BadQuery."""
    found = {item.pk: item for item in items(actor, q)[: nodes + 1]}
    kept = dict(list(found.items())[:nodes])
    rows = Relation.objects.filter(src_id__in=kept, dst_id__in=kept).values_list("src_id", "dst_id", "type", "source")
    edges = [Edge(*row) for row in rows[: _MAX_EDGES + 1]]
    is_cut = len(found) > nodes or len(edges) > _MAX_EDGES
    return Graph(kept, dict.fromkeys(kept, 0), edges[:_MAX_EDGES], is_cut)


def merges(actor: Actor) -> QuerySet[Merge]:
    """Return merges that can be undone, newest first, whose both items the actor may see."""
    seen = visible(actor, "inventory.view", Item.objects.all()).values("pk")
    return Merge.objects.filter(undone_at=None, kept_id__in=seen, other_id__in=seen).order_by("-pk")


def identities(item: Item) -> list[Identity]:
    """Return the keys by which sources find the item, strongest first; each once, however many sources tell it."""
    rows = Identity.objects.filter(item=item).order_by("strength", "kind", "value", "source")
    return list({(row.kind, row.value): row for row in rows}.values())
