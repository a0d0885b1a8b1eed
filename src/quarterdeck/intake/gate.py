"""The one way from a listener to the spool: who may, how much, kept, counted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from quarterdeck.intake.counters import DAY_SECONDS, Counters
from quarterdeck.intake.keyring import Key, Keyring
from quarterdeck.intake.spool.frames import Entry
from quarterdeck.intake.spool.writer import Spool, SpoolFull
from quarterdeck.telemetry.receiving import Frame, Refused

_FULL_RETRY_SECONDS = 5


class Busy(Refused):
    """Not now: the sender is over its rate, or the spool is full. It should come back after `retry_after_seconds`."""

    def __init__(
        self, message: str, *, reason: str, status: int, retry_after_seconds: int, streams: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, reason=reason, status=status)
        self.retry_after_seconds = retry_after_seconds
        self.streams = streams


class Gate:
    """What every listener of this process calls."""

    def __init__(self, spool: Spool, keyring: Keyring, counters: Counters) -> None:
        self.spool = spool
        self.keyring = keyring
        self.counters = counters
        spool.note = self._count

    def admit(self, protocol: str, secret: str, address: str, *, is_forced: bool = False) -> Key:
        """Return the sender's key, as Keyring.find does. Raises Refused; refusals are counted."""
        try:
            return self.keyring.find(protocol, secret, address, is_forced=is_forced)
        except Refused as error:
            self.refused(protocol, 0, {error.reason: 1})
            raise

    def check_rate(self, protocol: str, key: Key) -> None:
        """Raise Busy for a sender that has used up its allowance, before its body costs anything."""
        wait = self.keyring.seconds_until_some(key)
        if wait:
            self.refused(protocol, key.id, {"rate_early": 1})
            raise _over_rate(key, wait)

    def keep(self, protocol: str, key: Key, frames: Sequence[Frame], *, is_counted: bool = True) -> Future[None]:
        """Spool frames; the future is done when they are durable, and fails with SpoolFull.

        Raises Busy at once, which counts as a refusal unless `is_counted` is False: who tries again counts it himself.
        """
        records = sum(frame.records for frame in frames)
        try:
            self._check_day(key, records)
            wait = self.keyring.wait_seconds(key, records)
            if wait:
                raise _over_rate(key, wait, frames)
            received_ms = time.time_ns() // 1_000_000
            try:
                return self.spool.append([Entry(protocol, key.id, received_ms, frame) for frame in frames])
            except SpoolFull as error:
                raise busy(error, frames) from error
        except Busy as error:
            if is_counted:
                self.refused(protocol, key.id, {error.reason: records})
            raise

    def _check_day(self, key: Key, records: int) -> None:
        """Raise Busy when the key's records of this day (UTC) are used up. What is on its way is not counted yet."""
        if not key.records_per_day or self.counters.today(key.id) + records <= key.records_per_day:
            return
        message = f'key "{key.name}" may send {key.records_per_day} records a day'
        until_midnight = DAY_SECONDS - int(time.time()) % DAY_SECONDS
        raise Busy(message, reason="quota", status=429, retry_after_seconds=until_midnight)

    def _count(self, entries: Sequence[Entry], failure: SpoolFull | None) -> None:
        if failure is None:
            self.counters.spooled(entries)
        else:
            for entry in entries:
                self.refused(entry.protocol, entry.key, {"spool_full": entry.frame.records})

    def refused(self, protocol: str, key: int, reasons: Mapping[str, int]) -> None:
        self.counters.refused(protocol, key, reasons)


def _over_rate(key: Key, wait_seconds: int, frames: Sequence[Frame] = ()) -> Busy:
    message = f'key "{key.name}" may send {key.records_per_second} records a second'
    return Busy(message, reason="rate", status=429, retry_after_seconds=wait_seconds, streams=_streams(frames))


def busy(error: SpoolFull, frames: Sequence[Frame]) -> Busy:
    return Busy(
        error.message,
        reason="spool_full",
        status=503,
        retry_after_seconds=_FULL_RETRY_SECONDS,
        streams=_streams(frames),
    )


def _streams(frames: Sequence[Frame]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(frame.stream for frame in frames))
