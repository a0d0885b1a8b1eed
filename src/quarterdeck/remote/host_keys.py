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
    APPROVED = "approved"
    NEW = "new"
    CHANGED = "changed"


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

    With `accepts_new` the first key of a place is taken, and counts from then on; a changed one never is.
    """

    approved: dict[Place, tuple[str, ...]] = field(default_factory=dict)
    accepts_new: bool = False
    seen: list[Seen] = field(default_factory=list)

    @classmethod
    def of(cls, approved: Mapping[Place, Iterable[str]], *, accepts_new: bool = False) -> HostKeys:
        return cls({place: tuple(map(plain, keys)) for place, keys in approved.items()}, accepts_new)

    def judge(self, address: str, port: int, key: asyncssh.SSHKey) -> Verdict:
        """Say what a shown key is, and note it unless it is approved."""
        shown = key.export_public_key("openssh").decode()
        text = plain(shown)
        known = self.approved.get((address, port), ())
        if text in known:
            return Verdict.APPROVED
        verdict = Verdict.CHANGED if known else Verdict.NEW
        self.seen.append(Seen(address, port, text, key.get_fingerprint(), verdict))
        if verdict is Verdict.NEW and self.accepts_new:
            self.approved[(address, port)] = (text,)
        return verdict

    def algorithms(self, address: str, port: int) -> list[str]:
        """Return which kinds of key to ask for first: the approved ones, so that a host with several shows that one."""
        found: list[str] = []
        for key in self.approved.get((address, port), ()):
            kind = key.split()[0]
            found.extend(_SIGNATURES.get(kind, (kind,)))
        return [*found, *(name for name in _PREFERRED if name not in found)]


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
