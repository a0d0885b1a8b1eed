"""Who asks: a bearer token, a session, or a token as the password of HTTP Basic, which is all that promtool sends."""

from __future__ import annotations

import base64
import binascii

from django.http import HttpRequest

from quarterdeck.api import auth
from quarterdeck.audit.actor import Actor


def identify(request: HttpRequest) -> Actor:
    """Return the actor of `request`. Raises Unauthenticated, Denied, TooMany."""
    scheme, _space, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        request.META["HTTP_AUTHORIZATION"] = f"Bearer {_password(credentials)}"
        # Headers are read once and kept.
        request.__dict__.pop("headers", None)
    return auth.identify(request)


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
