"""What every change of host keys shares: it is alone with them, and says who decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.db import connection

from quarterdeck.audit.actor import Actor
from quarterdeck.jobs.host_keys.models import HostKey, HostKeyState
from quarterdeck.jobs.host_keys.places import Place

# PostgreSQL's advisory lock of who changes host keys; any number that nobody else uses.
_LOCK = 0x51444B32
CHUNK = 500
MAX_AT_ONCE = 10_000


def keep_others_out() -> None:
    """Until this transaction ends, nobody else changes host keys. SQLite has one writer at a time anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def stored(places: Iterable[Place]) -> Iterator[HostKey]:
    """Yield the keys of the places, which are spelled as they are kept."""
    wanted = set(places)
    addresses = list(dict.fromkeys(address for address, _port in wanted))
    for start in range(0, len(addresses), CHUNK):
        for row in HostKey.objects.filter(address__in=addresses[start : start + CHUNK]).order_by("pk"):
            if (row.address, row.port) in wanted:
                yield row


def save(rows: Sequence[HostKey], fields: Sequence[str]) -> None:
    """Insert the rows that are new, and update `fields` of the others."""
    old = [row for row in rows if row.pk is not None]
    HostKey.objects.bulk_create([row for row in rows if row.pk is None], batch_size=CHUNK)
    HostKey.objects.bulk_update(old, fields, batch_size=CHUNK)


def decide(row: HostKey, state: HostKeyState, actor: Actor, at: datetime, origin: str = "") -> None:
    """Set what somebody decided; the row is saved by the caller."""
    row.state, row.decided_by, row.decided_at, row.origin = state, actor.name[:150], at, origin


def facts_of(row: HostKey) -> dict[str, object]:
    """What the audit log keeps of a key. It is public: it is what every stranger is shown."""
    return {"place": row.place, "fingerprint": row.fingerprint, "algorithm": row.algorithm, "item": row.item_id}
