"""Private keys and certificates as people paste them: read, checked, and made one format. No secret is in an error.

See https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.certkeys for certificates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import asyncssh
from asyncssh.pbe import KeyEncryptionError
from asyncssh.public_key import CERT_TYPE_USER, SSHOpenSSHCertificate
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput

_FOREVER = 2**64 - 1
_PPK = "PuTTY-User-Key-File"
_PUBLIC = ("ssh-", "ecdsa-", "sk-", "-----BEGIN PUBLIC KEY", "---- BEGIN SSH2 PUBLIC KEY", "-----BEGIN RSA PUBLIC KEY")


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key without passphrase in OpenSSH's format, and what may be shown of it."""

    text: str
    algorithm: str
    fingerprint: str
    comment: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A user certificate and what may be shown of it; no `valid_until` is for ever."""

    text: str
    key_id: str
    principals: tuple[str, ...]
    valid_from: datetime | None
    valid_until: datetime | None


def read_private_key(text: str, passphrase: str = "") -> PrivateKey:
    """Return the key that `text` holds. Raises BadInput with `field` "private_key" or "passphrase".

    Takes OpenSSH's format, PKCS#1, PKCS#8 and SEC1 in PEM; line ends may be Windows'.
    """
    key = _import(_unix(text), passphrase)
    plain = key.export_private_key("openssh").decode()
    return PrivateKey(plain, key.get_algorithm(), key.get_fingerprint(), key.get_comment() or "")


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip() + "\n"


def _import(text: str, passphrase: str) -> asyncssh.SSHKey:
    _refuse_others(text)
    try:
        return asyncssh.import_private_key(text, passphrase or None)
    except KeyEncryptionError as error:
        raise _wrong_passphrase(passphrase) from error
    except asyncssh.KeyImportError as error:
        if "assphrase" in str(error) or "decrypt" in str(error):
            raise _wrong_passphrase(passphrase) from error
        raise _unreadable() from error
    except (ValueError, OverflowError, UnicodeError) as error:
        # What is broken inside a key that begins well.
        raise _unreadable() from error


def _refuse_others(text: str) -> None:
    if text.startswith(_PPK):
        raise BadInput(
            _("this is a key in PuTTY's format (PPK)"),
            hint=_("convert it: puttygen KEY.ppk -O private-openssh -o KEY"),
            field="private_key",
        )
    if text.startswith(_PUBLIC):
        raise BadInput(
            _("this is a public key; the private one is needed"),
            hint=_("it is in the file of the same name without .pub"),
            field="private_key",
        )


def _wrong_passphrase(passphrase: str) -> BadInput:
    if passphrase:
        return BadInput(_("the passphrase does not open this key"), field="passphrase")
    return BadInput(
        _("this key is protected by a passphrase"), hint=_("give the passphrase with it"), field="passphrase"
    )


def _unreadable() -> BadInput:
    return BadInput(
        _("this is no private key that SSH can use"),
        hint=_("give the whole file, from -----BEGIN to -----END"),
        field="private_key",
    )


def read_certificate(text: str, key: PrivateKey) -> Certificate:
    """Return the user certificate that `text` holds. Raises BadInput when it is none, or another key's."""
    try:
        found = asyncssh.import_certificate(_unix(text))
    except (asyncssh.KeyImportError, ValueError) as error:
        raise _no_certificate(_("this is no SSH certificate")) from error
    if not isinstance(found, SSHOpenSSHCertificate):
        raise _no_certificate(_("this is no SSH certificate"))
    if found._cert_type != CERT_TYPE_USER:
        raise _no_certificate(_("this is a certificate of a host, not of a user"))
    if found.key.public_data != asyncssh.import_private_key(key.text).public_data:
        raise BadInput(
            _("the certificate is for another key"),
            hint=_("sign the public half of this key, or give the key that was signed"),
            field="certificate",
        )
    return Certificate(
        found.export_certificate("openssh").decode().strip(),
        str(found._key_id),
        tuple(found.principals),
        _moment(found._valid_after),
        _moment(found._valid_before),
    )


def _no_certificate(message: str) -> BadInput:
    return BadInput(message, hint=_("ssh-keygen -s makes one: a file that ends in -cert.pub"), field="certificate")


def _moment(seconds: int) -> datetime | None:
    """Return a bound of a certificate's time; None where it has none."""
    if not 0 < seconds < _FOREVER:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
