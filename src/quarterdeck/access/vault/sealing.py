"""A credential's secret into its record and out of it."""

from __future__ import annotations

import orjson
from django.db import connection
from django.utils.translation import gettext as _

from quarterdeck.access.models import Credential
from quarterdeck.access.vault.content import Secret
from quarterdeck.access.vault.envelope import new_key, seal, unseal
from quarterdeck.access.vault.rings import Wrapped, key_lost, ring_of, rings
from quarterdeck.core.errors import Conflict, Unavailable

# PostgreSQL's advisory lock of who seals (shared) and who retires keys (alone); any number that nobody else uses.
_LOCK = 0x51444B31


def bound_to(credential: Credential) -> bytes:
    """Return what the envelope is bound to: this record, as this kind."""
    return f"credential:{credential.pk}:{credential.kind}".encode()


def put(credential: Credential, secret: Secret) -> None:
    """Seal `secret` into the saved record, under a data key of its own. Inside the transaction that saves it."""
    keep_keys()
    key, bound = new_key(), bound_to(credential)
    wrapped = rings()[0].wrap(key, bound)
    credential.sealed = seal(key, orjson.dumps(secret), bound)
    credential.wrapped, credential.key_id = wrapped.text, wrapped.key_id


def take(credential: Credential) -> Secret:
    """Return the secret. Raises KeyLost, Conflict for a credential without one, Unavailable for a changed record."""
    try:
        plain = unseal(data_key(credential), bytes(credential.sealed), bound_to(credential))
    except ValueError as error:
        raise _changed(credential) from error
    secret: Secret = orjson.loads(plain)
    return secret


def data_key(credential: Credential) -> bytes:
    """Return the record's data key. Raises as `take`, and ValueError for what was wrapped for another record."""
    if not credential.has_secret:
        raise Conflict(
            _('the credential "%(name)s" has no secret: its key was lost') % {"name": credential.name},
            hint=_("give its secret anew: qd credentials update %(name)s") % {"name": credential.name},
        )
    ring = ring_of(credential.key_id)
    if ring is None:
        raise key_lost([credential.name])
    return ring.unwrap(Wrapped(credential.key_id, credential.wrapped), bound_to(credential))


def _changed(credential: Credential) -> Unavailable:
    return Unavailable(
        _('the credential "%(name)s" was changed in the database and cannot be opened') % {"name": credential.name},
        hint=_("give its secret anew: qd credentials update %(name)s") % {"name": credential.name},
    )


def keep_keys() -> None:
    """Until this transaction ends, no key is retired: what is sealed now is committed before its key could go.

    SQLite's write transactions are one at a time already.
    """
    _lock("pg_advisory_xact_lock_shared")


def keep_others_from_sealing() -> None:
    """Until this transaction ends, nobody seals."""
    _lock("pg_advisory_xact_lock")


def _lock(function: str) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", (_LOCK,))
