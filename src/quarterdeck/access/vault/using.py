"""Handing secrets to what signs in with them. Nothing else opens an envelope, and each use is in the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Model

from quarterdeck.access.checks import action, require
from quarterdeck.access.models import Credential
from quarterdeck.access.vault import sealing
from quarterdeck.access.vault.content import Secret
from quarterdeck.access.vault.queries import Resolved, credential_named, resolve
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now


@dataclass(frozen=True, slots=True)
class Opened:
    """A credential with its secret, for a connection that is being made. It is never stored, and prints without it."""

    id: int
    name: str
    kind: str
    username: str
    become_method: str
    become_user: str
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """What is used on one item; None where nothing is attached."""

    sign_in: Opened | None
    become: Opened | None


@action("credentials.use", atomic=False)
def use(actor: Actor, items: Sequence[Model], purpose: str, *, name: str = "") -> dict[int, Keys]:
    """Open the credentials in force for `items`: `{item id: Keys}`. `purpose` is for the audit log: "run 17".

    With `name`, that one signs in instead of the attached one; where it is not attached, that takes
    `credentials.manage`, because it shows the secret to hosts that it was not meant for. Raises Denied, NotFound,
    KeyLost, Conflict. Each use is recorded before it is handed out.
    """
    require(actor, "credentials.use", items)
    resolved = resolve(items)
    if name:
        _name(actor, resolved, credential_named(name))
    # Vault may be asked for it: outside the transaction.
    opened = {credential.pk: _open(credential) for credential in _all(resolved)}
    _record_uses(actor, items, resolved, purpose)
    return {
        pk: Keys(
            opened[found.sign_in.pk] if found.sign_in else None,
            opened[found.become.pk] if found.become else None,
        )
        for pk, found in resolved.items()
    }


def _name(actor: Actor, resolved: dict[int, Resolved], credential: Credential) -> None:
    is_become = credential.kind == Credential.Kind.BECOME_PASSWORD
    for found in resolved.values():
        if (found.become if is_become else found.sign_in) != credential:
            require(actor, "credentials.manage")
        if is_become:
            found.become = credential
        else:
            found.sign_in = credential


def _all(resolved: dict[int, Resolved]) -> list[Credential]:
    found = {one.pk: one for pair in resolved.values() for one in (pair.sign_in, pair.become) if one}
    return list(found.values())


def _open(credential: Credential) -> Opened:
    secret: Secret = sealing.take(credential)
    return Opened(
        credential.pk,
        credential.name,
        credential.kind,
        credential.username,
        credential.become_method,
        credential.become_user,
        **secret,
    )


@action("credentials.use")
def _record_uses(actor: Actor, items: Sequence[Model], resolved: dict[int, Resolved], purpose: str) -> None:
    """One transaction for all: who used which credential, on which item, for what."""
    for item in items:
        for credential in (resolved[item.pk].sign_in, resolved[item.pk].become):
            if credential is not None:
                after = {"item": item.pk, "name": str(item)}
                record(actor, "credentials.use", credential, purpose, after=after)
    Credential.objects.filter(pk__in=[credential.pk for credential in _all(resolved)]).update(last_used_at=now())
