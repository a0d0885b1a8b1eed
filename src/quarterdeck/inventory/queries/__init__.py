"""Reads of the inventory. Lists take the actor and give only what the actor may see."""

from quarterdeck.inventory.catalogue import AttributeSpec, TypeCatalogue, TypeSpec, catalogue
from quarterdeck.inventory.queries.change_sets import Touched, change_set, change_sets, changes_of, touched
from quarterdeck.inventory.queries.items import (
    SORTS,
    condition,
    counts,
    facets,
    get_item,
    items,
    stale,
    targets,
)
from quarterdeck.inventory.queries.looking import (
    Edge,
    Graph,
    Moment,
    drift,
    graph,
    history,
    moments,
    observations,
    proposals,
    relations,
    sync_runs,
    timeline,
    view_owner,
    views,
)
from quarterdeck.inventory.queries.paging import page
from quarterdeck.inventory.queries.searching import Completion, completions, search
from quarterdeck.inventory.queries.selecting import BUILTIN_FIELDS, ItemFields, label_names, relation_types
from quarterdeck.inventory.queries.surroundings import identities, merges, subgraph

__all__ = [
    "BUILTIN_FIELDS",
    "SORTS",
    "AttributeSpec",
    "Completion",
    "Edge",
    "Graph",
    "ItemFields",
    "Moment",
    "Touched",
    "TypeCatalogue",
    "TypeSpec",
    "catalogue",
    "change_set",
    "change_sets",
    "changes_of",
    "completions",
    "condition",
    "counts",
    "drift",
    "facets",
    "get_item",
    "graph",
    "history",
    "identities",
    "items",
    "label_names",
    "merges",
    "moments",
    "observations",
    "page",
    "proposals",
    "relation_types",
    "relations",
    "search",
    "stale",
    "subgraph",
    "sync_runs",
    "targets",
    "timeline",
    "touched",
    "view_owner",
    "views",
]
