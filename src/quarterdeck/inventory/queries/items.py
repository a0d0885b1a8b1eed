"""Lists of items: what an actor may see of what a query selects, in pages, with counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import visible
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, BadQuery, NotFound, TooMany
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.query import Node, compile_q, mentions, parse
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Item, ItemIndex, Lifecycle
from quarterdeck.inventory.queries.selecting import ItemFields

# Columns that lists are sorted by, and where they stand. What stands beside the item has an index with the item's id.
_SORTED_BY = {"type": ("type__code", "id"), "last_seen": ("seen__last_seen", "seen__item_id"), "id": ("id",)}
SORTS = ("name", "type", "state", "env", "last_seen", "first_seen", "updated_at", "id", "owner", "region", "lifecycle")
HIDDEN = (Lifecycle.RETIRED.value, Lifecycle.TRASHED.value)
# SQLite refuses an expression deeper than 1,000.
_MAX_CONDITIONS = 900


def condition(text: str) -> Q:
    """Return what `text` selects, as a role's scope or a rule needs it: without any default. Raises BadQuery."""
    return compiled(parse(text))


def compiled(node: Node, actor: Actor = SYSTEM) -> Q:
    """Return what the query selects. Raises BadQuery, also for lists of which each value is a condition of its own."""
    found = compile_q(node, ItemFields(catalogue(), actor))
    if (count := _count(found)) > _MAX_CONDITIONS:
        raise BadQuery(
            _("The query has %(found)d terms, at most %(limit)d are allowed.")
            % {"found": count, "limit": _MAX_CONDITIONS},
            hint=_("Use a wildcard, a label or a saved view instead of a long list."),
        )
    return found


def _count(found: Q) -> int:
    return sum(_count(child) if isinstance(child, Q) else 1 for child in found.children)


def items(actor: Actor, q: str = "", sort: str = "", *, verb: str = "inventory.view") -> QuerySet[Item]:
    """Return the items that the query selects and the actor may see, in order of `sort` ("name", "-last_seen").

    Retired and trashed items are left out unless the query asks for `lifecycle`. Raises BadQuery, BadInput.
    """
    node = parse(q)
    found = Item.objects.filter(compiled(node, actor))
    if not mentions(node, "lifecycle"):
        found = found.exclude(lifecycle__in=HIDDEN)
    if sort.lstrip("-") == "last_seen":
        found = found.filter(seen__isnull=False)  # joined so, what is seen may lead, and is read in order
    return visible(actor, verb, found).order_by(*order_of(sort)).select_related("type", "seen")


def order_of(sort: str) -> tuple[str, ...]:
    """Return the paths of `sort` to columns, with the id last so that the order is total."""
    sign, name = ("-", sort[1:]) if sort.startswith("-") else ("", sort or "name")
    if name not in SORTS:
        raise BadInput(
            _('Items cannot be sorted by "%(name)s".') % {"name": name[:40]},
            hint=did_you_mean(name, SORTS) or _("Use one of %(names)s.") % {"names": ", ".join(SORTS)},
            field="sort",
        )
    return tuple(sign + path for path in _SORTED_BY.get(name, (name, "id")))


def get_item(actor: Actor, pk: int) -> Item:
    """Return one item that the actor may see, in whatever stage of life. Raises NotFound."""
    item = visible(actor, "inventory.view", Item.objects.filter(pk=pk)).select_related("type", "seen").first()
    if item is None:
        raise NotFound(_("There is no item %(id)d.") % {"id": pk}, hint=_("It may have been purged or merged."))
    return item


def targets(actor: Actor, target: str | Sequence[int], verb: str, *, limit: int) -> list[int]:
    """Return the ids that a bulk action is about: a query's, or the given ones. Raises NotFound for an unknown id."""
    if isinstance(target, str):
        ids = list(items(actor, target, "id", verb=verb).values_list("pk", flat=True)[: limit + 1])
    else:
        wanted = list(dict.fromkeys(target))
        known = set(visible(actor, "inventory.view", Item.objects.filter(pk__in=wanted)).values_list("pk", flat=True))
        ids = [pk for pk in wanted if pk in known]
        if len(ids) < len(wanted):
            lost = next(pk for pk in wanted if pk not in known)
            raise NotFound(_("There is no item %(id)d.") % {"id": lost}, hint=_("It may have been purged or merged."))
    if len(ids) > limit:
        raise TooMany(
            _("More than %(limit)d items are selected.") % {"limit": limit}, hint=_("Narrow the query and repeat.")
        )
    return ids


def facets(
    actor: Actor,
    q: str = "",
    *,
    fields: Sequence[str] = ("type", "state", "env", "provider", "region", "lifecycle"),
    limit: int = 20,
) -> dict[str, list[tuple[str, int]]]:
    """Return `{"env": [("prod", 812), ...]}`: how the selected items spread over columns, labels and attributes."""
    base = items(actor, q).order_by()
    result: dict[str, list[tuple[str, int]]] = {}
    codes = {spec.id: spec.code for spec in catalogue().types.values()}
    for field in fields:
        if field in ("state", "env", "provider", "region", "account", "owner", "lifecycle", "type"):
            column = "type_id" if field == "type" else field
            rows = base.values_list(column).annotate(n=Count("pk")).order_by("-n", column)[:limit]
            result[field] = [(codes[value] if field == "type" else value, n) for value, n in rows if value != ""]
        else:
            values = ItemIndex.objects.filter(field=field, item_id__in=base.values("pk"), text__isnull=False)
            counted = values.values_list("text").annotate(n=Count("item_id")).order_by("-n", "text")[:limit]
            result[field] = [(text or "", n) for text, n in counted]
    return result


def counts(actor: Actor, q: str = "") -> dict[str, Any]:
    """Return `{"total": 3, "by_type": {"host": 3}, "by_state": {...}, "by_lifecycle": {...}}` as the actor sees it."""
    found = facets(actor, q, fields=("type", "state", "lifecycle"), limit=500)
    return {
        "total": sum(n for _value, n in found["lifecycle"]),
        "by_type": dict(found["type"]),
        "by_state": dict(found["state"]),
        "by_lifecycle": dict(found["lifecycle"]),
    }


def stale(actor: Actor) -> QuerySet[Item]:
    """Return active items that no source has seen for longer than their type allows."""
    old = Q(pk__in=[])
    by_days: dict[int, list[int]] = {}
    for spec in catalogue().types.values():
        by_days.setdefault(spec.stale_after_days, []).append(spec.id)
    for days, ids in by_days.items():
        old |= Q(type_id__in=ids, seen__last_seen__lt=now() - timedelta(days=days))
    found = Item.objects.filter(old, lifecycle=Lifecycle.ACTIVE)
    return visible(actor, "inventory.view", found).order_by("seen__last_seen", "id").select_related("type", "seen")
