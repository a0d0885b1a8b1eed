"""Another key for every credential: their data keys are wrapped anew, the secrets themselves are not touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from quarterdeck.access.checks import action
from quarterdeck.access.models import Credential
from quarterdeck.access.vault import sealing
from quarterdeck.access.vault.rings import Ring, Wrapped, key_lost, ring_of, rings
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor

_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many were wrapped with the new key, and the names of those whose key was given up: they need their secret."""

    rewrapped: int
    forgotten: tuple[str, ...]
    key_id: str


@action("credentials.manage", atomic=False)
def rotate(actor: Actor, *, forget_lost: bool = False) -> Rotated:
    """Make a new key, wrap every data key with it, then remove the old one. Commits in chunks: a rotation that was
    interrupted goes on at the next call, and until its end both keys open.

    Credentials whose key is lost keep the old keys where they are and raise KeyLost, unless they are to be forgotten.
    """
    lost = _lost()
    if lost and not forget_lost:
        raise key_lost([credential.name for credential in lost])
    ring = rings()[0]
    forgotten = _forget(lost)
    if lost or not _is_unfinished(ring):
        ring.renew()
    current = ring.current()
    rewrapped = _rewrap(ring, current)
    _retire(ring, current)
    after = {"key": current, "rewrapped": rewrapped, "forgotten": list(forgotten)}
    record(actor, "credentials.rotate", None, ", ".join(forgotten), after=after)
    return Rotated(rewrapped, forgotten, current)


def _sealed() -> QuerySet[Credential]:
    return Credential.objects.exclude(key_id="")


def _lost() -> list[Credential]:
    lost = {key_id for key_id in _sealed().order_by().values_list("key_id", flat=True).distinct() if _is_lost(key_id)}
    return list(_sealed().filter(key_id__in=lost).order_by("name"))


def _is_lost(key_id: str) -> bool:
    return ring_of(key_id) is None


def _forget(lost: Sequence[Credential]) -> tuple[str, ...]:
    """Empty those that nobody can open any more; name, attachments and user stay, the secret is given anew."""
    names = [credential.name for credential in lost]
    for credential in lost:
        same = Credential.objects.filter(pk=credential.pk, wrapped=credential.wrapped)
        same.update(sealed=b"", wrapped="", key_id="")
    return tuple(names)


def _is_unfinished(ring: Ring) -> bool:
    """Whether a rotation, or the move to another ring, was begun: then it goes on, without another new key."""
    return _sealed().exists() and _sealed().exclude(key_id=ring.current()).exists()


def _rewrap(ring: Ring, current: str) -> int:
    rewrapped, last = 0, 0
    while True:
        chunk = list(_sealed().exclude(key_id=current).filter(pk__gt=last).order_by("pk")[:_CHUNK])
        if not chunk:
            return rewrapped
        last = chunk[-1].pk
        # Another ring may be a server: it is asked outside the transaction.
        fresh = [(credential, _wrapped_anew(ring, credential)) for credential in chunk]
        with transaction.atomic():
            rewrapped += sum(_replace(credential, wrapped) for credential, wrapped in fresh)


def _wrapped_anew(ring: Ring, credential: Credential) -> Wrapped:
    return ring.wrap(sealing.data_key(credential), sealing.bound_to(credential))


def _replace(credential: Credential, wrapped: Wrapped) -> int:
    """Compare and set: a secret that was given anew meanwhile has a data key of its own, under the new key already."""
    same = Credential.objects.filter(pk=credential.pk, wrapped=credential.wrapped)
    return same.update(wrapped=wrapped.text, key_id=wrapped.key_id)


@transaction.atomic
def _retire(ring: Ring, current: str) -> None:
    """Remove the old keys once nothing needs them; what was sealed meanwhile under one of them is for the next call."""
    sealing.keep_others_from_sealing()
    if not _sealed().exclude(key_id=current).exists():
        ring.retire()
