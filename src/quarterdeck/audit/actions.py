"""Writing the audit log."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Literal
from uuid import uuid4

import orjson
from django.db import connection, models, transaction

from quarterdeck.audit import chain
from quarterdeck.audit.actor import Actor
from quarterdeck.audit.models import AuditEvent, ChainHead

Result = Literal["ok", "denied", "error"]
AuditObject = models.Model | tuple[str, str, str] | None
# A value under such a name is never written, whoever passes it: only its keyed digest is.
_SECRET_NAME = re.compile(
    r"pass(word|phrase|wd)|secret|token|private_key|api_?key|credential|digest|recovery", re.IGNORECASE
)


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
    """
    kind, object_id, name = _identity(obj)
    event = AuditEvent(
        **_who(actor),
        uuid=uuid4().hex,
        at_us=time.time_ns() // 1000,
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
    with transaction.atomic():
        _append(event)
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


def _append(event: AuditEvent) -> None:
    """Take the chain's end, hash, write. The head's row is the lock: appenders wait until its transaction ends."""
    head = _locked_head()
    event.seq = head.seq + 1
    event.prev_hash = head.hash or chain.GENESIS
    event.hash = chain.link(event.prev_hash, {name: getattr(event, name) for name in chain.HASHED_FIELDS})
    event.save(force_insert=True)
    ChainHead.objects.filter(pk=head.pk).update(seq=event.seq, hash=event.hash)


def _locked_head() -> ChainHead:
    heads = ChainHead.objects.all()
    if connection.features.has_select_for_update:
        heads = heads.select_for_update()
    return heads.get(pk=1)


def _identity(obj: AuditObject) -> tuple[str, str, str]:
    if obj is None:
        return "", "", ""
    if isinstance(obj, tuple):
        return obj
    return obj._meta.model_name or "", str(obj.pk), str(obj)


def _storable(text: str) -> str:
    """Return text without NUL, which PostgreSQL does not hold: the hash is made of what is stored."""
    return text.replace("\0", "�")


def _redacted(values: Mapping[str, Any] | None) -> str:
    """Return `{"field": value}` as JSON text with secrets as digests, "" for None."""
    if values is None:
        return ""
    shown = {str(name): _without_secrets(str(name), value) for name, value in values.items()}
    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS
    return _storable(orjson.dumps(shown, default=str, option=options).decode())


def _without_secrets(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name) and value not in (None, "", [], {}):
        return value if isinstance(value, str) and value.startswith("hmac:") else chain.secret_digest(value)
    if isinstance(value, Mapping):
        return {str(key): _without_secrets(str(key), inner) for key, inner in value.items()}
    return value
