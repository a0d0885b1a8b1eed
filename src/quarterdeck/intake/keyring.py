"""The intake keys in memory, read anew every few seconds: a request costs no query."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from quarterdeck.telemetry.receiving import Refused

log = logging.getLogger(__name__)
REFRESH_SECONDS = 2.0
# How many seconds' worth of records a key may send at once.
_BURST_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Key:
    """What a key allows: `protocols` (empty: all), at most `records_per_second` and `records_per_day` (0: no limit).

    Who sends from `networks` needs not show it.
    """

    id: int
    name: str
    digest: str
    protocols: frozenset[str]
    labels: Mapping[str, str]
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    records_per_second: int
    records_per_day: int = 0
    is_revoked: bool = False


# Loopback without a key: everything, nothing added.
OPEN = Key(0, "", "", frozenset(), {}, (), 0)


def digest(plain: str) -> str:
    # A secret out of a JSON body may hold half of a surrogate pair; it is unknown, not a fault.
    return hashlib.sha256(plain.encode(errors="surrogatepass")).hexdigest()


class Keyring:
    """Finds and checks keys. `read` returns all that were ever made."""

    def __init__(self, read: Callable[[], Sequence[Key]], *, is_loopback_open: bool) -> None:
        self._read = read
        self._is_loopback_open = is_loopback_open
        self._by_digest: dict[str, Key] = {}
        self._by_id: dict[int, Key] = {}
        self._revoked: frozenset[str] = frozenset()
        self._buckets: dict[int, tuple[float, float]] = {}
        self._lock = threading.Lock()
        # Rises with each change: who was admitted before has to be looked at again.
        self.generation = 0

    def refresh(self) -> None:
        found = self._read()
        keys = [key for key in found if not key.is_revoked]
        self._revoked = frozenset(key.digest for key in found if key.is_revoked)
        if len(keys) != len(self._by_id) or any(self._by_id.get(key.id) != key for key in keys):
            self.generation += 1
        self._by_digest = {key.digest: key for key in keys}
        self._by_id = {key.id: key for key in keys}

    def labels_of(self, key: int) -> Mapping[str, str]:
        found = self._by_id.get(key)
        return found.labels if found else {}

    def get(self, key: int) -> Key | None:
        """Return the key with an id, None for one that is revoked; 0 is loopback's."""
        return self._by_id.get(key) if key else OPEN

    def find(self, protocol: str, secret: str, address: str, *, is_forced: bool = False) -> Key:
        """Return the key of a sender: by its secret, else by its network, else loopback's. Raises Refused.

        With `is_forced` the sender had to give a key, so one that was never issued is looked upon as none.
        """
        key = self._by_digest.get(digest(secret)) if secret else self._of_network(address)
        if key is None and is_forced and digest(secret) not in self._revoked:
            key = self._of_network(address)
        if key is None and secret:
            raise Refused("the intake key is unknown or revoked", reason="bad_key", status=401)
        if key is None:
            raise Refused("an intake key is needed; make one with `qd keys create`", reason="no_key", status=401)
        if key.protocols and protocol not in key.protocols:
            raise Refused(f'key "{key.name}" is not for {protocol}', reason="not_allowed", status=403)
        return key

    def _of_network(self, address: str) -> Key | None:
        """Return what lets in a sender without a key: the key of its network, else loopback's; None for nothing."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return None
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        for key in self._by_id.values():
            if any(ip in network for network in key.networks):
                return key
        return OPEN if ip.is_loopback and self._is_loopback_open else None

    def wait_seconds(self, key: Key, records: int) -> int:
        """Take `records` out of the key's allowance; return 0, or how many seconds the sender has to wait instead."""
        rate = key.records_per_second
        if not rate:
            return 0
        with self._lock:
            now = time.monotonic()
            left = self._left(key, now)
            # A request larger than the whole allowance goes through when that is full, and is paid off afterwards.
            if left >= min(records, rate * _BURST_SECONDS):
                self._buckets[key.id] = (left - records, now)
                return 0
            self._buckets[key.id] = (left, now)
            return max(1, math.ceil((min(records, rate * _BURST_SECONDS) - left) / rate))

    def seconds_until_some(self, key: Key) -> int:
        """Return 0 for a key that may send at least one record now, else how many seconds until it may."""
        if not key.records_per_second:
            return 0
        with self._lock:
            left = self._left(key, time.monotonic())
        return 0 if left >= 1 else max(1, math.ceil((1 - left) / key.records_per_second))

    def _left(self, key: Key, now: float) -> float:
        full = float(key.records_per_second * _BURST_SECONDS)
        left, at = self._buckets.get(key.id, (full, now))
        return min(full, left + (now - at) * key.records_per_second)
