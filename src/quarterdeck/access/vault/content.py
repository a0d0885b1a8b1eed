"""What a credential's secret is made of, by kind: checked when it is entered, so that no run finds out later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.access.models import Credential
from quarterdeck.core.errors import BadInput

Secret = dict[str, str]
Shown = dict[str, Any]
Kind = Credential.Kind

_MAX_PASSWORD_CHARACTERS = 1024
_MAX_TEXT_CHARACTERS = 64 << 10
FIELDS: Mapping[str, tuple[str, ...]] = {
    Kind.PASSWORD: ("password",),
    Kind.BECOME_PASSWORD: ("password",),
    Kind.SSH_KEY: ("private_key", "passphrase"),
    Kind.SSH_CERTIFICATE: ("private_key", "passphrase", "certificate"),
}
_ALL = ("password", "private_key", "passphrase", "certificate")


def read(kind: str, given: Mapping[str, str]) -> tuple[Secret, Shown]:
    """Return `(secret, shown)` of what a person gave for `kind`. Raises BadInput that names the field.

    A private key is kept without its passphrase: the envelope protects it, and each connection would pay for the other.
    """
    _refuse_foreign(kind, given)
    return _READERS[kind](given)


def _refuse_foreign(kind: str, given: Mapping[str, str]) -> None:
    for field in _ALL:
        text = given.get(field, "")
        if text and field not in FIELDS[kind]:
            raise BadInput(
                _('a credential of the kind "%(kind)s" has no %(field)s') % {"kind": kind, "field": field}, field=field
            )
        if len(text) > _MAX_TEXT_CHARACTERS:
            raise BadInput(_("at most 64 KB are taken"), field=field)


def _password(given: Mapping[str, str]) -> tuple[Secret, Shown]:
    password = given.get("password", "")
    if not password:
        raise BadInput(_("the password is missing"), field="password")
    if any(ord(char) < 32 or ord(char) == 127 for char in password):
        # sudo and su read a line; what follows a line end would be taken for the next answer.
        raise BadInput(_("a password holds no line ends and no control characters"), field="password")
    if len(password) > _MAX_PASSWORD_CHARACTERS:
        raise BadInput(_("at most 1,024 characters are taken"), field="password")
    return {"password": password}, {}


def _key(given: Mapping[str, str]) -> tuple[Secret, Shown]:
    # asyncssh costs a third of a second at its import: who enters a key pays for it, not every process that starts.
    from quarterdeck.remote.keys import read_private_key

    if not given.get("private_key", "").strip():
        raise BadInput(_("the private key is missing"), field="private_key")
    key = read_private_key(given["private_key"], given.get("passphrase", ""))
    shown = {"algorithm": key.algorithm, "fingerprint": key.fingerprint, "comment": key.comment}
    return {"private_key": key.text}, shown


def _certificate(given: Mapping[str, str]) -> tuple[Secret, Shown]:
    from quarterdeck.remote.keys import PrivateKey, read_certificate

    secret, shown = _key(given)
    if not given.get("certificate", "").strip():
        raise BadInput(_("the certificate is missing"), field="certificate")
    key = PrivateKey(secret["private_key"], shown["algorithm"], shown["fingerprint"], shown["comment"])
    found = read_certificate(given["certificate"], key)
    more = {
        "key_id": found.key_id,
        "principals": list(found.principals),
        "valid_from": _iso(found.valid_from),
        "valid_until": _iso(found.valid_until),
    }
    return {**secret, "certificate": found.text}, {**shown, **more}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


_READERS: Mapping[str, Callable[[Mapping[str, str]], tuple[Secret, Shown]]] = {
    Kind.PASSWORD: _password,
    Kind.BECOME_PASSWORD: _password,
    Kind.SSH_KEY: _key,
    Kind.SSH_CERTIFICATE: _certificate,
}
