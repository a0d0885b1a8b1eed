"""Reads about one item: relations as a graph, history, timeline, what each source says, drift."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from quarterdeck.access.checks import may, visible
from quarterdeck.access.grants import allowed
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.inventory.models import (
    Change,
    Drift,
    Item,
    Lifecycle,
    MergeProposal,
    Observation,
    Relation,
    SavedView,
    SyncRun,
    TimelineEvent,
)
from quarterdeck.inventory.queries.items import items


@dataclass(frozen=True, slots=True)
class Edge:
    src: int
    dst: int
    type: str
    source: str


@dataclass(slots=True)
class Graph:
    """Items around one item. `level` is the distance in steps; `is_cut` tells that a cap left something out."""

    nodes: dict[int, Item] = field(default_factory=dict)
    level: dict[int, int] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    is_cut: bool = False


# Edges looked at per level: an item that everything depends on must not load the whole inventory.
_MAX_EDGES = 5_000


def graph(
    actor: Actor,
    item: Item,
    depth: int = 3,
    nodes: int = 500,
    *,
    direction: str = "both",
    types: Sequence[str] = (),
) -> Graph:
    """Return what is related to `item` within `depth` steps: breadth first, two queries per level, cycles are safe.

    `direction` is "both", "out" (what it needs) or "in" (what breaks when it breaks). Items that the actor may not
    see end the walk.
    """
    result = Graph({item.pk: item}, {item.pk: 0})
    seen: dict[tuple[int, int, str], Edge] = {}
    frontier = [item.pk]
    for level in range(1, max(1, depth) + 1):
        found = _edges_of(frontier, direction, types)
        result.is_cut |= len(found) > _MAX_EDGES
        ends = dict.fromkeys(end for edge in found for end in (edge.src, edge.dst) if end not in result.nodes)
        room = max(0, nodes - len(result.nodes))
        result.is_cut |= len(ends) > room
        known = _visible_items(actor, list(ends)[:room])
        result.nodes.update(known)
        result.level.update(dict.fromkeys(known, level))
        seen.update({(edge.src, edge.dst, edge.type): edge for edge in found})
        frontier = list(known)
        if not frontier:
            break
    result.edges = [edge for edge in seen.values() if edge.src in result.nodes and edge.dst in result.nodes]
    return result


def _edges_of(ids: Sequence[int], direction: str, types: Sequence[str]) -> list[Edge]:
    sides = {"out": Q(src_id__in=ids), "in": Q(dst_id__in=ids)}
    rows = Relation.objects.filter(type__in=types) if types else Relation.objects.all()
    found: dict[tuple[int, int, str], Edge] = {}
    # Two statements rather than one OR: each walks its own index.
    for side in ("out", "in") if direction == "both" else (direction,):
        for src, dst, kind, source in rows.filter(sides[side]).values_list("src_id", "dst_id", "type", "source")[
            : _MAX_EDGES + 1
        ]:
            found[(src, dst, kind)] = Edge(src, dst, kind, source)
    return list(found.values())


def _visible_items(actor: Actor, ids: Sequence[int]) -> dict[int, Item]:
    rows = visible(actor, "inventory.view", Item.objects.filter(pk__in=ids)).exclude(
        lifecycle__in=(Lifecycle.RETIRED, Lifecycle.TRASHED)
    )
    return {row.pk: row for row in rows.select_related("type", "seen")}


def relations(actor: Actor, item: Item) -> QuerySet[Relation]:
    """Return the item's relations in both directions, with both ends loaded; only to items that the actor may see."""
    seen = visible(actor, "inventory.view", Item.objects.all()).values("pk")
    rows = Relation.objects.filter(Q(src=item, dst__in=seen) | Q(dst=item, src__in=seen))
    return rows.select_related("src__type", "dst__type").order_by("type", "src__name", "dst__name", "pk")


def history(actor: Actor, item: Item, before: int | None = None, limit: int = 1000) -> list[Change]:
    """Return field-level changes, newest first, with their change sets; `before` is the id of the last one shown.

    A change of a relation names the other item only to those who may see that one.
    """
    rows = Change.objects.filter(item=item).select_related("change_set", "item").order_by("-pk")
    rows = rows.filter(pk__lt=before) if before else rows
    found = list(rows[: max(1, min(limit, 1000))])
    hide_names(actor, found)
    return found


def hide_names(actor: Actor, changes: Sequence[Change]) -> None:
    """Empty the names of related items that the actor may not see; who may see all also reads those of purged ones."""
    if not allowed(actor, "inventory.view", Item):
        return
    targets = [
        value
        for change in changes
        if change.field.startswith("relation.")
        for value in (change.old, change.new)
        if isinstance(value, dict)
    ]
    ids = {target["id"] for target in targets}
    seen = set(visible(actor, "inventory.view", Item.objects.filter(pk__in=ids)).values_list("pk", flat=True))
    for target in targets:
        if target["id"] not in seen:
            target["name"] = ""


# Whose timeline: of an item, of several, or (None) of all.
Of = Item | Collection[Item] | None


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a timeline. `kind` is "inventory.change" for changes, else the event's own."""

    at: datetime
    kind: str
    severity: str
    title: str
    actor: str
    item_id: int | None
    item_name: str
    detail: Mapping[str, Any]


