"""Whose errors a person may see: those of the items that their roles select, by sender and by the service's name.

An issue is seen by who may see one of the items that it came from; of its events, only those of such items are shown.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import may, require, visible
from quarterdeck.access.grants import allowed
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadQuery, NotFound
from quarterdeck.errors.models import Issue, Trait, TraitName
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry import client
from quarterdeck.telemetry.conditions import EVERYTHING, NOTHING, Names, Sql
from quarterdeck.telemetry.owners import owners_of

SEE, EDIT = "telemetry.query", "errors.edit"
ITEMS_MAX = 20_000
_OPTIONS = {"max_execution_time": 10}
_SERVICES = "SELECT DISTINCT name FROM senders WHERE sender IN {owners:Array(UInt64)} AND kind = 'service'"


class Sources:
    """Who sends for items: the keys of senders, and the names of services."""

    def __init__(self, items: Iterable[int]) -> None:
        self.senders = list(owners_of(list(items)))
        rows = client.query(_SERVICES, {"owners": self.senders}, options=_OPTIONS) if self.senders else []
        self.services = [str(name) for (name,) in rows]

    @property
    def issues(self) -> Q:
        """The issues that came from them."""
        keys = [f"{sender:016x}" for sender in self.senders]
        found = Q(name=TraitName.SENDER, value__in=keys) | Q(name=TraitName.SERVICE, value__in=self.services)
        return Q(pk__in=Trait.objects.filter(found).values("issue_id"))

    def events(self, names: Names) -> Sql:
        """The events that came from them."""
        if not self.senders:
            return NOTHING
        by_sender = names.sql("sender IN {}", ("Array(UInt64)", self.senders))
        return by_sender | names.sql("service IN {}", ("Array(String)", self.services))


def sources_of(items: QuerySet[Item]) -> Sources:
    """Return who sends for the items. Raises BadQuery for too many."""
    ids = list(items.order_by().values_list("pk", flat=True)[: ITEMS_MAX + 1])
    if len(ids) > ITEMS_MAX:
        raise BadQuery(
            _("More than %(limit)d items are selected.") % {"limit": ITEMS_MAX},
            hint=_("Narrow the query and repeat."),
        )
    return Sources(ids)


def _limit(actor: Actor, verb: str) -> Sources | None:
    """Return who the actor's roles are limited to, None for no limit. Raises Denied."""
    require(actor, verb)
    return sources_of(visible(actor, verb, Item.objects.all())) if allowed(actor, verb, Item) else None


def issues_of(actor: Actor, verb: str = SEE) -> QuerySet[Issue]:
    """Return the issues on which the actor may `verb`, without those that were merged away. Raises Denied."""
    found = Issue.objects.filter(merged_into=None)
    limit = _limit(actor, verb)
    return found if limit is None else found.filter(limit.issues)


def events_of(actor: Actor, names: Names) -> Sql:
    """Return the condition of the events that the actor may see. Raises Denied."""
    limit = _limit(actor, SEE)
    return EVERYTHING if limit is None else limit.events(names)


def get_issue(actor: Actor, pk: int) -> Issue:
    """Return an issue that the actor may see; of one that was merged, the one that it is now. Raises NotFound."""
    row = Issue.objects.filter(pk=pk).values_list("merged_into", flat=True).first()
    steps = 0
    while row is not None and steps < 100:
        pk, row, steps = row, Issue.objects.filter(pk=row).values_list("merged_into", flat=True).first(), steps + 1
    found = issues_of(actor).filter(pk=pk).select_related("assignee").first()
    if found is None:
        raise NotFound(_("There is no issue %(id)d.") % {"id": pk}, hint=_("See the list of issues."))
    return found


def may_edit(actor: Actor, issue: Issue) -> bool:
    """Whether the actor may resolve, ignore, assign and merge the issue."""
    return may(actor, EDIT) and issues_of(actor, EDIT).filter(pk=issue.pk).exists()
