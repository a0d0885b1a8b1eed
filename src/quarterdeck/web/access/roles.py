"""Pages of roles, with what a role's query covers shown while it is typed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Count
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.access import actions, registry
from quarterdeck.access.checks import may
from quarterdeck.access.models import Role, User
from quarterdeck.access.roles import preview
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.web.access.forms import RoleForm, role_title
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.pages import PageRequest, page

# The first word of a verb is its package.
_PACKAGES: dict[str, str | Promise] = {
    "access": gettext_lazy("Access"),
    "audit": gettext_lazy("Audit"),
    "credentials": gettext_lazy("Credentials"),
    "inventory": gettext_lazy("Inventory"),
    "jobs": gettext_lazy("Jobs"),
    "monitoring": gettext_lazy("Monitoring"),
    "settings": gettext_lazy("Settings"),
    "system": gettext_lazy("System"),
    "telemetry": gettext_lazy("Telemetry"),
}


def _role(pk: int) -> Role:
    found = Role.objects.filter(pk=pk).first()
    if found is None:
        raise NotFound(_("There is no such role."), hint=_("See the list of roles."))
    return found


def _verbs_in_words(role: Role) -> str:
    """Return "everything", or the titles of the first few verbs and how many more there are."""
    known = registry.verbs()
    names = sorted(registry.expand(role.verbs))
    if len(names) == len(known):
        return _("everything")
    titles = [str(known[name].title) for name in names[:4]]
    more = len(names) - len(titles)
    text = "; ".join(titles)
    return _("%(titles)s; and %(count)d more") % {"titles": text, "count": more} if more > 0 else text


@require_GET
@page("access.view")
def roles(request: PageRequest) -> HttpResponse:
    found = Role.objects.annotate(holders=Count("bindings"))
    rows = [
        {"role": role, "title": role_title(role), "verbs": _verbs_in_words(role), "holders": role.holders}
        for role in found
    ]
    context = {"roles": rows, "may_manage": may(request.actor, "access.manage")}
    return render(request, "web/access/roles.html", context)


def _form(role: Role | None, data: Any) -> RoleForm:
    initial: dict[str, Any] = {}
    if role is not None:
        initial = {
            "name": role.name,
            "title": role.title,
            "description": role.description,
            "query": role.query,
            "verbs": sorted(registry.expand(role.verbs)),
            "users": list(User.objects.filter(role_bindings__role=role).values_list("username", flat=True)),
            "groups": _groups_of(role),
        }
    return RoleForm(data, of=role, verbs=list(registry.verbs()), initial=initial)


def _groups_of(role: Role) -> list[str]:
    bound = role.bindings.filter(group__isnull=False)
    return list(bound.values_list("group__name", flat=True))


def _answer(request: PageRequest, role: Role | None, form: RoleForm) -> HttpResponse:
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, verb in registry.verbs().items():
        groups.setdefault(name.partition(".")[0], []).append({"code": name, "title": verb.title})
    may_manage = may(request.actor, "access.manage")
    context = {
        "role": role,
        "title": role_title(role) if role else "",
        "form": form,
        "may_manage": may_manage,
        "editable": may_manage and not (role and role.builtin),
        "chosen": set(form["verbs"].value() or ()),
        "verb_groups": [{"title": _PACKAGES.get(code, code), "verbs": verbs} for code, verbs in groups.items()],
    }
    return render(request, "web/access/role.html", context, status=form_status(form))


@require_GET
@page("access.view")
def role(request: PageRequest, pk: int) -> HttpResponse:
    found = _role(pk)
    return _answer(request, found, _form(found, None))


@require_http_methods(["GET", "HEAD", "POST"])
@page("access.manage")
def new_role(request: PageRequest) -> HttpResponseBase:
    form = _form(None, posted(request)[0])
    if form.is_valid():
        with errors_into(form):
            if Role.objects.filter(name=form.cleaned_data["name"]).exists():
                raise BadInput(_("There is a role with this name already."), field="name")
            _save(request.actor, None, form.cleaned_data)
            messages.success(request, _("The role is made."))
            return redirect("web:roles")
    return _answer(request, None, form)


@require_POST
@page("access.manage")
def save_role(request: PageRequest, pk: int) -> HttpResponseBase:
    found = _role(pk)
    form = _form(found, request.POST)
    if form.is_valid():
        with errors_into(form):
            _save(request.actor, found, form.cleaned_data)
            messages.success(request, _("The role is saved."))
            return redirect("web:role", pk)
    return _answer(request, found, form)


@transaction.atomic
def _save(actor: Actor, role: Role | None, values: dict[str, Any]) -> None:
    """Write what the role grants (a built-in one stays as it is) and who holds it."""
    if role is None or not role.builtin:
        granted = {name: values[name] for name in ("verbs", "query", "title", "description")}
        role = actions.set_role(actor, values["name"], **granted)
    _hold_users(actor, role, set(values["users"]))
    _hold_groups(actor, role, set(values["groups"]))


def _hold_users(actor: Actor, role: Role, wanted: set[str]) -> None:
    holding = set(User.objects.filter(role_bindings__role=role).values_list("username", flat=True))
    for person in User.objects.filter(username__in=wanted - holding):
        actions.bind_role(actor, role.name, user=person)
    for person in User.objects.filter(username__in=holding - wanted):
        actions.unbind_role(actor, role.name, user=person)


def _hold_groups(actor: Actor, role: Role, wanted: set[str]) -> None:
    holding = set(_groups_of(role))
    for group in Group.objects.filter(name__in=wanted - holding):
        actions.bind_role(actor, role.name, group=group)
    for group in Group.objects.filter(name__in=holding - wanted):
        actions.unbind_role(actor, role.name, group=group)


@require_POST
@page("access.manage")
def remove_role(request: PageRequest, pk: int) -> HttpResponseBase:
    actions.delete_role(request.actor, _role(pk).name)
    messages.success(request, _("The role is removed."))
    return redirect("web:roles")


@require_GET
@page("access.view")
def role_preview(request: PageRequest) -> HttpResponse:
    """What a query covers now, for the form; an error of the query is part of the answer."""
    text = request.GET.get("query", "").strip()
    try:
        found = preview(request.actor, text)
    except BadInput as error:
        return render(request, "web/access/role_preview.html", {"error": error})
    context = {"total": found.count, "sample": found.sample, "text": text}
    return render(request, "web/access/role_preview.html", context)
