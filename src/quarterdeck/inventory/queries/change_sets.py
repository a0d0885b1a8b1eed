"""Change sets: all that one call changed, of the items that an actor may see, and whether it can be undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Count, Exists, Model, OuterRef, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import visible
from quarterdeck.access.grants import allowed
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound
from quarterdeck.inventory.models import BeforeImage, Change, ChangeSet, Item
from quarterdeck.inventory.queries.looking import hide_names
from quarterdeck.inventory.writing.effective import PEOPLE

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Touched:
    """What a change set touched: `fields` is `{"owner": 12}`, items by field. `reverted_by` is the latest change set
    that took it back. `is_revertible` tells that people did it and something is there to put back."""

    items: int
    fields: dict[str, int]
    made: int
    is_revertible: bool
    reverted_by: int | None


def _mine(actor: Actor, rows: QuerySet[M]) -> QuerySet[M]:
    """Return the rows that are about items which the actor may see."""
    if not allowed(actor, "inventory.view", Item):
        return rows
    return rows.filter(item_id__in=visible(actor, "inventory.view", Item.objects.all()).values("pk"))


def change_sets(actor: Actor, *, by_people: bool = False, before: int | None = None) -> QuerySet[ChangeSet]:
    """Return the change sets that touch an item which the actor may see, newest first; `before` is an id."""
    this = OuterRef("pk")
    rows = ChangeSet.objects.filter(
        Exists(_mine(actor, Change.objects.filter(change_set=this)))
        | Exists(_mine(actor, BeforeImage.objects.filter(change_set=this)))
    )
    if by_people:
        rows = rows.filter(source__in=PEOPLE)
    return (rows.filter(pk__lt=before) if before else rows).order_by("-pk")


def change_set(actor: Actor, pk: int) -> ChangeSet:
    """Return one change set. Raises NotFound, also when it touches nothing that the actor may see."""
    found = change_sets(actor).filter(pk=pk).first()
    if found is None:
        raise NotFound(_("There is no change set %(id)d.") % {"id": pk}, hint=_("Its items may have been purged."))
    return found


def touched(actor: Actor, found: ChangeSet) -> Touched:
    """Count what the change set did to the items that the actor may see."""
    rows = _mine(actor, Change.objects.filter(change_set=found)).order_by()
    fields = dict(rows.values_list("field").annotate(n=Count("item", distinct=True)))
    made = fields.pop("", 0)
    later = ChangeSet.objects.filter(reverts=found).order_by("-pk").values_list("pk", flat=True).first()
    relations = any(name.startswith("relation.") for name in fields)
    images = _mine(actor, BeforeImage.objects.filter(change_set=found))
    is_something = bool(made) or relations or images.exists()
    count = rows.values("item").union(images.values("item")).count()
    return Touched(count, fields, made, found.source in PEOPLE and is_something, later)


def changes_of(actor: Actor, found: ChangeSet, after: int | None = None, limit: int = 100) -> list[Change]:
    """Return the change set's field-level changes in order, with their items; `after` is the id of the last shown."""
    rows = (
        _mine(actor, Change.objects.filter(change_set=found)).select_related("change_set", "item__type").order_by("pk")
    )
    shown = list((rows.filter(pk__gt=after) if after else rows)[: max(1, min(limit, 1000))])
    hide_names(actor, shown)
    return shown
