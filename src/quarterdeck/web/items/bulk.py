"""What is done to many items at once; the page after it offers to undo it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory import actions
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.web.formatting import how_many_items
from quarterdeck.web.forms import next_of
from quarterdeck.web.items.values import typed_value
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.viewing import within_selector


def target_of(request: PageRequest) -> str | list[int]:
    """Return the chosen ids, or the query when all of its items are meant. Raises BadInput when nothing is chosen."""
    if request.POST.get("all") == "1":
        return within_selector(request, request.POST.get("q", ""))
    ids = [int(pk) for pk in request.POST.getlist("id") if pk.isdecimal()]
    if not ids:
        raise BadInput(_("No item is chosen."), hint=_("Tick the rows that you mean."))
    return ids


def _label_change(request: PageRequest) -> dict[str, Any]:
    name, _separator, value = request.POST.get("label", "").partition("=")
    if not name.strip():
        raise BadInput(_("A label needs a name."), hint=_("Write name=value; without a value the label is removed."))
    return {f"label.{name.strip()}": value.strip() or None}


def _field_change(request: PageRequest) -> dict[str, Any]:
    code = request.POST.get("field", "")
    specs = catalogue().fields.get(code)
    return {code: typed_value(specs[0] if specs else None, request.POST.get("value", ""))}


def _offer_undo(request: PageRequest, done: actions.Bulk, what: str = "changed") -> None:
    """Let the next page say what was done ("changed", "trashed", "adopted"), with a button that takes it back."""
    if done.change_set_id is None:
        messages.info(request, _("Nothing had to be changed."))
        return
    request.session["undo"] = {"change_set": done.change_set_id, "count": done.count, "what": what}


@require_POST
@page("inventory.view")
def bulk(request: PageRequest) -> HttpResponse:
    """Set a field or a label, trash, restore, purge, adopt or ignore. The actions check the rights."""
    target = target_of(request)
    operation = request.POST.get("operation", "")
    reason = request.POST.get("reason", "")
    if operation in ("field", "label"):
        changes = _field_change(request) if operation == "field" else _label_change(request)
        _offer_undo(request, actions.bulk_update(request.actor, target, changes, reason=reason))
    elif operation == "trash":
        _offer_undo(request, actions.trash(request.actor, target, reason=reason), "trashed")
    elif operation == "adopt":
        _offer_undo(request, actions.adopt(request.actor, target, reason=reason), "adopted")
    elif operation == "ignore":
        _offer_undo(request, actions.ignore(request.actor, target, reason=reason), "trashed")
    elif operation == "restore":
        done = actions.restore(request.actor, target)
        messages.success(request, _("Restored: %(items)s.") % {"items": how_many_items(done.count)})
    elif operation == "purge":
        count = actions.purge(request.actor, target)
        messages.success(request, _("Deleted for ever: %(items)s.") % {"items": how_many_items(count)})
    else:
        raise BadInput(_("There is no such operation."), hint="field, label, trash, restore, purge, adopt, ignore")
    return HttpResponseRedirect(next_of(request, reverse("web:items")))