def timeline(actor: Actor, item: Of = None, *, q: str = "", kinds: Sequence[str] = ()) -> QuerySet[TimelineEvent]:
    """Return events, newest first: of one item or some, or of all that the actor may see and of the fleet as a whole.

    Changes of items are not events; `moments` has both.
    """
    rows = TimelineEvent.objects.filter(kind__in=kinds) if kinds else TimelineEvent.objects.all()
    if item is not None:
        rows = rows.filter(_of(item))
    else:
        mine = Q(item_id__in=items(actor, q or "lifecycle:*").order_by().values("pk"))
        rows = rows.filter(mine | Q(item=None) if not q and may(actor, "inventory.view") else mine)
    return rows.select_related("item").order_by("-at", "-pk")


def moments(
    actor: Actor,
    item: Of = None,
    *,
    q: str = "",
    since: datetime | None = None,
    before: datetime | None = None,
    kinds: Sequence[str] = (),
    limit: int = 50,
) -> list[Moment]:
    """Return what happened, newest first, at most `limit` lines: events, and as one line what one call changed of an
    item."""
    limit = max(1, min(limit, 1000))
    found = _events(actor, item, q, since, before, kinds, limit)
    if not kinds or "inventory.change" in kinds:
        found.extend(_changes(actor, item, q, since, before, limit))
    return sorted(found, key=lambda one: one.at, reverse=True)[:limit]


def _of(item: Item | Collection[Item]) -> Q:
    return Q(item=item) if isinstance(item, Item) else Q(item__in=[one.pk for one in item])


def _window(since: datetime | None, before: datetime | None, column: str) -> Q:
    window = Q(**{f"{column}__gte": since}) if since else Q()
    return window & Q(**{f"{column}__lt": before}) if before else window


def _events(
    actor: Actor,
    item: Of,
    q: str,
    since: datetime | None,
    before: datetime | None,
    kinds: Sequence[str],
    limit: int,
) -> list[Moment]:
    rows = timeline(actor, item, q=q, kinds=kinds).filter(_window(since, before, "at"))
    return [
        Moment(
            row.at,
            row.kind,
            row.severity,
            row.title,
            row.actor,
            row.item_id,
            row.item.name if row.item else "",
            row.detail,
        )
        for row in rows[:limit]
    ]


def _changes(
    actor: Actor, item: Of, q: str, since: datetime | None, before: datetime | None, limit: int
) -> list[Moment]:
    rows = Change.objects.filter(_window(since, before, "change_set__at"))
    if item is not None:
        rows = rows.filter(_of(item))
    else:
        rows = rows.filter(item_id__in=items(actor, q or "lifecycle:*").order_by().values("pk"))
    grouped: dict[tuple[int, int], list[Change]] = {}
    for row in rows.select_related("change_set", "item").order_by("-pk")[: limit * 10]:
        grouped.setdefault((row.change_set_id, row.item_id), []).append(row)
    return [_moment(group) for group in list(grouped.values())[:limit]]


def _moment(group: Sequence[Change]) -> Moment:
    first = group[0]
    names = sorted(change.field for change in group if change.field)
    is_new = any(not change.field for change in group)
    return Moment(
        first.change_set.at,
        "inventory.created" if is_new else "inventory.change",
        "info",
        ", ".join(names[:8]) + ("..." if len(names) > 8 else ""),
        first.change_set.actor,
        first.item_id,
        first.item.name,
        {
            "change_set": first.change_set_id,
            "source": first.change_set.source,
            "fields": names,
            "lifecycle": next((change.new for change in group if change.field == "lifecycle"), ""),
            "reason": first.change_set.reason,
        },
    )


def observations(item: Item) -> QuerySet[Observation]:
    """Return what each source last said of the item."""
    return Observation.objects.filter(item=item).select_related("type", "sighting").order_by("source", "scope", "pk")


def drift(actor: Actor, q: str = "", *, acknowledged: bool | None = False) -> QuerySet[Drift]:
    """Return where wish and observation differ, oldest first; `acknowledged` None means both."""
    rows = Drift.objects.filter(item_id__in=items(actor, q).order_by().values("pk"))
    if acknowledged is not None:
        rows = rows.filter(acknowledged_at__isnull=not acknowledged)
    return rows.select_related("item__type").order_by("since", "pk")


def proposals(actor: Actor) -> QuerySet[MergeProposal]:
    """Return open merge proposals whose both items the actor may see."""
    seen = visible(actor, "inventory.view", Item.objects.all()).values("pk")
    rows = MergeProposal.objects.filter(decision=MergeProposal.Decision.OPEN, first_id__in=seen, second_id__in=seen)
    return rows.select_related("first__type", "second__type").order_by("pk")


def views(actor: Actor) -> QuerySet[SavedView]:
    """Return the actor's own saved views and the shared ones."""
    return SavedView.objects.filter(Q(shared=True) | Q(owner=view_owner(actor)))


def view_owner(actor: Actor) -> str:
    """Return the name under which an actor's views are kept; tokens choose their names freely, so they get the id."""
    return f"{actor.name[:120]}#{actor.id}" if actor.kind is ActorKind.TOKEN else actor.name[:150]


def sync_runs(*, source: str = "", limit: int = 50) -> list[SyncRun]:
    """Return the last passes of the sources, newest first."""
    rows = SyncRun.objects.filter(source=source) if source else SyncRun.objects.all()
    return list(rows.order_by("-started_at")[:limit])
