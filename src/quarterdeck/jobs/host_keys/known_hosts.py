"""OpenSSH's known_hosts: read with what cannot be taken from it, and written. No I/O.

    [@revoked] web1,10.0.0.7,[web2]:2222 ssh-ed25519 AAAA... comment
    |1|salt|hash ssh-ed25519 AAAA...

See https://man.openbsd.org/sshd#SSH_KNOWN_HOSTS_FILE_FORMAT
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from django.utils.translation import gettext as _

from quarterdeck.jobs.host_keys.places import Place, address_of

# What stands in a line as a name and nothing else: no wildcard, no second name, no mark.
_NAME = re.compile(r"[\w.:%-]+")
_BRACKETED = re.compile(r"\[([^\[\]]+)\]:(\d{1,5})")
_REVOKED = "@revoked"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line, or a name of it, that was not taken, and why."""

    line: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Hashed:
    """A name that only who knows it can recognize: HMAC-SHA1 of it under the salt."""

    salt: bytes
    digest: bytes

    def is_of(self, name: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(self.salt, name, "sha1"), self.digest)


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and where it is expected: at `places`, or where `hashed` says."""

    line: int
    places: tuple[Place, ...]
    hashed: Hashed | None
    key: str
    fingerprint: str
    is_revoked: bool


def read(text: str) -> tuple[list[Entry], list[Skipped]]:
    """Return what a file holds, and what of it cannot be taken."""
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            found = _entry(number, words, skipped)
            if found is not None:
                entries.append(found)
    return entries, skipped


def _entry(number: int, words: list[str], skipped: list[Skipped]) -> Entry | None:
    is_revoked = words[0] == _REVOKED
    if is_revoked:
        words = words[1:]
    names = words[0] if words else ""
    if names.startswith("@"):
        skipped.append(Skipped(number, names[:80], _("the keys of authorities are not taken, only those of hosts")))
        return None
    key = _key(words[1:3])
    if key is None:
        reason = _("this is no line of a known_hosts file, or of no key that is known")
        skipped.append(Skipped(number, names[:80], reason))
        return None
    places, hashed = _names(number, names, skipped)
    if not places and hashed is None:
        return None
    return Entry(number, places, hashed, key, fingerprint_of(key), is_revoked)


def _key(words: list[str]) -> str | None:
    """Return "ssh-ed25519 AAAA..." if that is a key."""
    import asyncssh

    try:
        found = asyncssh.import_public_key(" ".join(words))
    except (asyncssh.KeyImportError, ValueError, IndexError, OverflowError):
        return None
    return " ".join(found.export_public_key("openssh").decode().split()[:2])


def fingerprint_of(key: str) -> str:
    """Return "SHA256:..." of "ssh-ed25519 AAAA...", as ssh-keygen -l shows it."""
    digest = sha256(base64.b64decode(key.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _names(number: int, text: str, skipped: list[Skipped]) -> tuple[tuple[Place, ...], Hashed | None]:
    if text.startswith("|"):
        hashed = _hashed(text)
        if hashed is None:
            skipped.append(Skipped(number, text[:80], _("this way to hash a name is unknown")))
        return (), hashed
    places = []
    for name in text.split(","):
        place = _place(name)
        if place is None:
            skipped.append(Skipped(number, name[:80], _("a pattern stands for hosts that nobody named")))
        else:
            places.append(place)
    return tuple(places), None


def _hashed(text: str) -> Hashed | None:
    parts = text.split("|")
    if len(parts) != 4 or parts[:2] != ["", "1"]:
        return None
    try:
        return Hashed(base64.b64decode(parts[2], validate=True), base64.b64decode(parts[3], validate=True))
    except (binascii.Error, ValueError):
        return None


def _place(name: str) -> Place | None:
    found = _BRACKETED.fullmatch(name)
    address, port = (found[1], int(found[2])) if found else (name, 22)
    if not _NAME.fullmatch(address) or len(address) > 255 or not 0 < port < 65536:
        return None
    return address_of(address), port


def names_of(place: Place) -> Iterator[bytes]:
    """Yield the names under which a place may have been hashed: with port 22 both forms are met."""
    address, port = place
    if port == 22:
        yield address.encode()
    yield f"[{address}]:{port}".encode()


def line_of(address: str, port: int, key: str, *, is_revoked: bool = False) -> str:
    """Return a key's line, "" for an address that a reader would take for a pattern or for several names."""
    if not _NAME.fullmatch(address):
        return ""
    name = address if port == 22 else f"[{address}]:{port}"
    return f"{_REVOKED} {name} {key}" if is_revoked else f"{name} {key}"
