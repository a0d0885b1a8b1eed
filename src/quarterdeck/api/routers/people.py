"""People and groups, and the roles that they have."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.access import actions
from quarterdeck.access.checks import require
from quarterdeck.access.models import RoleBinding, User
from quarterdeck.api.auth import identify
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.shapes import Body, Id, Line, moment
from quarterdeck.core.errors import NotFound

router = Router()
Names = list[Line]


class UserRow(TypedDict):
    """A person. `roles` are the person's own, those of `groups` come on top."""

    id: int
    username: str
    email: str
    first_name: str
    last_name: str
    is_active: bool
    roles: list[str]
    groups: list[str]
    last_login: str | None


class UserPage(Schema):
    items: list[UserRow]
    next: str | None


class GroupRow(TypedDict):
    id: int
    name: str
    members: list[str]
    roles: list[str]


class GroupPage(Schema):
    items: list[GroupRow]
    next: str | None


class NewUser(Body):
    """An account without a password; its person chooses one with a link."""

    username: str = Field(min_length=1, max_length=150)
    email: Line = ""
    roles: Names = Field(default_factory=list, max_length=100)
    groups: Names = Field(default_factory=list, max_length=100)


class UserChanges(Body):
    email: Line | None = None
    first_name: str | None = Field(None, max_length=150)
    last_name: str | None = Field(None, max_length=150)
    is_active: bool | None = None
    groups: Names | None = Field(None, max_length=100)


class NewGroup(Body):
    name: str = Field(min_length=1, max_length=150)
    members: Names = Field(default_factory=list, max_length=10_000)


class Members(Body):
    members: Names = Field(max_length=10_000)


class Link(TypedDict):
    """The secret of a link that works once, for 24 hours."""

    secret: str


def _user(user: User) -> UserRow:
    return {
        "id": user.pk,
        "username": user.username,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "is_active": user.is_active,
        "roles": sorted(binding.role.name for binding in user.role_bindings.all()),
        "groups": sorted(group.name for group in user.groups.all()),
        "last_login": moment(user.last_login),
    }


def _group(group: Group) -> GroupRow:
    return {
        "id": group.pk,
        "name": group.name,
        "members": sorted(User.objects.filter(groups=group).values_list("username", flat=True)),
        "roles": sorted(RoleBinding.objects.filter(group=group).values_list("role__name", flat=True)),
    }


def _find_user(user_id: int) -> User:
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound(_("there is no user %(id)s") % {"id": user_id})
    return user


def _find_group(group_id: int) -> Group:
    group = Group.objects.filter(pk=group_id).first()
    if group is None:
        raise NotFound(_("there is no group %(id)s") % {"id": group_id})
    return group


@router.get("/users", response=UserPage)
def users(request: HttpRequest, response: HttpResponse, limit: Limit = 100, after: After = "") -> dict[str, Any]:
    """List the accounts."""
    require(identify(request), "access.view")
    rows, cursor = by_id(User.objects.prefetch_related("groups", "role_bindings__role"), after, limit)
    return page(request, response, [_user(user) for user in rows], cursor)


@router.post("/users", response={201: UserRow})
def create_user(request: HttpRequest, body: NewUser) -> Status[UserRow]:
    """Create an account."""
    return Status(201, _user(actions.create_user(identify(request), **body.dict())))


@router.get("/users/{int:user_id}", response=UserRow)
def read_user(request: HttpRequest, user_id: Id) -> UserRow:
    """Read one account."""
    require(identify(request), "access.view")
    return _user(_find_user(user_id))


@router.patch("/users/{int:user_id}", response=UserRow)
def change_user(request: HttpRequest, user_id: Id, body: UserChanges) -> UserRow:
    """Change an account; an inactive one is signed out at once."""
    actor = identify(request)
    require(actor, "access.manage")
    changes = {name: value for name, value in body.dict(exclude_unset=True).items() if value is not None}
    return _user(actions.update_user(actor, _find_user(user_id), changes))


@router.delete("/users/{int:user_id}", response={204: None})
def delete_user(request: HttpRequest, user_id: Id) -> Status[None]:
    """Delete an account with its tokens and sessions."""
    actor = identify(request)
    require(actor, "access.manage")
    actions.delete_user(actor, _find_user(user_id))
    return Status(204, None)


@router.post("/users/{int:user_id}/password-link", response={201: Link})
def password_link(request: HttpRequest, response: HttpResponse, user_id: Id) -> Status[Link]:
    """Make a link by which a person chooses a password; older ones stop working."""
    response["Cache-Control"] = "no-store"
    actor = identify(request)
    require(actor, "access.manage")
    return Status(201, {"secret": actions.password_link(actor, _find_user(user_id))})


@router.put("/users/{int:user_id}/roles/{role}", response=UserRow)
def bind_user(request: HttpRequest, user_id: Id, role: Line) -> UserRow:
    """Give a role to a person."""
    actor = identify(request)
    require(actor, "access.manage")
    user = _find_user(user_id)
    actions.bind_role(actor, role, user=user)
    return _user(user)


@router.delete("/users/{int:user_id}/roles/{role}", response=UserRow)
def unbind_user(request: HttpRequest, user_id: Id, role: Line) -> UserRow:
    """Take a role from a person."""
    actor = identify(request)
    require(actor, "access.manage")
    user = _find_user(user_id)
    actions.unbind_role(actor, role, user=user)
    return _user(user)


@router.get("/groups", response=GroupPage)
def groups(request: HttpRequest, response: HttpResponse, limit: Limit = 100, after: After = "") -> dict[str, Any]:
    """List the groups with their members and roles."""
    require(identify(request), "access.view")
    rows, cursor = by_id(Group.objects.all(), after, limit)
    return page(request, response, [_group(group) for group in rows], cursor)


@router.post("/groups", response={201: GroupRow})
def create_group(request: HttpRequest, body: NewGroup) -> Status[GroupRow]:
    """Create a group."""
    return Status(201, _group(actions.create_group(identify(request), body.name, body.members)))


@router.put("/groups/{int:group_id}/members", response=GroupRow)
def set_members(request: HttpRequest, group_id: Id, body: Members) -> GroupRow:
    """Make these people, by user name, the group's members."""
    actor = identify(request)
    require(actor, "access.manage")
    return _group(actions.set_members(actor, _find_group(group_id), body.members))


@router.delete("/groups/{int:group_id}", response={204: None})
def delete_group(request: HttpRequest, group_id: Id) -> Status[None]:
    """Delete a group and the roles bound to it."""
    actor = identify(request)
    require(actor, "access.manage")
    actions.delete_group(actor, _find_group(group_id))
    return Status(204, None)


@router.put("/groups/{int:group_id}/roles/{role}", response=GroupRow)
def bind_group(request: HttpRequest, group_id: Id, role: Line) -> GroupRow:
    """Give a role to a group."""
    actor = identify(request)
    require(actor, "access.manage")
    group = _find_group(group_id)
    actions.bind_role(actor, role, group=group)
    return _group(group)


@router.delete("/groups/{int:group_id}/roles/{role}", response=GroupRow)
def unbind_group(request: HttpRequest, group_id: Id, role: Line) -> GroupRow:
    """Take a role from a group."""
    actor = identify(request)
    require(actor, "access.manage")
    group = _find_group(group_id)
    actions.unbind_role(actor, role, group=group)
    return _group(group)
