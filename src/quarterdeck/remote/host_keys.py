"""Host keys: strict. What is approved is given; what is seen is gathered, for who keeps the records.

The answer is needed inside the handshake, where no database may be asked: so the approved keys of all targets of a
piece of work are loaded before it, and what it saw is stored after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import asyncssh

Place = tuple[str, int]


class Verdict(StrEnum):
    """What a shown key is. Only with the first two the connection goes on."""

    APPROVED = "approved"
    ACCEPTED = "accepted"  # at first contact
    NEW = "new"
    CHANGED = "changed"
    REFUSED = "refused"

    @property
    def goes_on(self) -> bool:
        return self in (Verdict.APPROVED, Verdict.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Seen:
    """A key that a host showed: `key` is "ssh-ed25519 AAAA...", `fingerprint` "SHA256:..."."""

    address: str
    port: int
    key: str
    fingerprint: str
    verdict: Verdict


@dataclass(slots=True)
class HostKeys:
    """The approved keys by place, `{("10.0.0.7", 22): ("ssh-ed25519 AAAA...",)}`.

    With `accepts_new` the first key of a place is taken, and counts from then on; a changed one never is. `refused` are
    the keys that somebody said no to; a place that is named there, also with none, is not at its first contact.
    `confirmed` tells which approved keys were shown.
    """

    approved: dict[Place, tuple[str, ...]] = field(default_factory=dict)
    accepts_new: bool = False
    refused: dict[Place, tuple[str, ...]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    confirmed: set[tuple[Place, str]] = field(default_factory=set)

    @classmethod
    def of(
        cls,
        approved: Mapping[Place, Iterable[str]],
        *,
        accepts_new: bool = False,
        refused: Mapping[Place, Iterable[str]] | None = None,
    ) -> HostKeys:
        return cls(_plain(approved), accepts_new, _plain(refused or {}))

    def judge(self, address: str, port: int, key: asyncssh.SSHKey) -> Verdict:
        """Say what a shown key is, and note it."""
        place, text = (address, port), plain(key.export_public_key("openssh").decode())
        verdict = self._verdict(place, text)
        if verdict is Verdict.APPROVED:
            self.confirmed.add((place, text))
        else:
            self.seen.append(Seen(address, port, text, key.get_fingerprint(), verdict))
        if verdict is Verdict.ACCEPTED:
            self.approved[place] = (text,)
        return verdict

    def _verdict(self, place: Place, text: str) -> Verdict:
        known = self.approved.get(place, ())
        if text in known:
            return Verdict.APPROVED
        if text in self.refused.get(place, ()):
            return Verdict.REFUSED
        if known:
            return Verdict.CHANGED
        return Verdict.ACCEPTED if self.accepts_new and place not in self.refused else Verdict.NEW

    def algorithms(self, address: str, port: int) -> list[str]:
        """Return which kinds of key to ask for first: the approved ones, so that a host with several shows that one."""
        found: list[str] = []
        for key in self.approved.get((address, port), ()):
            kind = key.split()[0]
            found.extend(_SIGNATURES.get(kind, (kind,)))
        return [*found, *(name for name in _PREFERRED if name not in found)]


def _plain(keys: Mapping[Place, Iterable[str]]) -> dict[Place, tuple[str, ...]]:
    return {place: tuple(map(plain, found)) for place, found in keys.items()}


def plain(key: str) -> str:
    """Return `ssh-ed25519 AAAA...` without a comment."""
    return " ".join(key.split()[:2])


# One RSA key signs in three ways. See https://www.rfc-editor.org/rfc/rfc8332
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
_PREFERRED = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
