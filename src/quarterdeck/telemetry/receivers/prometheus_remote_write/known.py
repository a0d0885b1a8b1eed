"""Which series were named lately: their samples need no labels any more, which cost more than they do.

The engine is told of a series when it is first seen, and again in each period of its samples (70 minutes); what comes
between is its number and its samples. Nothing here has to survive: a process that knows none names them all.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from quarterdeck.telemetry.receivers.prometheus_remote_write.siphash import siphash64

# Some 250 bytes each. Beyond it all are learnt anew.
_SERIES_MAX = 1_000_000
_METRICS_MAX = 100_000
# Several keys send, and samples may come late: so many sets of series are remembered, with so many entries together.
_PLACES_MAX = 64
_NOTED_MAX = 3_000_000
# A sender has to be seen to send, by one of its series.
_SENDER_SECONDS = 60.0
# What stands for a series without a name.
NAMELESS = b""

# An intake key and a period.
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Named:
    """A series of which the engine is to be told: `key` is what it is known by here, `number` its 16 bytes.

    `oldest_ms` is the time of its first sample.
    """

    key: int
    number: bytes
    labels: Mapping[str, str]
    oldest_ms: int

    @property
    def instance(self) -> str:
        return self.labels.get("instance", "")


@dataclass(slots=True)
class Known:
    """Thread-safe. `numbers` gives a series' number, 16 bytes, by the hash of its labels' bytes."""

    numbers: dict[int, bytes] = field(default_factory=dict)
    _noted: dict[Place, set[int]] = field(default_factory=dict)
    _metrics: dict[str, bytes] = field(default_factory=dict)
    _senders: dict[tuple[int, str], tuple[int, float]] = field(default_factory=dict)
    _due_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def learn(self, key: int, labels: Mapping[str, str]) -> bytes:
        """Return the number of a series, from now on known by `key`; its labels are in order, without empty ones."""
        metric = labels.get("__name__", "")
        number = self._number(metric, labels) if metric else NAMELESS
        with self._lock:
            if len(self.numbers) >= _SERIES_MAX:
                self.numbers.clear()
                self._noted.clear()
            self.numbers[key] = number
        return number

    def _number(self, metric: str, labels: Mapping[str, str]) -> bytes:
        """The first half is the metric's, as in `metrics_in`, so that its series lie together."""
        first = self._metrics.get(metric)
        if first is None:
            if len(self._metrics) >= _METRICS_MAX:
                self._metrics.clear()
            first = self._metrics[metric] = siphash64(metric.encode()).to_bytes(8, "little")
        return first + hashlib.blake2b(orjson.dumps(labels), digest_size=8).digest()

    def missing(self, place: Place, keys: Collection[int], now_s: float) -> set[int]:
        """Return those of `keys` of which the engine was not told, or too long ago to know that the sender lives."""
        if now_s >= self._due_s:
            self._forget_silent(now_s)
        noted = self._noted.get(place)
        if noted is None:
            return set(keys)
        return set() if noted.issuperset(keys) else set(keys) - noted

    def note(self, places: Iterable[Place], named: Collection[Named], now_s: float) -> None:
        """The engine will be told of these: they are on the disk."""
        with self._lock:
            for place in places:
                # The one that was used last is the last to go.
                noted = self._noted.pop(place, set())
                self._noted[place] = noted
                noted.update(one.key for one in named)
                self._senders.update(((place[0], one.instance), (one.key, now_s)) for one in named)
            while len(self._noted) > _PLACES_MAX or sum(map(len, self._noted.values())) > _NOTED_MAX:
                del self._noted[next(iter(self._noted))]

    def _forget_silent(self, now_s: float) -> None:
        """Let one series of each sender be named again, should it still send."""
        with self._lock:
            self._due_s = now_s + _SENDER_SECONDS / 2
            silent = [sender for sender, (_key, at_s) in self._senders.items() if now_s - at_s > _SENDER_SECONDS]
            for sender in silent:
                key, _at_s = self._senders.pop(sender)
                for place, noted in self._noted.items():
                    if place[0] == sender[0]:
                        noted.discard(key)
