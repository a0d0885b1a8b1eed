"""StatsD over UDP, with DogStatsD's tags: counters, gauges, timers, histograms and sets, put together every 10 seconds.

Names get `_` for what Prometheus allows not, and an ending that tells the kind:

- a counter is `<name>_total`, growing from the first value on; what was subtracted is `<name>_decrements_total`
- a gauge is `<name>`
- a timer is `<name>_seconds_count` and `<name>_seconds_sum`, growing, and `<name>_seconds{quantile}` of the interval
- a histogram or distribution is the same without `_seconds`, in the sender's own unit
- a set is `<name>_unique`, the number of different members in the interval

The sender is the host that the tag `host` names, else the peer; its name is the label `host`. NaN and infinities are
left out. A series that gets nothing for an hour is ended. Nothing of UDP is acknowledged: what came since the last flush
is lost when the intake is killed, and flushed when it is stopped. Each intake process puts together what it gets: send
the datagrams of one host to the same one. See https://github.com/statsd/statsd/blob/master/docs/metric_types.md
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from quarterdeck.telemetry.receivers.statsd.aggregate import Aggregate
from quarterdeck.telemetry.receivers.statsd.packets import updates_of
from quarterdeck.telemetry.receiving import Client, Listener, Peer, Receiver, Refused, Taken


class _Datagram:
    """Reads one datagram into the aggregate; a bad line is counted and the next one read."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def feed(self, data: bytes) -> Iterable[Taken]:
        refused: Counter[str] = Counter()
        for line in data.split(b"\n"):
            if line.strip():
                self._read(line, refused)
        return [Taken((), None, refused)] if refused else []

    def end(self) -> Iterable[Taken]:
        return ()

    def _read(self, line: bytes, refused: Counter[str]) -> None:
        aggregate: Aggregate = self._peer.state
        try:
            for update in updates_of(line.decode().strip()):
                aggregate.add(self._peer.key, update, self._peer.address, self._peer.now())
        except UnicodeDecodeError:
            refused["utf8"] += 1
        except Refused as error:
            refused[error.reason] += 1


_SHELL = 'echo "shop.orders:1|c|#region:cn" | nc -u -w1 {host} {port}\n'
_PYTHON = """\
from statsd import StatsClient

statsd = StatsClient("{host}", {port}, prefix="shop")
statsd.incr("orders")
statsd.timing("checkout", 320)
"""
_DATADOG = """\
from datadog import initialize, statsd

initialize(statsd_host="{host}", statsd_port={port})
statsd.increment("shop.orders", tags=["region:cn"])
"""

PLUGIN = Receiver(
    title="StatsD",
    signals=("metrics",),
    listeners=(Listener("intake_statsd", "udp", _Datagram),),
    clients=(
        Client("Python (statsd)", _PYTHON, "intake_statsd", "python"),
        Client("Python (datadog)", _DATADOG, "intake_statsd", "python"),
        Client("shell", _SHELL, "intake_statsd", "sh"),
    ),
    state=Aggregate,
    flush_seconds=10,
)
