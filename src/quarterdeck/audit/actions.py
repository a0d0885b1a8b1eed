"""Writing the audit log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from time import time_ns
from typing import Any, Literal
from uuid import uuid4

import orjson
from django.db import models

from quarterdeck.audit import appending, chain
from quarterdeck.audit.actor import Actor
from quarterdeck.audit.models import AuditEvent

Result = Literal["ok", "denied", "error"]
AuditObject = models.Model | tuple[str, str, str] | None
# A value under such a name is never written, whoever passes it: only its keyed digest is.
_SECRET_NAME = re.compile(
    r"pass(word|phrase|wd)|secret|token|private_key|api_?key|credential|digest|recovery", re.IGNORECASE
)

# What JSON's writer takes; larger ones are kept as text rather than refused with the change that they belong to.
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1


def record(
    actor: Actor,
    verb: str,
    obj: AuditObject = None,
    detail: str = "",
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    result: Result = "ok",
    reason: str = "",
    error: str = "",
) -> AuditEvent:
    """Append one event to the log, in the transaction of the change it tells of.

    `obj` is the record acted on, or `(kind, id, name)`. `before` and `after` are `{"field": value}`; values under names
    of secrets become keyed digests. A transaction that is rolled back takes its events with it and leaves no gap.
    Inside an action the event gets its number when the action ends, see `audit.appending`.
    """
    kind, object_id, name = _identity(obj)
    event = AuditEvent(
        **_who(actor),
        uuid=uuid4().hex,
        at_us=time_ns() // 1000,
        verb=verb[:64],
        object_kind=kind[:48],
        object_id=object_id[:64],
        object_name=_storable(name[:255]),
        detail=_storable(detail),
        before_json=_redacted(before),
        after_json=_redacted(after),
        reason=_storable(reason[:500]),
        result=result,
        error=_storable(error),
        key_id=chain.key_id(),
    )
    appending.add(event)
    return event


def _who(actor: Actor) -> dict[str, str]:
    return {
        "actor_kind": actor.kind.value,
        "actor_id": actor.id[:64],
        "actor_name": _storable(actor.name[:150]),
        "auth_method": actor.auth_method[:32],
        "source_ip": actor.source_ip[:45],
        "user_agent": _storable(actor.user_agent[:200]),
        "request_id": _storable(actor.request_id[:64]),
    }


def _identity(obj: AuditObject) -> tuple[str, str, str]:
    if obj is None:
        return "", "", ""
    if isinstance(obj, tuple):
        return obj
    return obj._meta.model_name or "", str(obj.pk), str(obj)


def _storable(text: str) -> str:
    """Return text as every database holds it, because the hash is made of what is stored.

    PostgreSQL holds no NUL, and half of a surrogate pair is not UTF-8.
    """
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _redacted(values: Mapping[str, Any] | None) -> str:
    """Return `{"field": value}` as JSON text with secrets as digests, "" for None."""
    if values is None:
        return ""
    return _storable(orjson.dumps(_plain("", values), option=orjson.OPT_SORT_KEYS).decode())


def _plain(name: str, value: Any) -> Any:
    """Return `value` as JSON has it; under the name of a secret, its keyed digest."""
    if _SECRET_NAME.search(name) and value not in (None, "", [], {}, ()):
        is_digest = isinstance(value, str) and value.startswith("hmac:")
        return value if is_digest else chain.secret_digest(value)
    if isinstance(value, Mapping):
        return {_storable(str(key)): _plain(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain("", inner) for inner in value]
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if _MIN_INTEGER <= value <= _MAX_INTEGER else str(value)
    return value.isoformat() if isinstance(value, date | time) else _storable(str(value))
