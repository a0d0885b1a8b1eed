"""Key rings: where the keys are that wrap the data keys, outside the database.

    a file          in the data directory, made at the first use; or the file that `vault_key_file` names
    the environment `QD_VAULT_KEY=NEW,OLD`
    Vault's transit `vault_transit_url`, see `transit`

The ring in force wraps; what another one wrapped is still opened while its keys are there, and `rotate` moves it over.
"""

from __future__ import annotations

import base64
import hashlib
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.utils.translation import gettext as _

from quarterdeck.access.models import Credential
from quarterdeck.access.vault.envelope import KEY_BYTES, new_key, seal, unseal
from quarterdeck.core.errors import BadInput, Conflict, Unavailable
from quarterdeck.core.keys import make_key_file, replace_key_file


class KeyLost(Unavailable):
    """The key that a credential is wrapped with is in no ring here."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key as it is stored: which key wrapped it, and the result as text."""

    key_id: str
    text: str


class Ring(Protocol):
    """Keys that wrap data keys. `place` says where they are, for people."""

    @property
    def place(self) -> str: ...
    def current(self) -> str:
        """Return the id of the key that wraps from now on. Raises Unavailable, KeyLost."""
        ...

    def holds(self, key_id: str) -> bool: ...
    def wrap(self, key: bytes, bound_to: bytes) -> Wrapped: ...
    def unwrap(self, wrapped: Wrapped, bound_to: bytes) -> bytes:
        """Return the data key. Raises ValueError when it was wrapped for another record."""
        ...

    def renew(self) -> None:
        """Put a fresh key in front; those before go on opening. Raises Conflict where that is somebody else's work."""
        ...

    def retire(self) -> None:
        """Remove all keys but the current one, for good."""
        ...


def key_id_of(key: bytes) -> str:
    """Return a name for a key that tells nothing of it."""
    return "key-" + hashlib.sha256(b"quarterdeck vault key\0" + key).hexdigest()[:16]


def read_keys(text: str, place: str) -> list[bytes]:
    """Return the keys in `text`, separated by commas or line ends. Raises BadInput."""
    found = [_key(part.strip(), place) for part in text.replace(",", "\n").split("\n") if part.strip()]
    if not found:
        raise BadInput(_("there is no key in %(place)s") % {"place": place}, hint=_("openssl rand -hex 32 makes one"))
    return found


def _key(text: str, place: str) -> bytes:
    for read in (bytes.fromhex, partial(base64.b64decode, validate=True)):
        try:
            key = read(text)
        except ValueError:
            continue
        if len(key) == KEY_BYTES:
            return key
    raise BadInput(
        _("a key in %(place)s is not 32 bytes in hexadecimal or base64") % {"place": place},
        hint=_("openssl rand -hex 32 makes one"),
    )


class _Local:
    """Keys at hand, the current one first. Read anew at each question: another process may have rotated them."""

    def __init__(self, place: str, read: Callable[[], Sequence[bytes]]) -> None:
        self.place, self._keys = place, read

    def _by_id(self) -> dict[str, bytes]:
        return {key_id_of(key): key for key in self._keys()}

    def current(self) -> str:
        return next(iter(self._by_id()))

    def holds(self, key_id: str) -> bool:
        return key_id in self._by_id()

    def wrap(self, key: bytes, bound_to: bytes) -> Wrapped:
        key_id, wrapping = next(iter(self._by_id().items()))
        return Wrapped(key_id, base64.b64encode(seal(wrapping, key, bound_to)).decode())

    def unwrap(self, wrapped: Wrapped, bound_to: bytes) -> bytes:
        return unseal(self._by_id()[wrapped.key_id], base64.b64decode(wrapped.text), bound_to)


class EnvironmentRing(_Local):
    """The keys of `QD_VAULT_KEY`: whoever starts the processes changes them."""

    def __init__(self, text: str) -> None:
        super().__init__("QD_VAULT_KEY", partial(read_keys, text, "QD_VAULT_KEY"))

    def renew(self) -> None:
        raise Conflict(
            _("the key comes from QD_VAULT_KEY, which only who starts Quarterdeck can change"),
            hint=_("start all with QD_VAULT_KEY=NEW,OLD, then rotate again; openssl rand -hex 32 makes a key"),
        )

    def retire(self) -> None:
        """The old key leaves with the next start, when it is taken out of QD_VAULT_KEY."""


class FileRing(_Local):
    """A file of mode 0600 with one key a line, the current one first. The first use makes it."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), self._read)
        self._path = path

    def _read(self) -> Sequence[bytes]:
        if not self._path.exists():
            self._make()
        if self._path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise Unavailable(
                _("everybody on this machine may read %(place)s") % {"place": self._path},
                hint=f"chmod go= {self._path}",
            )
        return read_keys(self._path.read_text(), str(self._path))

    def _make(self) -> None:
        """Make the first key; never a second one in the place of a lost one, which would hide the loss."""
        lost = Credential.objects.filter(key_id__startswith="key-").order_by("name").first()
        if lost is not None:
            raise key_lost([lost.name])
        make_key_file(self._path)

    def holds(self, key_id: str) -> bool:
        return self._path.exists() and super().holds(key_id)

    def renew(self) -> None:
        old = self._read() if self._path.exists() else ()
        self._write([new_key(), *old])

    def retire(self) -> None:
        self._write(self._read()[:1])

    def _write(self, keys: Sequence[bytes]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_key_file(self._path, "\n".join(key.hex() for key in keys))


def key_lost(names: Sequence[str]) -> KeyLost:
    """Return what to say of credentials whose key is not here."""
    return KeyLost(
        _("the key of these credentials is not here: %(names)s") % {"names": ", ".join(names)},
        hint=_(
            "put the file %(file)s back from a backup, or set QD_VAULT_KEY to the key; if it is lost for good,"
            " `qd credentials rotate --forget-lost` makes a new one, and these secrets are given anew"
        )
        % {"file": file_path()},
    )


def file_path() -> Path:
    named = settings.QD["vault_key_file"]
    return Path(named) if named else Path(settings.DATA) / "secrets" / "vault"


def rings() -> list[Ring]:
    """Return the rings that are set up, the one in force first. Nothing is kept between calls."""
    found: list[Ring] = []
    if settings.QD["vault_transit_url"]:
        from quarterdeck.access.vault.transit import TransitRing

        found.append(TransitRing())
    if settings.QD["vault_key"]:
        found.append(EnvironmentRing(settings.QD["vault_key"]))
    return [*found, FileRing(file_path())]


def ring_of(key_id: str) -> Ring | None:
    """Return the ring that holds the key, None when it is lost."""
    return next((ring for ring in rings() if ring.holds(key_id)), None)
