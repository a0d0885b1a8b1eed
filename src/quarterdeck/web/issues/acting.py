"""What the pages of issues change: one form of the list's bar and of an issue's buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput
from quarterdeck.errors import actions
from quarterdeck.errors.scope import EDIT
from quarterdeck.web.forms import next_of
from quarterdeck.web.pages import PageRequest, page


def _hours(hours: int) -> Callable[[Actor, Sequence[int]], int]:
    return lambda actor, ids: actions.ignore(actor, ids, until=now() + timedelta(hours=hours))


_IN = "resolve_in:"
# What a button without any input of its own does.
_PLAIN: dict[str, Callable[[Actor, Sequence[int]], int]] = {
    "resolve": actions.resolve,
    "resolve_next": lambda actor, ids: actions.resolve(actor, ids, release="next"),
    "reopen": actions.reopen,
    "ignore": actions.ignore,
    "ignore_1h": _hours(1),
    "ignore_24h": _hours(24),
    "ignore_7d": _hours(7 * 24),
    "ignore_10": lambda actor, ids: actions.ignore(actor, ids, events=10),
    "ignore_100": lambda actor, ids: actions.ignore(actor, ids, events=100),
    "ignore_10_users": lambda actor, ids: actions.ignore(actor, ids, users=10),
}


def _done(operation: str, count: int) -> str:
    texts: dict[str, Any] = {
        "resolve": ngettext("%(n)d issue is resolved.", "%(n)d issues are resolved.", count),
        "reopen": ngettext("%(n)d issue is open again.", "%(n)d issues are open again.", count),
        "ignore": ngettext("%(n)d issue is ignored.", "%(n)d issues are ignored.", count),
        "assign": ngettext("%(n)d issue is assigned.", "%(n)d issues are assigned.", count),
    }
    return str(texts[operation.partition("_")[0]] % {"n": count})


@require_POST
@page(EDIT)
def change(request: PageRequest) -> HttpResponse:
    """Do `operation` to the issues `id`. The action checks the right on each."""
    ids = [int(pk) for pk in request.POST.getlist("id") if pk.isdecimal() and len(pk) < 19]
    operation = request.POST.get("operation", "")
    if operation in _PLAIN:
        messages.success(request, _done(operation, _PLAIN[operation](request.actor, ids)))
    elif operation.startswith(_IN):
        release = operation.removeprefix(_IN)
        messages.success(request, _done("resolve", actions.resolve(request.actor, ids, release=release)))
    elif operation == "assign":
        count = actions.assign(request.actor, ids, request.POST.get("assignee", ""))
        messages.success(request, _done("assign", count))
    elif operation == "merge":
        issue = actions.merge(request.actor, ids)
        messages.success(request, _("They are #%(id)d now.") % {"id": issue.pk})
    else:
        raise BadInput(_('There is no operation "%(name)s".') % {"name": operation[:40]})
    return HttpResponseRedirect(next_of(request, reverse("web:issues")))


@require_POST
@page(EDIT)
def comment(request: PageRequest, pk: int) -> HttpResponse:
    """Write `text` into the issue's activity."""
    actions.comment(request.actor, pk, request.POST.get("text", ""))
    return HttpResponseRedirect(f"{reverse('web:issue', args=[pk])}#activity")


@require_POST
@page(EDIT)
def split(request: PageRequest, pk: int) -> HttpResponse:
    """Take the groups `group` out of the issue."""
    issue = actions.split(request.actor, pk, request.POST.getlist("group"))
    messages.success(request, _("They are #%(id)d now.") % {"id": issue.pk})
    return HttpResponseRedirect(reverse("web:issue", args=[issue.pk]))
