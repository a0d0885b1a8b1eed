"""What the intake did, by protocol and key: for the page, the API and the metrics of Quarterdeck itself."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from quarterdeck.intake.spool.frames import Entry

log = logging.getLogger(__name__)
Place = tuple[str, int]
DAY_SECONDS = 86_400


@dataclass(slots=True)
class _Row:
    accepted: int = 0
    spooled: int = 0
    loaded: int = 0
    dead: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    last_at: float = 0.0
    # When the oldest record that the engine does not have yet came in; 0 when it has all.
    waiting_since: float = 0.0
    # How many records came on which day (days since 1970, UTC), for the keys' daily limits.
    day: int = 0
    day_records: int = 0

    def add_to_day(self, received_ms: int, records: int) -> None:
        day = received_ms // 1000 // DAY_SECONDS
        if day != self.day:
            self.day, self.day_records = day, 0
        self.day_records += records


class Counters:
    """Thread-safe. `accepted` are records that were acknowledged, `loaded` those that the engine has."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._rows: dict[Place, _Row] = {}
        self._read()

    def _row(self, place: Place) -> _Row:
        return self._rows.setdefault(place, _Row())

    def spooled(self, entries: Iterable[Entry]) -> None:
        with self._lock:
            for entry in entries:
                row = self._row((entry.protocol, entry.key))
                row.accepted += entry.frame.records
                row.spooled += entry.frame.records
                row.last_at = entry.received_ms / 1000
                row.waiting_since = row.waiting_since or row.last_at
                row.add_to_day(entry.received_ms, entry.frame.records)

    def today(self, key: int) -> int:
        """Return how many records the key has brought since midnight, UTC."""
        day = int(time.time()) // DAY_SECONDS
        with self._lock:
            return sum(row.day_records for place, row in self._rows.items() if place[1] == key and row.day == day)

    def refused(self, protocol: str, key: int, reasons: Mapping[str, int]) -> None:
        with self._lock:
            self._row((protocol, key)).refused.update(reasons)

    def done(self, entries: Iterable[Entry], *, dead: bool = False) -> None:
        with self._lock:
            for entry in entries:
                row = self._row((entry.protocol, entry.key))
                if dead:
                    row.dead += entry.frame.records
                else:
                    row.loaded += entry.frame.records
                has_all = row.loaded + row.dead >= row.spooled
                row.waiting_since = 0.0 if has_all else max(row.waiting_since, entry.received_ms / 1000)

    def revived(self, entries: Iterable[Entry]) -> None:
        """Dead ones wait for the engine again."""
        with self._lock:
            for entry in entries:
                row = self._row((entry.protocol, entry.key))
                row.dead = max(0, row.dead - entry.frame.records)
                row.waiting_since = row.waiting_since or time.time()

    def recovered(self, entries: Iterable[Entry]) -> None:
        """Count what a predecessor left in the spool: everything else that it kept is loaded or dead."""
        waiting: Counter[Place] = Counter()
        since: dict[Place, float] = {}
        for entry in entries:
            place = (entry.protocol, entry.key)
            waiting[place] += entry.frame.records
            since.setdefault(place, entry.received_ms / 1000)
        with self._lock:
            for place in {*self._rows, *waiting}:
                row = self._row(place)
                row.spooled = row.loaded + row.dead + waiting[place]
                row.accepted = max(row.accepted, row.spooled)
                row.waiting_since = since.get(place, 0.0)

    def rows(self) -> list[dict[str, Any]]:
        """Return `[{"protocol", "key", "accepted", "refused", "refused_by_reason", ..., "lag_seconds"}]`."""
        with self._lock:
            return [self._shown(place, row) for place, row in sorted(self._rows.items())]

    def _shown(self, place: Place, row: _Row) -> dict[str, Any]:
        return {
            "protocol": place[0],
            "key": place[1],
            "accepted": row.accepted,
            "refused": sum(row.refused.values()),
            "refused_by_reason": dict(row.refused),
            "spooled": row.spooled,
            "loaded": row.loaded,
            "dead": row.dead,
            "lag_seconds": round(max(0.0, time.time() - row.waiting_since), 3) if row.waiting_since else 0.0,
            "last_at": row.last_at or None,
            "day": row.day,
            "day_records": row.day_records,
        }

    def save(self) -> None:
        """Write the counts to the file, whole or not at all; on a full disk they wait in memory."""
        fresh = self._file.with_suffix(".fresh")
        try:
            fresh.write_bytes(orjson.dumps(self.rows()))
            fresh.replace(self._file)
        except OSError as error:
            log.warning("the counts cannot be written: %s", error)

    def _read(self) -> None:
        try:
            rows = orjson.loads(self._file.read_bytes())
            self._rows = dict(map(_row_of, rows))
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            # Counts are no reason not to receive: they begin anew.
            log.warning("the counts in %s cannot be read: %s", self._file, error)


def _row_of(found: Any) -> tuple[Place, _Row]:
    numbers = {name: int(found[name]) for name in ("accepted", "spooled", "loaded", "dead")}
    refused = Counter({str(reason): int(count) for reason, count in found["refused_by_reason"].items()})
    row = _Row(**numbers, refused=refused, last_at=float(found["last_at"] or 0.0))
    row.day, row.day_records = int(found.get("day", 0)), int(found.get("day_records", 0))
    return (str(found["protocol"]), int(found["key"])), row
