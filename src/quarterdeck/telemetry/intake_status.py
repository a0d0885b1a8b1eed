"""How the intake is doing: per protocol and key what came in, was refused, is loaded, waits or is dead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from quarterdeck.access.checks import require
from quarterdeck.audit.actor import Actor
from quarterdeck.telemetry.intake_door import ask
from quarterdeck.telemetry.loading import receivers
from quarterdeck.telemetry.models import IntakeKey

_STATUS_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Counts:
    """Records since the instance was made. `lag_seconds` is the age of the oldest that the engine does not have yet.

    `key_id` 0 stands for senders without a key; in a protocol's sum it is None.
    """

    protocol: str
    key_id: int | None = None
    key: str = ""
    accepted: int = 0
    refused: int = 0
    refused_by_reason: dict[str, int] = field(default_factory=dict)
    spooled: int = 0
    loaded: int = 0
    dead: int = 0
    lag_seconds: float = 0.0
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listening:
    """A port: `transport` is tcp, udp, tls, http or grpc; `problem` says why nothing listens there."""

    protocol: str
    transport: str
    address: str
    problem: str


@dataclass(frozen=True, slots=True)
class IntakeStatus:
    """`protocols` has one row for each receiver, `keys` one for each protocol and key that ever sent."""

    at: datetime
    protocols: list[Counts]
    keys: list[Counts]
    listeners: list[Listening]
    spool_bytes: int
    waiting_segments: int
    repeated_records: int
    problem: str


def intake_status(actor: Actor) -> IntakeStatus:
    """Return the state of the intake now. Raises Denied, Unavailable when it does not answer."""
    require(actor, "telemetry.intake")
    found = ask("GET", "/intake/status", seconds=_STATUS_SECONDS)
    names = dict(IntakeKey.objects.values_list("pk", "name"))
    keys = [_counts(row, names) for row in found["rows"]]
    return IntakeStatus(
        at=datetime.fromtimestamp(found["at"], UTC),
        protocols=[_sum(name, keys) for name in sorted({*receivers(), *(row.protocol for row in keys)})],
        keys=keys,
        listeners=list(_listeners(found["listeners"])),
        spool_bytes=int(found["spool_bytes"]),
        waiting_segments=int(found["segments"]),
        repeated_records=int(found["repeated_records"]),
        problem=str(found["problem"]),
    )


def _counts(row: dict[str, Any], names: dict[int, str]) -> Counts:
    numbers = {name: int(row[name]) for name in ("accepted", "refused", "spooled", "loaded", "dead")}
    key_id = int(row["key"])
    return Counts(
        protocol=str(row["protocol"]),
        key_id=key_id,
        key=names.get(key_id, str(key_id) if key_id else ""),
        refused_by_reason=dict(row["refused_by_reason"]),
        lag_seconds=float(row["lag_seconds"]),
        last_at=datetime.fromtimestamp(row["last_at"], UTC) if row["last_at"] else None,
        **numbers,
    )


def _sum(protocol: str, keys: Iterable[Counts]) -> Counts:
    rows = [row for row in keys if row.protocol == protocol]
    reasons: dict[str, int] = {}
    for row in rows:
        for reason, count in row.refused_by_reason.items():
            reasons[reason] = reasons.get(reason, 0) + count
    return Counts(
        protocol=protocol,
        accepted=sum(row.accepted for row in rows),
        refused=sum(row.refused for row in rows),
        refused_by_reason=reasons,
        spooled=sum(row.spooled for row in rows),
        loaded=sum(row.loaded for row in rows),
        dead=sum(row.dead for row in rows),
        lag_seconds=max((row.lag_seconds for row in rows), default=0.0),
        last_at=max((row.last_at for row in rows if row.last_at), default=None),
    )


def _listeners(rows: Iterable[dict[str, str]]) -> Iterator[Listening]:
    for row in rows:
        transport, _space, address = row["address"].partition(" ")
        yield Listening(row["protocol"], transport, address, row["problem"])
