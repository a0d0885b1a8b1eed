"""One-time links: the first set-up, and a person's way to a password. Nobody else ever knows the password."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.access.limits import require_no_more_power
from quarterdeck.access.models import OneTimeLink, Role, RoleBinding, User
from quarterdeck.access.tokens import digest
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, NotFound

VALID_FOR = timedelta(hours=24)
Purpose = OneTimeLink.Purpose


def needs_setup() -> bool:
    """Whether nobody can sign in yet."""
    return not User.objects.exists()


@action("access.manage")
def setup_link(actor: Actor) -> str:
    """Make the link of the first set-up and return its secret; older ones stop working. Raises Conflict once done."""
    if not needs_setup():
        raise Conflict(_("this instance is set up already"), hint=_("sign in"))
    OneTimeLink.objects.filter(purpose=Purpose.SETUP, used_at=None).update(used_at=now())
    record(actor, "access.setup_link", None, "a set-up link was made")
    return _new(Purpose.SETUP, None)


@action("access.manage")
def password_link(actor: Actor, user: User) -> str:
    """Make a link by which `user` chooses a password, and return its secret. Raises Denied for who may do more."""
    require_no_more_power(actor, user)
    OneTimeLink.objects.filter(purpose=Purpose.PASSWORD, user=user, used_at=None).update(used_at=now())
    record(actor, "access.password_link", user)
    return _new(Purpose.PASSWORD, user)


def _new(purpose: str, user: User | None) -> str:
    plain = secrets.token_urlsafe(32)
    moment = now()
    OneTimeLink.objects.create(
        purpose=purpose, user=user, digest=digest(plain), created_at=moment, expires_at=moment + VALID_FOR
    )
    return plain


def find_link(purpose: str, plain: str) -> OneTimeLink:
    """Return the living link with this secret. Raises NotFound, whatever the reason is."""
    alive = OneTimeLink.objects.filter(purpose=purpose, used_at=None, expires_at__gt=now())
    link = alive.filter(digest=digest(plain)).select_related("user").first()
    if link is None:
        raise NotFound(_("this link does not work: it was used, is too old, or was replaced by a newer one"),
                       hint=_("ask for a new one; for the first set-up, start Quarterdeck again"))  # fmt: skip
    return link


def find_setup_link(plain: str) -> OneTimeLink:
    """Return the living link of the first set-up. Raises NotFound, and Conflict where somebody can sign in already."""
    link = find_link(Purpose.SETUP, plain)
    if not needs_setup():
        raise Conflict(_("this instance is set up already"), hint=_("sign in"))
    return link


def _use(link: OneTimeLink) -> None:
    """Take the link, once: of two that try at the same time one finds it used."""
    if not OneTimeLink.objects.filter(pk=link.pk, used_at=None).update(used_at=now()):
        raise Conflict(_("this link was used a moment ago"), hint=_("sign in"))


@action("access.setup", is_open=True)
def complete_setup(actor: Actor, secret: str, username: str, email: str, password: str) -> User:
    """Make the first administrator. The link is the permission. Raises NotFound, Conflict, BadInput."""
    link = find_setup_link(secret)
    user = User(username=_valid_name(username), email=email.strip())
    _set_password(user, password)
    _use(link)
    user.save()
    RoleBinding.objects.create(role=Role.objects.get(name="admin"), user=user)
    record(actor, "access.setup", user, after={"username": user.username, "role": "admin"})
    return user


@action("access.choose_password", is_open=True)
def choose_password(actor: Actor, secret: str, password: str) -> User:
    """Set the password of the link's person. The link is the permission. Raises NotFound, Conflict, BadInput."""
    link = find_link(Purpose.PASSWORD, secret)
    user = link.user
    if user is None:
        raise NotFound(_("this link belongs to nobody"))
    _set_password(user, password)
    _use(link)
    user.save()
    record(actor, "access.choose_password", user)
    return user


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadInput(" ".join(error.messages), field="password") from error
    user.set_password(password)


def _valid_name(username: str) -> str:
    name = username.strip()
    try:
        User._meta.get_field("username").clean(name, None)
    except ValidationError as error:
        raise BadInput(" ".join(error.messages), field="username") from error
    return name
