"""What nobody may do with rights: give more than they have, or lock everybody out."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access import grants, registry
from quarterdeck.access.grants import Grant
from quarterdeck.access.models import Role, RoleBinding, User
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import Conflict, Denied


def require_no_more_than_own(actor: Actor, roles: Iterable[Role]) -> None:
    """Raise Denied when a role grants what `actor` lacks: a verb, or a wider scope than the actor's own.

    A scope is no wider when the actor has the verb without a query, or by the very same query: whether one query
    selects a part of another cannot be told in general, so anything else is refused.
    """
    for role in roles:
        for verb in sorted(_granted(role)):
            if not all(_covers(own, verb, role.query.strip()) for own in grants.holders(actor)):
                raise Denied(
                    _('the role "%(role)s" grants "%(verb)s" on more than you have')
                    % {"role": role.name, "verb": verb},
                    hint=_("ask somebody who has it"),
                )


def _granted(role: Role) -> set[str]:
    granted = Grant(tuple(role.verbs), role.query)
    return {verb for verb in registry.verbs() if granted.covers(verb)}


def require_no_more_power(actor: Actor, user: User) -> None:
    """Raise Denied when `user` may do what `actor` may not: who could act on them could act as them, or disarm them."""
    require_no_more_than_own(actor, roles_of(user))


def roles_of(user: User) -> QuerySet[Role]:
    """Return the roles of a person, by themselves and by group, active or not."""
    return Role.objects.filter(Q(bindings__user=user) | Q(bindings__group__user=user)).distinct()


def roles_of_groups(groups: Iterable[Group]) -> QuerySet[Role]:
    return Role.objects.filter(bindings__group__in=groups).distinct()


def _covers(own: tuple[Grant, ...], verb: str, query: str) -> bool:
    return any(grant.covers(verb) and grant.query.strip() in ("", query) for grant in own)


def require_an_administrator(*, is_before_setup: bool = False) -> None:
    """Raise Conflict when, after the change just made, no active person holds every right on everything.

    An instance without people waits for its set-up, which is no lock-out: with `is_before_setup` that may be.
    """
    full = Role.objects.filter(verbs__icontains='"*"', query="")
    names = [role.pk for role in full if "*" in role.verbs]
    # Two administrators who take each other's rights at the same time wait for each other here.
    if connection.features.has_select_for_update:
        list(Role.objects.select_for_update().filter(name="admin").values_list("pk"))
    holders = User.objects.filter(Q(role_bindings__role__in=names) | Q(groups__in=_groups_with(names)), is_active=True)
    if not holders.exists() and not (is_before_setup and not User.objects.exists()):
        raise Conflict(
            _("this would leave no administrator"), hint=_("give another active person the role admin first")
        )


def _groups_with(roles: list[int]) -> list[int]:
    bound = RoleBinding.objects.filter(role__in=roles, group__isnull=False)
    return [group for group in bound.values_list("group_id", flat=True) if group is not None]
