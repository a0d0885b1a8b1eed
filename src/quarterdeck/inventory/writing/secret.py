"""Secret values: encrypted in a table of their own; everywhere else stands a keyed digest."""

from __future__ import annotations

import base64
import hmac
import re
from functools import cache

from cryptography.fernet import Fernet
from django.conf import settings

from quarterdeck.core.keys import instance_key

_DIGEST = re.compile(r"secret:[0-9a-f]{32}")


@cache
def _key() -> bytes:
    return bytes.fromhex(instance_key(settings.DATA, "inventory-secrets"))


def digest(plain: str) -> str:
    """Return `secret:<32 hexadecimal digits>`: tells equal from changed, and nothing of the value."""
    return "secret:" + hmac.digest(_key(), b"digest:" + plain.encode(), "sha256").hex()[:32]


def is_digest(value: str) -> bool:
    """Whether `value` is what reads show instead of a secret."""
    return _DIGEST.fullmatch(value) is not None


def seal(plain: str) -> str:
    """Return `plain` encrypted (Fernet: AES-128-CBC with HMAC-SHA256)."""
    return Fernet(base64.urlsafe_b64encode(_key())).encrypt(plain.encode()).decode()


def unseal(sealed: str) -> str:
    """Return the plain text; cryptography.fernet.InvalidToken when the key is another."""
    return Fernet(base64.urlsafe_b64encode(_key())).decrypt(sealed.encode()).decode()
