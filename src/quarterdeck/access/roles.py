"""Actions on roles and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access import registry, scopes
from quarterdeck.access.checks import action, may, require, visible
from quarterdeck.access.limits import require_an_administrator, require_no_more_than_own
from quarterdeck.access.models import Role, Token, User
from quarterdeck.access.people import role_named
from quarterdeck.access.tokens import PREFIX, digest, new_token
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, NotFound


@action("access.manage")
def set_role(
    actor: Actor, name: str, *, verbs: Sequence[str], query: str = "", title: str = "", description: str = ""
) -> Role:
    """Create or change a role. Raises BadInput, BadQuery, Conflict if it is built in, Denied if beyond one's own."""
    role = Role.objects.filter(name=name).first() or Role(name=name)
    if role.builtin:
        raise Conflict(_('the role "%(name)s" is built in') % {"name": name}, hint=_("make a role of your own"))
    before = {} if role.pk is None else _shown(role)
    if role.pk is not None:
        require_no_more_than_own(actor, [role])
    role.title, role.description, role.verbs, role.query = title, description, sorted(set(verbs)), query.strip()
    _check(role)
    require_no_more_than_own(actor, [role])
    role.save()
    require_an_administrator(is_before_setup=True)
    record(actor, "access.set_role", role, before=before, after=_shown(role))
    return role


@action("access.manage")
def delete_role(actor: Actor, name: str) -> None:
    """Delete a role of one's own making; who had it loses it."""
    role = role_named(name)
    if role.builtin:
        raise Conflict(_('the role "%(name)s" is built in') % {"name": name}, hint=_("it cannot be deleted"))
    require_no_more_than_own(actor, [role])
    record(actor, "access.delete_role", role, before=_shown(role))
    role.delete()
    require_an_administrator(is_before_setup=True)


def _shown(role: Role) -> dict[str, Any]:
    return {"verbs": role.verbs, "query": role.query, "title": role.title}


def _check(role: Role) -> None:
    if not role.name.replace("-", "").replace("_", "").isalnum() or not role.name.isascii():
        raise BadInput(_("a role's name has letters, digits, - and _ only"), field="name")
    if not role.verbs:
        raise BadInput(_("a role grants at least one permission"), field="verbs")
    registry.check_patterns(role.verbs)
    compile_scope(role.query)


def compile_scope(query: str) -> None:
    """Raise BadQuery when `query` cannot scope a role."""
    for model in scopes.models():
        compiler = scopes.compiler(model)
        if compiler is not None and query.strip():
            compiler(query)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a role's query selects now: the count and the first few, as far as the actor may see them."""

    count: int
    sample: tuple[Model, ...]


def preview(actor: Actor, query: str, *, limit: int = 10) -> Preview:
    """Return what a scope would cover. Raises BadQuery, Denied."""
    require(actor, "access.view")
    count = 0
    sample: list[Model] = []
    for model in scopes.models():
        compiler = scopes.compiler(model)
        if compiler is None:
            continue
        found = visible(actor, "inventory.view", model._default_manager.all())
        found = found.filter(compiler(query)) if query.strip() else found
        count += found.count()
        sample.extend(found.order_by("pk")[:limit])
    return Preview(count, tuple(sample[:limit]))


@action("access.tokens")
def create_token(
    actor: Actor, name: str, roles: Sequence[str], *, expires_at: datetime | None = None, user: User | None = None
) -> tuple[Token, str]:
    """Create a token and return it with its text, which is shown this once.

    A person's token belongs to them unless they manage access and name somebody else; it never exceeds its owner. One
    that is made by a token ends with it at the latest, so that who finds a token cannot keep what it gives.
    """
    if not name.strip():
        raise BadInput(_("a token needs a name"), field="name")
    if not roles:
        raise BadInput(_("a token needs at least one role"), hint=_("for example viewer"), field="roles")
    if expires_at is not None and expires_at <= now():
        raise BadInput(_("the token would be expired already"), field="expires_at")
    found = [role_named(role) for role in roles]
    require_no_more_than_own(actor, found)
    expires_at = _no_later_than(_end_of(actor), expires_at)
    plain = new_token()
    token = Token.objects.create(
        name=name.strip(), digest=digest(plain), hint=plain[: len(PREFIX) + 6], user=_owner(actor, user),
        created_by=actor.name, created_at=now(), expires_at=expires_at,
    )  # fmt: skip
    token.roles.set(found)
    record(actor, "access.create_token", token, after={"roles": list(roles), "expires_at": expires_at})
    return token, plain


def _end_of(actor: Actor) -> datetime | None:
    """Return when the actor's own token ends; None for never, and for who is no token."""
    return Token.objects.get(pk=int(actor.id)).expires_at if actor.kind is ActorKind.TOKEN else None


def _no_later_than(end: datetime | None, wanted: datetime | None) -> datetime | None:
    return wanted if end is None else end if wanted is None else min(end, wanted)


def _owner(actor: Actor, user: User | None) -> User | None:
    """A token made by a person, or by a token of theirs, is theirs; the system's belongs to nobody."""
    if user is not None:
        if not (actor.kind is ActorKind.USER and actor.id == str(user.pk)):
            require(actor, "access.manage")
        return user
    if actor.kind is ActorKind.USER:
        return User.objects.get(pk=int(actor.id))
    if actor.kind is ActorKind.TOKEN:
        return Token.objects.select_related("user").get(pk=int(actor.id)).user
    return None


@action("access.tokens")
def revoke_token(actor: Actor, token: Token | int) -> Token:
    """Revoke a token: its next request is refused. One's own, or anybody's with `access.manage`."""
    found = tokens_of(actor).filter(pk=token if isinstance(token, int) else token.pk).first()
    if found is None:
        raise NotFound(_("no such token"))
    if found.revoked_at is None:
        found.revoked_at = now()
        found.save(update_fields=["revoked_at"])
        record(actor, "access.revoke_token", found)
    return found


def tokens_of(actor: Actor) -> QuerySet[Token]:
    """Return the tokens that `actor` may see: all with `access.manage`, else their own."""
    tokens = Token.objects.select_related("user").prefetch_related("roles")
    if may(actor, "access.manage"):
        return tokens
    owner = _owner(actor, None)
    return tokens.filter(user=owner) if owner else tokens.none()
