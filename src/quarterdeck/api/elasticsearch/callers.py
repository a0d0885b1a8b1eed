"""Who asks: as elsewhere, or a token sent as Elasticsearch's clients send an `api_key`."""

from __future__ import annotations

import base64
import binascii

from django.http import HttpRequest

from quarterdeck.api.prometheus import callers
from quarterdeck.audit.actor import Actor


def identify(request: HttpRequest) -> Actor:
    """Return the actor of `request`. Raises Unauthenticated, Denied, TooMany."""
    scheme, _space, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "apikey":
        request.META["HTTP_AUTHORIZATION"] = f"Bearer {_key(credentials.strip())}"
        # Headers are read once and kept.
        request.__dict__.pop("headers", None)
    return callers.identify(request)


def _key(credentials: str) -> str:
    """Return the token: as it is, or behind the colon of `base64(id:token)`."""
    try:
        name, colon, key = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return credentials
    return key if colon and name else credentials
