"""Pages of people and groups."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.access import actions
from quarterdeck.access.checks import may
from quarterdeck.access.models import Role, RoleBinding, User
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound
from quarterdeck.web.access.forms import GroupForm, NewUserForm, UserForm, role_title
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.pages import PageRequest, page

# An instance with more people than this is searched rather than read.
_SHOWN = 500


def _names_by(key: str) -> dict[int, list[str]]:
    """Return the names of roles by the id of the user or group that they are bound to."""
    return {holder: [role.name for role in roles] for holder, roles in _roles_by(key).items()}


def _titles_by(key: str) -> dict[int, list[str]]:
    """Return what people call the roles, by the same id."""
    return {holder: [role_title(role) for role in roles] for holder, roles in _roles_by(key).items()}


def _roles_by(key: str) -> dict[int, list[Role]]:
    found: dict[int, list[Role]] = {}
    rows = RoleBinding.objects.filter(**{f"{key}__isnull": False}).select_related("role").order_by("role__name")
    for binding in rows:
        found.setdefault(getattr(binding, f"{key}_id"), []).append(binding.role)
    return found


def _user(pk: int) -> User:
    found = User.objects.filter(pk=pk).first()
    if found is None:
        raise NotFound(_("There is no such user."), hint=_("See the list of users."))
    return found


def _group(pk: int) -> Group:
    found = Group.objects.filter(pk=pk).first()
    if found is None:
        raise NotFound(_("There is no such group."), hint=_("See the list of groups."))
    return found


def _with_second_factor(people: list[User]) -> set[int]:
    rows = Authenticator.objects.filter(user__in=people, type=Authenticator.Type.TOTP)
    return set(rows.values_list("user_id", flat=True))


@require_GET
@page("access.view")
def users(request: PageRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    found = User.objects.order_by("username").prefetch_related("groups")
    if text:
        wanted = Q(username__icontains=text) | Q(email__icontains=text)
        found = found.filter(wanted | Q(first_name__icontains=text) | Q(last_name__icontains=text))
    people = list(found[:_SHOWN])
    roles, protected = _titles_by("user"), _with_second_factor(people)
    rows = [
        {
            "user": person,
            "roles": roles.get(person.pk, []),
            "groups": sorted(group.name for group in person.groups.all()),
            "has_second_factor": person.pk in protected,
        }
        for person in people
    ]
    context = {"users": rows, "text": text, "may_manage": may(request.actor, "access.manage")}
    return render(request, "web/access/users.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page("access.manage")
def new_user(request: PageRequest) -> HttpResponseBase:
    form = NewUserForm(posted(request)[0])
    if form.is_valid():
        with errors_into(form):
            person = actions.create_user(request.actor, **form.cleaned_data)
            return _with_link(request, person)
    context = {
        "form": form,
        "title": _("New user"),
        "text": _("You get a link by which the person chooses a password. Nobody else learns it."),
        "action": _("Make the account"),
        "back": reverse("web:users"),
    }
    return render(request, "web/access/form.html", context, status=form_status(form))


def _with_link(request: PageRequest, person: User) -> HttpResponse:
    """Show the account with a fresh link: only this answer has it, so that no session keeps a secret."""
    secret = actions.password_link(request.actor, person)
    address = reverse("web:choose_password", args=[secret])
    public = settings.QD["public_url"].rstrip("/")
    link = f"{public}{address}" if public else request.build_absolute_uri(address)
    response = render(request, "web/access/user.html", _user_context(request, person) | {"link": link})
    response.headers["Cache-Control"] = "no-store"
    return response


def _user_form(person: User, data: Any = None) -> UserForm:
    initial = {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "email": person.email,
        "roles": _names_by("user").get(person.pk, []),
        "groups": [group.name for group in person.groups.all()],
    }
    return UserForm(data, initial=initial)


def _user_context(request: PageRequest, person: User, form: UserForm | None = None) -> dict[str, Any]:
    return {
        "person": person,
        "form": form or _user_form(person),
        "may_manage": may(request.actor, "access.manage"),
        "has_second_factor": bool(_with_second_factor([person])),
    }


@require_http_methods(["GET", "HEAD"])
@page("access.view")
def user(request: PageRequest, pk: int) -> HttpResponseBase:
    return render(request, "web/access/user.html", _user_context(request, _user(pk)))


@require_POST
@page("access.manage")
def save_user(request: PageRequest, pk: int) -> HttpResponseBase:
    person = _user(pk)
    form = _user_form(person, request.POST)
    if form.is_valid():
        with errors_into(form):
            _save_user(request.actor, person, dict(form.cleaned_data))
            messages.success(request, _("The account is saved."))
            return redirect("web:user", pk)
    return render(request, "web/access/user.html", _user_context(request, person, form), status=form_status(form))


@transaction.atomic
def _save_user(actor: Actor, person: User, values: dict[str, Any]) -> None:
    roles = values.pop("roles")
    actions.update_user(actor, person, values)
    _bind(actor, roles, user=person)


def _bind(actor: Actor, roles: list[str], *, user: User | None = None, group: Group | None = None) -> None:
    """Make `roles` the roles of a person or group: first give, then take, so that nobody is left without in between."""
    bound = set(RoleBinding.objects.filter(user=user, group=group).values_list("role__name", flat=True))
    for role in sorted(set(roles) - bound):
        actions.bind_role(actor, role, user=user, group=group)
    for role in sorted(bound - set(roles)):
        actions.unbind_role(actor, role, user=user, group=group)


@require_POST
@page("access.manage")
def set_active(request: PageRequest, pk: int) -> HttpResponseBase:
    person = _user(pk)
    wanted = request.POST.get("active") == "yes"
    actions.update_user(request.actor, person, {"is_active": wanted})
    messages.success(request, _("The account is active.") if wanted else _("The account is deactivated."))
    return redirect("web:user", pk)


@require_POST
@page("access.manage")
def make_link(request: PageRequest, pk: int) -> HttpResponseBase:
    return _with_link(request, _user(pk))


@require_GET
@page("access.view")
def groups(request: PageRequest) -> HttpResponse:
    roles = _titles_by("group")
    found = Group.objects.annotate(members=Count("user")).order_by("name")
    rows = [{"group": group, "roles": roles.get(group.pk, []), "members": group.members} for group in found]
    context = {"groups": rows, "may_manage": may(request.actor, "access.manage")}
    return render(request, "web/access/groups.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page("access.manage")
def new_group(request: PageRequest) -> HttpResponseBase:
    form = GroupForm(posted(request)[0])
    if form.is_valid():
        with errors_into(form), transaction.atomic():
            group = actions.create_group(request.actor, form.cleaned_data["name"], form.cleaned_data["members"])
            _bind(request.actor, form.cleaned_data["roles"], group=group)
            messages.success(request, _("The group is made."))
            return redirect("web:groups")
    context = {
        "form": form,
        "title": _("New group"),
        "action": _("Make the group"),
        "back": reverse("web:groups"),
    }
    return render(request, "web/access/form.html", context, status=form_status(form))


@require_http_methods(["GET", "HEAD", "POST"])
@page("access.manage")
def group(request: PageRequest, pk: int) -> HttpResponseBase:
    found = _group(pk)
    members = list(User.objects.filter(groups=found).values_list("username", flat=True))
    initial = {"name": found.name, "members": members, "roles": _names_by("group").get(pk, [])}
    form = GroupForm(posted(request)[0], of=found, initial=initial)
    if form.is_valid():
        with errors_into(form), transaction.atomic():
            _bind(request.actor, form.cleaned_data["roles"], group=found)
            actions.set_members(request.actor, found, form.cleaned_data["members"])
            messages.success(request, _("The group is saved."))
            return redirect("web:groups")
    context = {
        "form": form,
        "title": found.name,
        "action": _("Save"),
        "back": reverse("web:groups"),
        "remove_url": reverse("web:remove_group", args=[pk]),
        "remove_question": _("Remove the group %(name)s? Its members lose the roles that they have by it.")
        % {"name": found.name},
    }
    return render(request, "web/access/form.html", context, status=form_status(form))


@require_POST
@page("access.manage")
def remove_group(request: PageRequest, pk: int) -> HttpResponseBase:
    actions.delete_group(request.actor, _group(pk))
    messages.success(request, _("The group is removed."))
    return redirect("web:groups")
