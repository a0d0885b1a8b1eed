"""Saved views: named queries with columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils.text import slugify
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, may
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, Denied, NotFound
from quarterdeck.inventory.models import SavedView
from quarterdeck.inventory.queries.items import condition, order_of
from quarterdeck.inventory.queries.looking import view_owner

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@action("inventory.view")
def save_view(
    actor: Actor,
    title: str,
    query: str = "",
    *,
    columns: Sequence[str] = (),
    sort: str = "",
    shared: bool = False,
    slug: str = "",
) -> SavedView:
    """Create a view, or change the own one with this slug. Sharing needs the right to edit.

    Raises BadQuery for a query that does not parse, Denied for another's view.
    """
    if not title.strip() or len(title) > 120:
        raise BadInput(_("A view needs a title of at most 120 characters."), hint=_("Shorten it."), field="title")
    condition(query)
    order_of(sort)
    if shared and not may(actor, "inventory.edit"):
        raise Denied(
            _("Sharing a view needs the right to edit."), hint=_("Keep it for yourself, or ask for the right.")
        )
    row = SavedView.objects.filter(slug=slug).first() if slug else None
    if row is not None:
        _require_own(actor, row)
    view = row or SavedView(slug=_slug(slug, title), owner=view_owner(actor))
    view.title, view.query, view.sort, view.shared = title.strip(), query, sort, shared
    view.columns = [str(column)[:140] for column in columns][:100]
    view.save()
    record(actor, "inventory.save_view", view, view.title, after={"query": query, "shared": shared})
    return view


def _slug(wanted: str, title: str) -> str:
    if wanted and not _SLUG.fullmatch(wanted):
        raise BadInput(
            _('"%(slug)s" cannot be a view\'s short name.') % {"slug": wanted[:60]},
            hint=_("Use small letters, digits, - and _."),
            field="slug",
        )
    base = wanted or slugify(title)[:50] or "view"
    taken = set(SavedView.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(name for name in (base, *(f"{base}-{n}" for n in range(2, 10_000))) if name not in taken)


def _require_own(actor: Actor, view: SavedView) -> None:
    if view.owner != view_owner(actor) and not (view.shared and may(actor, "inventory.edit")):
        raise Denied(
            _('The view "%(title)s" belongs to somebody else.') % {"title": view.title if view.shared else view.slug},
            hint=_("Save it under another name."),
        )


@action("inventory.view")
def delete_view(actor: Actor, slug: str) -> None:
    """Delete an own view, or a shared one with the right to edit. Raises NotFound, Denied."""
    view = SavedView.objects.filter(slug=slug).first()
    if view is None or (view.owner != view_owner(actor) and not view.shared):
        raise NotFound(_('There is no view "%(slug)s".') % {"slug": slug[:60]}, hint=_("See the list of views."))
    _require_own(actor, view)
    record(actor, "inventory.delete_view", view, view.title)
    view.delete()
