"""API tokens: `qd_` and 256 random bits.

SHA-256 is enough to keep them: what a slow hash defends against, guessing, is hopeless here, and a token
is checked at every request. See https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import datetime, timedelta

from django.db import OperationalError
from django.db.models import Q
from django.utils.translation import gettext as _

from quarterdeck.access.models import Token
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.clock import now
from quarterdeck.core.errors import Unauthenticated

_log = logging.getLogger(__name__)
PREFIX = "qd_"
_USE_IS_NOTED_EVERY = timedelta(minutes=1)


def digest(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()


def new_token() -> str:
    """Return a fresh token's text: `qd_` and 43 characters."""
    return PREFIX + secrets.token_urlsafe(32)


def _note_use(token: Token, moment: datetime) -> None:
    """Note when the token was used last. A full disk, where that cannot be written, must not keep it from reading."""
    try:
        Token.objects.filter(pk=token.pk).update(last_used_at=moment)
    except OperationalError:
        _log.warning("the use of token %s cannot be noted", token.pk, exc_info=True)


def authenticate_token(plain: str) -> Actor:
    """Return the actor of a token. Raises Unauthenticated; the answer does not tell which of the reasons it is."""
    moment = now()
    alive = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=moment))
    token = Token.objects.filter(alive, digest=digest(plain)).select_related("user").first()
    if token is None or (token.user is not None and not token.user.is_active):
        raise Unauthenticated(
            _("the token is unknown, expired or revoked"), hint=_("make a new one on the Tokens page")
        )
    if token.last_used_at is None or moment - token.last_used_at > _USE_IS_NOTED_EVERY:
        _note_use(token, moment)
    return Actor(ActorKind.TOKEN, f"token:{token.name}", str(token.pk), auth_method="token")
