"""What is remembered of agents between their connections; all of it can be lost: agents tell it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from quarterdeck.telemetry.canonical import Sender

K = TypeVar("K")
V = TypeVar("V")
# Hosts, keys and sessions are names that senders choose: without a limit they could fill the memory.
_HOSTS_MAX = 50_000
_SESSIONS_MAX = 100_000
_SERIES_MAX = 500_000


class Recent(Generic[K, V]):
    """A dictionary that forgets what was set longest ago when it has more than `limit` entries."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        return self._entries.get(key)

    def set(self, key: K, value: V) -> None:
        self._entries.pop(key, None)
        self._entries[key] = value
        if len(self._entries) > self._limit:
            del self._entries[next(iter(self._entries))]


@dataclass(frozen=True, slots=True)
class Series:
    """A host's key: `name` without parameters, and the beginning of its samples' lines, b"" where values are text.

    `told` is what the host had told of itself then.
    """

    name: str
    head: bytes
    told: Mapping[str, str] | None


class Memory:
    """`last_ids` is the number of the last kept value of a host's session: an agent that never saw our answer sends
    its values again under the same numbers. `identities` is what a host told of itself when it asked for its items,
    `found` what it discovered, `positions` how far it has read a log, `keys` the item keys that it knows by number.
    """

    def __init__(self) -> None:
        self.last_ids: Recent[tuple[str, str], int] = Recent(_SESSIONS_MAX)
        # Sessions whose values are being kept right now, on another connection.
        self.busy: set[tuple[str, str]] = set()
        self.identities: Recent[str, Mapping[str, str]] = Recent(_HOSTS_MAX)
        self.found: Recent[tuple[str, str], Sequence[Mapping[str, str]]] = Recent(2 * _HOSTS_MAX)
        self.positions: Recent[tuple[str, str], tuple[int, int]] = Recent(_SESSIONS_MAX)
        self.keys: Recent[int, str] = Recent(_SERIES_MAX)
        self.series: Recent[tuple[str, str], Series] = Recent(_SERIES_MAX)

    def sender_of(self, host: str) -> Sender:
        return Sender("host", host, self.identities.get(host) or {"host.name": host})
