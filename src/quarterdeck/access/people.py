"""Actions on people and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.access.limits import (
    require_an_administrator,
    require_no_more_power,
    require_no_more_than_own,
    roles_of_groups,
)
from quarterdeck.access.models import Role, RoleBinding, User
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound

_CHANGEABLE = ("email", "first_name", "last_name", "is_active")


@action("access.manage")
def create_user(
    actor: Actor, username: str, *, email: str = "", roles: Sequence[str] = (), groups: Sequence[str] = ()
) -> User:
    """Create an account without a password: `links.password_link` makes the link by which its person chooses one."""
    user = User(username=username.strip(), email=email.strip())
    user.set_unusable_password()
    _clean(user)
    user.save()
    found = _groups(groups)
    require_no_more_than_own(actor, roles_of_groups(found))
    user.groups.set(found)
    record(
        actor,
        "access.create_user",
        user,
        after={"username": user.username, "email": user.email, "groups": list(groups)},
    )
    for name in roles:
        bind_role(actor, name, user=user)
    return user


@action("access.manage")
def update_user(actor: Actor, user: User, changes: Mapping[str, Any]) -> User:
    """Change `email`, `first_name`, `last_name`, `is_active` or `groups`. An inactive account is signed out at once."""
    unknown = set(changes) - {*_CHANGEABLE, "groups"}
    if unknown:
        raise BadInput(_("these fields cannot be changed: %(names)s") % {"names": ", ".join(sorted(unknown))})
    require_no_more_power(actor, user)
    before = {name: getattr(user, name) for name in _CHANGEABLE} | {"groups": _group_names(user)}
    for name in _CHANGEABLE:
        if name in changes:
            setattr(user, name, changes[name])
    _clean(user)
    user.save()
    if "groups" in changes:
        groups = _groups(changes["groups"])
        require_no_more_than_own(actor, roles_of_groups(groups))
        user.groups.set(groups)
    if not user.is_active:
        end_sessions(user)
    require_an_administrator()
    after = {name: getattr(user, name) for name in _CHANGEABLE} | {"groups": _group_names(user)}
    changed = {name for name in after if after[name] != before[name]}
    record(
        actor, "access.update_user", user, before={n: before[n] for n in changed}, after={n: after[n] for n in changed}
    )
    return user


@action("access.update_own_profile", is_open=True)
def update_own_profile(actor: Actor, changes: Mapping[str, Any]) -> User:
    """Change `first_name`, `last_name` or `email` of the actor's own account, which needs no permission."""
    if actor.kind is not ActorKind.USER:
        raise Denied(_("only a person has a profile"), hint=_("sign in as a person"))
    user = User.objects.get(pk=int(actor.id))
    names = [name for name in ("first_name", "last_name", "email") if name in changes]
    before = {name: getattr(user, name) for name in names}
    for name in names:
        setattr(user, name, changes[name])
    _clean(user)
    user.save(update_fields=names)
    record(actor, "access.update_own_profile", user, before=before, after={name: changes[name] for name in names})
    return user


@action("access.manage")
def delete_user(actor: Actor, user: User) -> None:
    """Delete an account with its tokens and sessions. The audit log keeps its name and id."""
    if actor.kind is ActorKind.USER and actor.id == str(user.pk):
        raise Conflict(_("you cannot delete your own account"), hint=_("ask another administrator"))
    require_no_more_power(actor, user)
    record(actor, "access.delete_user", user, before={"username": user.username, "email": user.email})
    end_sessions(user)
    user.delete()
    require_an_administrator()


@action("access.manage")
def create_group(actor: Actor, name: str, members: Sequence[str] = ()) -> Group:
    """Create a group with members by user name."""
    if not name.strip() or Group.objects.filter(name=name.strip()).exists():
        raise Conflict(_('a group must have a name of its own, found "%(name)s"') % {"name": name}, field="name")
    group = Group.objects.create(name=name.strip())
    group.user_set.set(_users(members))
    record(actor, "access.create_group", group, after={"members": list(members)})
    return group


@action("access.manage")
def set_members(actor: Actor, group: Group, members: Sequence[str]) -> Group:
    """Make `members` (user names) the group's members."""
    require_no_more_than_own(actor, roles_of_groups([group]))
    before = sorted(user.username for user in User.objects.filter(groups=group))
    group.user_set.set(_users(members))
    require_an_administrator(is_before_setup=True)
    record(actor, "access.set_members", group, before={"members": before}, after={"members": sorted(members)})
    return group


@action("access.manage")
def delete_group(actor: Actor, group: Group) -> None:
    """Delete a group; its members lose the roles that it had."""
    require_no_more_than_own(actor, roles_of_groups([group]))
    record(actor, "access.delete_group", group)
    group.delete()
    require_an_administrator(is_before_setup=True)


@action("access.manage")
def bind_role(actor: Actor, role: str, *, user: User | None = None, group: Group | None = None) -> RoleBinding:
    """Give a role to a person or a group. Raises Denied when it grants more than the actor has."""
    found = role_named(role)
    require_no_more_than_own(actor, [found])
    binding, created = RoleBinding.objects.get_or_create(role=found, user=user, group=group)
    if created:
        record(actor, "access.bind_role", user or group, found.name, after={"role": found.name})
    return binding


@action("access.manage")
def unbind_role(actor: Actor, role: str, *, user: User | None = None, group: Group | None = None) -> None:
    """Take a role from a person or a group. Raises Denied when it grants more than the actor has."""
    found = role_named(role)
    require_no_more_than_own(actor, [found])
    RoleBinding.objects.filter(role=found, user=user, group=group).delete()
    require_an_administrator(is_before_setup=True)
    record(actor, "access.unbind_role", user or group, found.name, before={"role": found.name})


def role_named(name: str) -> Role:
    """Return the role. Raises NotFound with the names that exist."""
    role = Role.objects.filter(name=name).first()
    if role is None:
        known = ", ".join(Role.objects.values_list("name", flat=True))
        raise NotFound(
            _('no role is called "%(name)s"') % {"name": name}, hint=_("roles: %(names)s") % {"names": known}
        )
    return role


def end_sessions(user: User) -> int:
    """Sign `user` out everywhere; return how many sessions ended."""
    mine = [s for s in Session.objects.iterator() if s.get_decoded().get("_auth_user_id") == str(user.pk)]
    for session in mine:
        session.delete()
    return len(mine)


def _clean(user: User) -> None:
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise BadInput(" ".join(messages), field=field) from error


def _groups(names: Sequence[str]) -> list[Group]:
    groups = list(Group.objects.filter(name__in=names))
    if missing := set(names) - {group.name for group in groups}:
        raise NotFound(_("no such group: %(names)s") % {"names": ", ".join(sorted(missing))})
    return groups


def _users(names: Sequence[str]) -> list[User]:
    users = list(User.objects.filter(username__in=names))
    if missing := set(names) - {user.username for user in users}:
        raise NotFound(_("no such user: %(names)s") % {"names": ", ".join(sorted(missing))})
    return users


def _group_names(user: User) -> list[str]:
    return sorted(group.name for group in user.groups.all())
