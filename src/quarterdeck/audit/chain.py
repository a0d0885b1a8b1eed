"""The hash chain: canonical form, digests and keys.

`hash = HMAC-SHA256(key, prev_hash || canonical JSON)`. Canonical JSON has RFC 8785's shape for the values that occur
here, which are whole numbers and strings: keys sorted, no spaces, UTF-8.
See https://www.rfc-editor.org/rfc/rfc8785 and https://www.rfc-editor.org/rfc/rfc2104
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from quarterdeck.core.keys import instance_key

GENESIS = "0" * 64
# Every stored column of an event except the hash itself, in one order for all who hash: writer and verifier.
HASHED_FIELDS = (
    "seq", "uuid", "at_us", "actor_kind", "actor_id", "actor_name", "auth_method", "source_ip", "user_agent",
    "request_id", "verb", "object_kind", "object_id", "object_name", "detail", "before_json", "after_json", "reason",
    "result", "error", "key_id",
)  # fmt: skip


@cache
def _chain_key() -> bytes:
    return bytes.fromhex(instance_key(settings.DATA, "audit"))


@cache
def _signing_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(instance_key(settings.DATA, "audit-signing")))


def sign(statement: bytes) -> str:
    """Return the Ed25519 signature of a checkpoint's or a segment's statement, in hexadecimal digits."""
    return _signing_key().sign(statement).hex()


@cache
def public_key() -> str:
    """Return the key by which anybody can check our signatures: 64 hexadecimal digits."""
    return _signing_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def is_signed(public_key: str, signature: str, statement: bytes) -> bool:
    """Whether `signature` of `statement` was made with the private half of `public_key`."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), statement)
    except (InvalidSignature, ValueError):
        return False
    return True


@cache
def key_id() -> str:
    """Return the name of the chain key, which tells keys apart and nothing about them: 16 hexadecimal digits."""
    return hashlib.sha256(b"quarterdeck audit key" + _chain_key()).hexdigest()[:16]


def canonical(value: Mapping[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def link(prev_hash: str, fields: Mapping[str, Any]) -> str:
    """Return the hash of the event with `fields` (all of HASHED_FIELDS) that follows `prev_hash`."""
    return hmac.digest(_chain_key(), prev_hash.encode() + canonical(fields), "sha256").hex()


def secret_digest(value: object) -> str:
    """Return `hmac:…` for a secret: equal secrets are seen to be equal, the value is not."""
    digest = hmac.digest(_chain_key(), b"secret\0" + repr(value).encode("utf-8", "replace"), "sha256").hex()
    return f"hmac:{digest[:32]}"
