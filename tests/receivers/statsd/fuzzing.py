"""What `make fuzz` feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.receivers.requests import NOW, fed, only_refused, peer

from quarterdeck.telemetry.receivers.statsd import PLUGIN
from quarterdeck.telemetry.receivers.statsd.aggregate import Aggregate
from quarterdeck.telemetry.receiving import Taken


def _datagram(data: bytes) -> Iterable[Taken]:
    aggregate = Aggregate({})
    yield from fed(PLUGIN.listeners[0].open(peer(aggregate)), data)
    yield from aggregate.flush(NOW).values()


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    return {"statsd": only_refused(_datagram)}
