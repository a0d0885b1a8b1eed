"""Keeping searches under a name."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, may
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, Denied, NotFound
from quarterdeck.inventory.queries.looking import view_owner
from quarterdeck.logs.models import SavedSearch
from quarterdeck.logs.parsing import parser_of
from quarterdeck.logs.searching import check

_COLUMNS_MAX = 30
_SHARE = "inventory.edit"


def saved_searches(actor: Actor) -> QuerySet[SavedSearch]:
    """Return the actor's own searches and the shared ones."""
    return SavedSearch.objects.filter(Q(shared=True) | Q(owner=view_owner(actor)))


@action("telemetry.query")
def save_search(
    actor: Actor, title: str, query: str = "", *, columns: Sequence[str] = (), parse: str = "", shared: bool = False
) -> SavedSearch:
    """Keep a search. Sharing needs the right to edit. Raises BadInput, BadQuery, Denied."""
    if not title.strip() or len(title) > 120:
        raise BadInput(_("A view needs a title of at most 120 characters."), hint=_("Shorten it."), field="title")
    check(actor, query)
    parser_of(parse)
    if shared and not may(actor, _SHARE):
        raise Denied(
            _("Sharing a view needs the right to edit."), hint=_("Keep it for yourself, or ask for the right.")
        )
    kept = [str(column)[:140] for column in columns][:_COLUMNS_MAX]
    found = SavedSearch.objects.create(
        title=title.strip(), query=query, columns=kept, parse=parse, shared=shared, owner=view_owner(actor)
    )
    record(actor, "logs.save_search", found, found.title, after={"query": query, "shared": shared})
    return found


@action("telemetry.query")
def delete_search(actor: Actor, pk: int) -> None:
    """Delete an own search, or a shared one with the right to edit. Raises NotFound, Denied."""
    found = saved_searches(actor).filter(pk=pk).first()
    if found is None:
        raise NotFound(_("There is no such saved search."), hint=_("See the list of views."))
    if found.owner != view_owner(actor) and not may(actor, _SHARE):
        raise Denied(_('The view "%(title)s" belongs to somebody else.') % {"title": found.title})
    record(actor, "logs.delete_search", found, found.title)
    found.delete()
