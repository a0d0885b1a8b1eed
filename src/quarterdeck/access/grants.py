"""What an actor's roles grant, read from the database at each question: a change works at once, in every process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Model, Q

from quarterdeck.access import registry, scopes
from quarterdeck.access.models import Role, Token, User
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadQuery

NOTHING = Q(pk__in=[])


@dataclass(frozen=True, slots=True)
class Grant:
    """Verb patterns on the items of a query."""

    verbs: tuple[str, ...]
    query: str

    def covers(self, verb: str) -> bool:
        """Whether `verb` is granted on something. What is about the whole product takes a role without a query."""
        return registry.grants(list(self.verbs), verb) and (not self.query.strip() or registry.works_with_query(verb))


# Each inner tuple is one holder's grants (a token's own, its owner's): a right must be found in every one of them.
Holders = tuple[tuple[Grant, ...], ...]
EVERYTHING: Holders = ((Grant(("*",), ""),),)


def holders(actor: Actor) -> Holders:
    """Return whose grants count for `actor`. The system and schedules may do everything; nobody else by kind alone."""
    if actor.kind in (ActorKind.SYSTEM, ActorKind.SCHEDULE):
        return EVERYTHING
    if actor.kind is ActorKind.USER:
        return (user_grants(int(actor.id)),)
    if actor.kind is ActorKind.TOKEN:
        return _token_holders(int(actor.id))
    return ((),)


def user_grants(user_id: int) -> tuple[Grant, ...]:
    """Return what a person's roles grant, by themselves and by group; nothing when the account is inactive."""
    if not User.objects.filter(pk=user_id, is_active=True).exists():
        return ()
    bound = Role.objects.filter(Q(bindings__user=user_id) | Q(bindings__group__user=user_id)).distinct()
    return _grants(bound)


def _token_holders(token_id: int) -> Holders:
    alive = Q(expires_at=None) | Q(expires_at__gt=now())  # work that it queued may come later than its end
    token = Token.objects.filter(alive, pk=token_id, revoked_at=None).first()
    if token is None:
        return ((),)
    own = _grants(token.roles.all())
    return (own, user_grants(token.user_id)) if token.user_id else (own,)


def _grants(roles: Iterable[Role]) -> tuple[Grant, ...]:
    return tuple(Grant(tuple(role.verbs), role.query) for role in roles)


def condition(grants: Iterable[Grant], verb: str, model: type[Model]) -> Q:
    """Return which records of `model` the grants allow `verb` on. A query that does not compile grants nothing."""
    queries = {grant.query.strip() for grant in grants if grant.covers(verb)}
    if "" in queries:
        return Q()
    compile_query = scopes.compiler(model)
    if compile_query is None:
        return NOTHING
    allowed = NOTHING
    for query in queries:
        try:
            allowed |= compile_query(query)
        except BadQuery:
            # A field of the query was removed since: the role grants less, never more, and the page of roles says so.
            continue
    return allowed


def allowed(actor: Actor, verb: str, model: type[Model]) -> Q:
    """Return the condition on `model` under which `actor` may `verb`."""
    found = Q()
    for grants in holders(actor):
        found &= condition(grants, verb, model)
    return found
