"""Add hosts: a form whose hosts are shown while it is filled in."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.access.checks import may
from quarterdeck.access.vault import queries as vault
from quarterdeck.core.errors import BadInput
from quarterdeck.inventory import queries as inventory
from quarterdeck.jobs.facts.actions import packages_known, refresh_facts
from quarterdeck.jobs.onboarding.actions import Added, add_hosts, known_names
from quarterdeck.jobs.onboarding.planning import Wanted, planned
from quarterdeck.web.formatting import in_sentences
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.hosts.forms import HostsForm
from quarterdeck.web.items.heads import head
from quarterdeck.web.pages import PageRequest, page

SHOWN = 50
VERB = "inventory.import"


@require_http_methods(["GET", "HEAD", "POST"])
@page(VERB)
def new(request: PageRequest) -> HttpResponseBase:
    """Add the hosts of the form; what of them was refused is shown, the others are there."""
    form = _form(request)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        with errors_into(form):
            added = add_hosts(request.actor, form.wanted())
            if not added.result["errors"]:
                return _to_what_changed(request, added)
            context["added"] = added.result
    return render(request, "web/hosts/new.html", context, status=form_status(form))


def _form(request: PageRequest) -> HostsForm:
    names = []
    if may(request.actor, "credentials.view"):
        names = list(vault.credentials(request.actor).exclude(kind="become_password").values_list("name", flat=True))
    return HostsForm(posted(request)[0], credentials=names)


def _to_what_changed(request: PageRequest, added: Added) -> HttpResponseBase:
    created, updated = added.result["create"], added.result["update"]
    texts = []
    if created:
        texts.append(ngettext("%(n)d host is added.", "%(n)d hosts are added.", created) % {"n": created})
    if updated:
        texts.append(ngettext("%(n)d host is changed.", "%(n)d hosts are changed.", updated) % {"n": updated})
    messages.success(request, " ".join(texts) or _("All of them are there already, as they are."))
    change_set = added.result.get("change_set")
    return redirect("web:change", change_set) if change_set else redirect("web:items")


@require_POST
@page(VERB)
def preview(request: PageRequest) -> HttpResponse:
    """The hosts that the form stands for so far, as a fragment."""
    form = _form(request)
    context: dict[str, Any] = {}
    if form.is_valid():
        try:
            context = _planned(request, form.wanted())
        except BadInput as error:
            context = {"problem": in_sentences(error.message, error.hint)}
    elif request.POST.get("names", "").strip():
        context = {"problem": next(iter(form.errors.values()))[0]}
    return render(request, "web/hosts/preview.html", context)


def _planned(request: PageRequest, wanted: Wanted) -> dict[str, Any]:
    hosts = planned(wanted)
    known = known_names(request.actor, hosts)
    rows = [
        {
            "host": host,
            "is_known": host.name in known,
            "user": wanted.user,
            "port": wanted.port or "",
            "more": [(name, host.fields[name]) for name in wanted.values if name in host.fields],
        }
        for host in hosts[:SHOWN]
    ]
    return {"rows": rows, "total": len(hosts), "known": len(known), "wanted": wanted}


@require_POST
@page("jobs.run")
def facts(request: PageRequest, pk: int) -> HttpResponseBase:
    """Ask one host for its facts, and go back to its page with what came of it."""
    item = inventory.get_item(request.actor, pk)
    [done] = refresh_facts(request.actor, [item])
    if done.error:
        messages.error(request, in_sentences(done.error.message, done.error.hint))
    else:
        messages.success(request, _("The facts of this host are as it told them just now."))
    return redirect("web:item", pk)


@require_GET
@page("inventory.view")
def packages(request: PageRequest, pk: int) -> HttpResponse:
    """The installed packages of a host whose names hold `?text=`."""
    item = inventory.get_item(request.actor, pk)
    known = packages_known(request.actor, item)
    text = request.GET.get("text", "").strip().lower()[:100]
    rows = [one for one in known.packages() if text in one.name.lower() or text in one.source.lower()]
    context = head(request, item, "summary") | {"known": known, "text": text, "rows": rows}
    return render(request, "web/hosts/packages.html", context)
