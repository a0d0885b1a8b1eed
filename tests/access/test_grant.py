"""Who may do what, and that nobody gets more rights than they have."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.people import actor as acting
from tests.people import person

from quarterdeck import access, inventory, monitoring, telemetry
from quarterdeck.access import actions, registry
from quarterdeck.access.checks import ACTIONS, Action, may, require, visible
from quarterdeck.access.models import Role, RoleBinding, Token, User
from quarterdeck.audit.actor import ANONYMOUS, SYSTEM, Actor, ActorKind
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, Denied
from quarterdeck.inventory.models import Item, ItemType

pytestmark = pytest.mark.django_db


def item(name: str, env: str) -> Item:
    moment = now()
    return Item.objects.create(
        type=ItemType.objects.get(code="host"),
        name=name,
        env=env,
        lifecycle_at=moment,
        first_seen=moment,
        updated_at=moment,
    )


def manager(*verbs: str) -> Actor:
    """Somebody who manages access and may do `verbs`, but is no administrator."""
    role = Role.objects.create(name="manager", verbs=["access.*", *verbs])
    return acting(person("manager", role))


def token_actor(token: Token) -> Actor:
    return Actor(ActorKind.TOKEN, token.name, str(token.pk))


def test_a_role_reaches_as_far_as_its_query(teammate: Actor) -> None:
    prod, test = item("web1", "prod"), item("web2", "test")
    assert may(teammate, "inventory.edit", prod)
    assert not may(teammate, "inventory.edit", test)
    assert list(visible(teammate, "inventory.view", Item.objects.all())) == [prod]
    require(teammate, "inventory.edit", [prod])
    for selection in (test, [prod, test], Item.objects.all(), Item.objects.filter(name="web2")):
        with pytest.raises(Denied):
            require(teammate, "inventory.edit", selection)


def test_roles_add_up(teammate_user: User) -> None:
    prod, test = item("web1", "prod"), item("web2", "test")
    RoleBinding.objects.create(
        role=Role.objects.create(name="test-viewer", verbs=["inventory.view"], query="env:test"), user=teammate_user
    )
    teammate = acting(teammate_user)
    assert set(visible(teammate, "inventory.view", Item.objects.all())) == {prod, test}
    assert set(visible(teammate, "inventory.edit", Item.objects.all())) == {prod}


def test_a_group_gives_its_roles_until_one_leaves(owner: Actor, stranger: Actor, stranger_user: User) -> None:
    group = actions.create_group(owner, "readers", ["stranger"])
    actions.bind_role(owner, "viewer", group=group)
    assert may(stranger, "inventory.view")
    actions.set_members(owner, group, [])
    assert not may(stranger, "inventory.view")


def test_an_inactive_person_may_nothing(teammate: Actor, teammate_user: User) -> None:
    teammate_user.is_active = False
    teammate_user.save()
    assert not may(teammate, "inventory.view")


def test_a_query_that_no_longer_compiles_grants_nothing(stranger_user: User) -> None:
    item("web1", "prod")
    RoleBinding.objects.create(
        role=Role.objects.create(name="odd", verbs=["inventory.*"], query="nosuchfield:1"), user=stranger_user
    )
    assert not visible(acting(stranger_user), "inventory.view", Item.objects.all()).exists()


def test_a_role_with_a_query_grants_nothing_about_the_whole_product(stranger_user: User) -> None:
    RoleBinding.objects.create(
        role=Role.objects.create(name="prod-all", verbs=["*"], query="env:prod"), user=stranger_user
    )
    stranger = acting(stranger_user)
    assert may(stranger, "inventory.edit")
    assert may(stranger, "access.tokens")
    for verb in registry.verbs().values():
        assert may(stranger, verb.name) == (verb.scoped or verb.own), verb.name


def _guarded() -> list[str]:
    """The names of all actions that need a permission; what an open one checks instead has tests of its own."""
    for package in (access, monitoring, inventory, telemetry):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return sorted(name for name, found in ACTIONS.items() if not found.is_open)


@pytest.mark.parametrize("name", _guarded())
def test_every_action_refuses_a_stranger_and_records_it(stranger: Actor, name: str) -> None:
    found: Action = ACTIONS[name]
    with pytest.raises(Denied):
        found.call(stranger)
    event = AuditEvent.objects.latest("seq")
    assert (event.actor_name, event.verb, event.result, event.detail) == ("stranger", found.verb, "denied", name)


def test_every_verb_of_an_action_is_registered() -> None:
    verbs = registry.verbs()
    assert {found.verb for found in ACTIONS.values() if not found.is_open} <= set(verbs)


@pytest.mark.parametrize("who", [ANONYMOUS, Actor(ActorKind.TOKEN, "gone", "999999")])
def test_nobody_may_nothing(who: Actor) -> None:
    assert not any(may(who, verb) for verb in registry.verbs())


def test_the_system_may_everything() -> None:
    assert all(may(SYSTEM, verb) for verb in registry.verbs())


ESCALATIONS: dict[str, Callable[[Actor, User, User], object]] = {
    "bind a role that does more": lambda me, own, admin: actions.bind_role(me, "admin", user=own),
    "take the administrator's role": lambda me, own, admin: actions.unbind_role(me, "admin", user=admin),
    "make a role that does more": lambda me, own, admin: actions.set_role(me, "mine", verbs=["inventory.delete"]),
    "make a role of everything": lambda me, own, admin: actions.set_role(me, "mine", verbs=["*"]),
    "make an account with more": lambda me, own, admin: actions.create_user(me, "puppet", roles=["admin"]),
    "make an account in a group with more": lambda me, own, admin: actions.create_user(me, "puppet", groups=["admins"]),
    "join a group with more": lambda me, own, admin: actions.update_user(me, own, {"groups": ["admins"]}),
    "make a token with more": lambda me, own, admin: actions.create_token(me, "ci", ["admin"]),
    "choose the administrator's password": lambda me, own, admin: actions.password_link(me, admin),
    "change the administrator's address": lambda me, own, admin: actions.update_user(me, admin, {"email": "x@y.org"}),
    "deactivate the administrator": lambda me, own, admin: actions.update_user(me, admin, {"is_active": False}),
    "delete the administrator": lambda me, own, admin: actions.delete_user(me, admin),
}


@pytest.mark.parametrize("attempt", ESCALATIONS)
def test_who_manages_access_cannot(owner: Actor, owner_user: User, attempt: str) -> None:
    group = actions.create_group(owner, "admins")
    actions.bind_role(owner, "admin", group=group)
    me = manager("inventory.view")
    with pytest.raises(Denied):
        ESCALATIONS[attempt](me, User.objects.get(username="manager"), owner_user)
    assert AuditEvent.objects.latest("seq").result == "denied"
    assert not may(me, "inventory.delete")
    assert may(owner, "inventory.delete")


def test_who_manages_access_gives_what_they_have(owner: Actor, stranger_user: User) -> None:
    me = manager("inventory.view", "telemetry.query")
    actions.bind_role(me, "viewer", user=stranger_user)
    assert may(acting(stranger_user), "inventory.view")


def test_a_scope_cannot_be_widened(owner: Actor, teammate_user: User) -> None:
    RoleBinding.objects.create(role=Role.objects.create(name="manager", verbs=["access.manage"]), user=teammate_user)
    teammate = acting(teammate_user)
    actions.set_role(teammate, "same", verbs=["inventory.edit"], query="env:prod")
    for query in ("", "env:test", "env:prod OR env:test"):
        with pytest.raises(Denied):
            actions.set_role(teammate, "wider", verbs=["inventory.edit"], query=query)


LAST_ADMIN: dict[str, Callable[[Actor, User], object]] = {
    "unbind": lambda me, user: actions.unbind_role(me, "admin", user=user),
    "deactivate": lambda me, user: actions.update_user(me, user, {"is_active": False}),
    "delete": lambda me, user: actions.delete_user(SYSTEM, user),
}


@pytest.mark.parametrize("attempt", LAST_ADMIN)
def test_the_last_administrator_stays(owner: Actor, owner_user: User, attempt: str) -> None:
    with pytest.raises(Conflict):
        LAST_ADMIN[attempt](owner, owner_user)
    owner_user = User.objects.get(username="owner")  # deleting took the key of the one at hand
    assert may(owner, "access.manage")
    person("second", Role.objects.get(name="admin"))
    LAST_ADMIN[attempt](owner, owner_user)
    assert not may(owner, "access.manage")


def test_a_built_in_role_stays(owner: Actor) -> None:
    with pytest.raises(Conflict):
        actions.delete_role(owner, "viewer")
    with pytest.raises(Conflict):
        actions.set_role(owner, "viewer", verbs=["*"])


def test_a_token_never_exceeds_its_owner(owner: Actor, teammate: Actor, teammate_user: User) -> None:
    prod, test = item("web1", "prod"), item("web2", "test")
    token, _plain = actions.create_token(teammate, "ci", ["prod-operator"])
    token.roles.set([Role.objects.get(name="admin")])
    assert may(token_actor(token), "inventory.edit", prod)
    assert not may(token_actor(token), "inventory.edit", test)
    assert not may(token_actor(token), "access.manage")
    actions.update_user(owner, teammate_user, {"is_active": False})
    assert not may(token_actor(token), "inventory.edit", prod)


def test_a_token_makes_none_that_can_do_more_than_itself(owner: Actor) -> None:
    token, _plain = actions.create_token(owner, "ci", ["viewer"])
    with pytest.raises(Denied):
        actions.create_token(token_actor(token), "child", ["admin"])
    child, _plain = actions.create_token(token_actor(token), "child", ["viewer"])
    assert child.user == token.user


def test_a_token_makes_none_that_outlives_it(owner: Actor) -> None:
    end = now() + timedelta(hours=1)
    token, _plain = actions.create_token(owner, "ci", ["viewer"], expires_at=end)
    for wanted, given in ((None, end), (end + timedelta(days=1), end), (end - timedelta(minutes=1),) * 2):
        assert actions.create_token(token_actor(token), "child", ["viewer"], expires_at=wanted)[0].expires_at == given


def test_work_that_a_token_queued_ends_with_the_token(owner: Actor) -> None:
    token, _plain = actions.create_token(owner, "ci", ["viewer"], expires_at=now() + timedelta(hours=1))
    assert may(token_actor(token), "inventory.view")
    Token.objects.update(expires_at=now() - timedelta(seconds=1))
    assert not may(token_actor(token), "inventory.view")


def test_a_role_names_verbs_that_exist(owner: Actor) -> None:
    with pytest.raises(BadInput, match=r"inventory\.vieww"):
        actions.set_role(owner, "typo", verbs=["inventory.vieww"])
