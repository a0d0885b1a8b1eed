"""A new item, and editing one while others may be editing it too."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from quarterdeck.core.errors import BadInput, Conflict, Stale
from quarterdeck.inventory import actions, queries
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Item
from quarterdeck.web.forms import form_status
from quarterdeck.web.items.forms import ItemForm, initial_of
from quarterdeck.web.items.forms import defaults_of as defaults
from quarterdeck.web.items.heads import head
from quarterdeck.web.pages import PageRequest, page


@require_http_methods(["GET", "POST"])
@page("inventory.edit")
def new(request: PageRequest) -> HttpResponse:
    """Without `?type=`: which type; with it: the form."""
    types = catalogue()
    code = request.GET.get("type", "")
    if not code:
        groups: dict[str, list[object]] = {}
        for one in sorted(types.types.values(), key=lambda one: one.title.lower()):
            groups.setdefault(one.group, []).append(one)
        return render(request, "web/items/new_type.html", {"groups": sorted(groups.items())})
    spec = types.type(code)
    form = ItemForm(
        spec, request.POST if request.method == "POST" else None, initial={"state": "unknown", **defaults(spec)}
    )
    if request.method == "POST" and form.is_valid():
        try:
            values = {name: value for name, value in form.changes().items() if value is not None and name != "name"}
            item = actions.create_item(request.actor, spec.code, form.cleaned_data["name"], values)
        except (BadInput, Conflict) as error:
            form.refuse(error)
        else:
            messages.success(request, _('"%(name)s" is created.') % {"name": item.name})
            return HttpResponseRedirect(reverse("web:item", args=[item.pk]))
    return render(request, "web/items/new.html", {"form": form, "spec": spec}, status=form_status(form))


@dataclass(frozen=True, slots=True)
class Collision:
    """A field that this person and somebody else changed; `yours` and `stored` as the form shows them."""

    title: str
    yours: str
    stored: str


def collisions(form: ItemForm, stored: dict[str, str]) -> list[Collision]:
    """Return the changed fields whose stored value is no longer what the form started with."""
    found = []
    for name in form.changed_data:
        started = form.data.get(form.add_initial_prefix(name), "").replace("\r\n", "\n")
        if name in stored and stored[name] != started:
            found.append(Collision(str(form.fields[name].label), form.data.get(name, ""), stored[name]))
    return found


def _save(request: PageRequest, item: Item, form: ItemForm) -> bool:
    """Save what was changed; errors of values go into the form. Raises Stale."""
    version = request.POST.get("version", "")
    try:
        changes = form.changes()
        actions.update_item(
            request.actor, item, changes, if_version=int(version) if version.isdecimal() else 0,
            reason=request.POST.get("reason", "")[:500],
        )  # fmt: skip
    except (BadInput, Conflict) as error:
        form.refuse(error)
        return False
    return True


@require_http_methods(["GET", "POST"])
@page("inventory.edit")
def edit(request: PageRequest, pk: int) -> HttpResponse:
    """The form. If somebody else saved meanwhile, nothing is written: what collides is shown, to decide."""
    item = queries.get_item(request.actor, pk)
    context = head(request, item, "summary")
    stored = initial_of(item, context["spec"])
    form = ItemForm(context["spec"], request.POST if request.method == "POST" else None, initial=stored)
    context |= {"form": form, "version": request.POST.get("version", item.version)}
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            if _save(request, item, form):
                messages.success(request, _('"%(name)s" is saved.') % {"name": form.cleaned_data["name"]})
                return HttpResponseRedirect(reverse("web:item", args=[pk]))
        except Stale as error:
            # The next press of Save is a decision made with the other change in sight.
            context |= {"stale": error, "collisions": collisions(form, stored), "version": item.version}
            status = error.status
    return render(request, "web/items/edit.html", context, status=max(status, form_status(form)))
