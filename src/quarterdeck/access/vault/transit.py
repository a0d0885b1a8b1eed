"""HashiCorp Vault's transit engine (or OpenBao's) as key ring: the wrapping key never leaves it. Needs `hvac`.

See https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from django.utils.translation import gettext as _

from quarterdeck.access.vault.rings import Wrapped
from quarterdeck.core.errors import Unavailable

# A write transaction may wait for it.
_TIMEOUT_SECONDS = 5


def _client() -> Any:
    try:
        import hvac
    except ImportError as error:
        raise Unavailable(
            _("vault_transit_url is set, and the package hvac is not installed"),
            hint="pip install 'quarterdeck[vault]'",
        ) from error
    return hvac.Client(url=settings.QD["vault_transit_url"], token=_token(), timeout=_TIMEOUT_SECONDS)


def _token() -> str:
    """Return Vault's token: of the file, read at each call because Vault's agent renews it, or of the settings."""
    named = settings.QD["vault_transit_token_file"]
    if not named:
        return str(settings.QD["vault_transit_token"])
    try:
        return Path(named).read_text().strip()
    except OSError as error:
        raise Unavailable(
            _("%(file)s cannot be read: %(reason)s") % {"file": named, "reason": error.strerror},
            hint=_("vault_transit_token_file names it"),
        ) from error


@contextmanager
def _told() -> Iterator[None]:
    """Turn what Vault and the way to it say into a sentence. Their texts hold paths, never key material."""
    import hvac.exceptions

    try:
        yield
    except hvac.exceptions.VaultError as error:
        message = _("Vault refuses: %(reason)s") % {"reason": ", ".join(error.errors or [str(error)])}
        hint = _("its token needs encrypt, decrypt, rotate and read on the transit key, see docs/guides/credentials.md")
        raise Unavailable(message, hint=hint) from error
    except requests.RequestException as error:
        message = _("Vault at %(url)s does not answer") % {"url": settings.QD["vault_transit_url"]}
        raise Unavailable(message, hint=_("is it up, and unsealed?")) from error


class TransitRing:
    """Key ids are `transit:<mount>/<key>:v<version>`."""

    def __init__(self) -> None:
        self._mount, self._key = settings.QD["vault_transit_mount"], settings.QD["vault_transit_key"]
        self.place = f"{settings.QD['vault_transit_url']} {self._mount}/{self._key}"
        self._transit = _client().secrets.transit

    def _id(self, version: int) -> str:
        return f"transit:{self._mount}/{self._key}:v{version}"

    def current(self) -> str:
        with _told():
            found = self._transit.read_key(self._key, mount_point=self._mount)
        return self._id(found["data"]["latest_version"])

    def holds(self, key_id: str) -> bool:
        return key_id.startswith(f"transit:{self._mount}/{self._key}:v")

    def wrap(self, key: bytes, bound_to: bytes) -> Wrapped:
        with _told():
            found = self._transit.encrypt_data(
                self._key, _base64(key), mount_point=self._mount, associated_data=_base64(bound_to)
            )
        text = str(found["data"]["ciphertext"])
        # "vault:v3:..." names the version that was used.
        return Wrapped(self._id(int(text.split(":")[1].removeprefix("v"))), text)

    def unwrap(self, wrapped: Wrapped, bound_to: bytes) -> bytes:
        with _told():
            found = self._transit.decrypt_data(
                self._key, wrapped.text, mount_point=self._mount, associated_data=_base64(bound_to)
            )
        return base64.b64decode(found["data"]["plaintext"])

    def renew(self) -> None:
        with _told():
            self._transit.rotate_key(self._key, mount_point=self._mount)

    def retire(self) -> None:
        """Older versions stay in Vault, where `min_decryption_version` ends them: older backups still need them."""


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
