r"""Graphite's plaintext protocol: `path value timestamp\n`, with tags `path;tag=value`.

The path is the metric's name with `_` for what Prometheus allows not (`servers.web1.load` is `servers_web1_load`), tags
are labels. The sender is the host that the tag `host` names, as collectd writes it, else the peer. A time of -1 or none
is the time of arrival. NaN and infinities are left out, as carbon does.
See https://graphite.readthedocs.io/en/stable/feeding-carbon.html and .../tags.html
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from quarterdeck.telemetry import senders
from quarterdeck.telemetry.canonical import MetricRow, frame_of_metrics
from quarterdeck.telemetry.naming import LABELS_MAX, VALUE_MAX, label_name, metric_name
from quarterdeck.telemetry.receiving import Client, Listener, Peer, Receiver, Refused, Taken

_LINE_MAX_BYTES = 64 << 10
# 2100: what lies behind it was sent in another unit.
_LATEST_SECONDS = 4_102_444_800


def row_of(line: str, address: str, now_ms: int) -> MetricRow:
    """Return the sample of one line. Raises Refused."""
    parts = line.split()
    if len(parts) not in (2, 3):
        raise Refused("expected: path value timestamp")
    try:
        value, at = float(parts[1]), float(parts[2]) if len(parts) == 3 else -1.0
    except ValueError:
        raise Refused("value and timestamp have to be numbers", reason="number") from None
    if not math.isfinite(value):
        raise Refused("NaN and infinities are not kept", reason="not_finite")
    path, *tags = parts[0].split(";")
    metric = metric_name(path)
    if not metric or len(tags) > LABELS_MAX:
        raise Refused("no name, or too many tags", reason="name" if not metric else "labels")
    labels, sender = senders.of_labels(_labels(tags), address)
    return MetricRow(metric, labels, [(_time(at, now_ms), value)], sender)


def _labels(tags: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag in tags:
        name, equals, value = tag.partition("=")
        name = label_name(name)
        if not equals or not name or len(value) > VALUE_MAX:
            raise Refused("a tag is name=value", reason="labels")
        if value:
            found[name] = value
    return found


def _time(seconds: float, now_ms: int) -> int:
    if seconds == -1:
        return now_ms
    if not 0 <= seconds <= _LATEST_SECONDS:
        raise Refused("the timestamp is not in seconds since 1970", reason="time")
    return int(seconds * 1000)


class _Session:
    """Cuts what comes into lines; a bad one is counted and the next one read."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._rest = b""

    def feed(self, data: bytes) -> Iterable[Taken]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines:
            yield self._taken(lines)
        if len(self._rest) > _LINE_MAX_BYTES:
            raise Refused(f"a line is longer than {_LINE_MAX_BYTES >> 10} KB", reason="too_large")

    def end(self) -> Iterable[Taken]:
        if self._rest.strip():
            yield self._taken([self._rest])
        self._rest = b""

    def _taken(self, lines: Iterable[bytes]) -> Taken:
        now_ms = int(self._peer.now().timestamp() * 1000)
        rows: list[MetricRow] = []
        refused: Counter[str] = Counter()
        for line in lines:
            if not line.strip():
                continue
            try:
                rows.append(row_of(line.decode(), self._peer.address, now_ms))
            except UnicodeDecodeError:
                refused["utf8"] += 1
            except Refused as error:
                refused[error.reason] += 1
        return Taken([frame_of_metrics(rows)] if rows else [], None, refused)


_COLLECTD = """\
LoadPlugin write_graphite
<Plugin write_graphite>
  <Node "quarterdeck">
    Host "{host}"
    Port "{port}"
    Protocol "tcp"
    UseTags true
  </Node>
</Plugin>
"""
_SHELL = 'echo "shop.orders.open;host=$(hostname) 17 $(date +%s)" | nc -N {host} {port}\n'

PLUGIN = Receiver(
    title="Graphite",
    signals=("metrics",),
    listeners=(Listener("intake_graphite", "tcp", _Session),),
    clients=(
        Client("collectd.conf", _COLLECTD, "intake_graphite"),
        Client("shell", _SHELL, "intake_graphite", "sh"),
    ),
)
