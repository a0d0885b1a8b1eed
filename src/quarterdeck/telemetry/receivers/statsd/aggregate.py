"""The values of a flush interval put together, as the daemon of StatsD does it, under the names that the package tells."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from quarterdeck.telemetry import senders
from quarterdeck.telemetry.canonical import STALE, MetricRow, Sender, frame_of_metrics
from quarterdeck.telemetry.receivers.statsd.packets import Labels, Update
from quarterdeck.telemetry.receiving import Refused, Taken

IDLE_SECONDS = 3600
QUANTILES = (0.5, 0.9, 0.95, 0.99)
SERIES_MAX = 200_000
# A quantile of this many values picked by chance is as good as anybody reads it.
RESERVOIR = 2048
MEMBERS_MAX = 1_000_000
# Kind, metric, labels.
Place = tuple[str, str, Labels]


@dataclass(slots=True)
class _Series:
    """`total` grows by what counters and timers get, `sum` is a timer's; the rest is of this interval."""

    sender: Sender
    total: float = 0.0
    decrements: float = 0.0
    sum: float = 0.0
    values: list[float] = field(default_factory=list)
    seen: int = 0
    members: set[str] = field(default_factory=set)
    updated_at: float = 0.0


class Aggregate:
    """The state of the receiver: see `telemetry.receiving.State`."""

    def __init__(self, saved: Mapping[str, bytes]) -> None:
        self._lock = threading.Lock()
        self._series: dict[tuple[int, Place], _Series] = {}
        self._members = 0
        self._refused: Counter[str] = Counter()
        # Seeded: the same values give the same quantiles.
        self._random = random.Random(8125)  # noqa: S311

    def add(self, key: int, update: Update, address: str, now: datetime) -> None:
        """Raises Refused when there are too many series, or members of sets."""
        labels, sender = senders.of_labels(dict(update.labels), address)
        place = (key, (update.kind, update.metric, tuple(sorted(labels.items()))))
        with self._lock:
            series = self._series.get(place)
            if series is None:
                if len(self._series) >= SERIES_MAX:
                    raise Refused(f"more than {SERIES_MAX} series", reason="too_many_series")
                series = self._series[place] = _Series(sender)
            series.updated_at = now.timestamp()
            self._apply(series, update)

    def _apply(self, series: _Series, update: Update) -> None:
        if update.kind == "counter":
            if update.number >= 0:
                series.total += update.number / update.rate
            else:
                series.decrements -= update.number / update.rate
        elif update.kind == "gauge":
            series.total = series.total + update.number if update.is_delta else update.number
        elif update.kind == "set":
            self._add_member(series, update.member)
        else:
            series.total += 1 / update.rate
            series.sum += update.number / update.rate
            self._sample(series, update.number)

    def _add_member(self, series: _Series, member: str) -> None:
        if member not in series.members:
            if self._members >= MEMBERS_MAX:
                raise Refused(f"more than {MEMBERS_MAX} members of sets", reason="set_full")
            self._members += 1
            series.members.add(member)

    def _sample(self, series: _Series, value: float) -> None:
        """Keep a fair choice of the interval's values (Vitter's algorithm R)."""
        series.seen += 1
        if len(series.values) < RESERVOIR:
            series.values.append(value)
        elif (at := self._random.randrange(series.seen)) < RESERVOIR:
            series.values[at] = value

    def flush(self, now: datetime) -> dict[int, Taken]:
        now_ms, oldest = int(now.timestamp() * 1000), now.timestamp() - IDLE_SECONDS
        rows: dict[int, list[MetricRow]] = {}
        with self._lock:
            for (key, place), series in list(self._series.items()):
                is_idle = series.updated_at < oldest
                for name, more, value in _samples(place, series):
                    labels = {**dict(place[2]), **more}
                    sample = (now_ms, STALE if is_idle else value)
                    rows.setdefault(key, []).append(MetricRow(name, labels, [sample], series.sender))
                self._next_interval((key, place), series, is_idle=is_idle)
        return {key: Taken([frame_of_metrics(many)]) for key, many in rows.items()}

    def _next_interval(self, place: tuple[int, Place], series: _Series, *, is_idle: bool) -> None:
        self._members -= len(series.members)
        series.values, series.seen, series.members = [], 0, set()
        if is_idle:
            del self._series[place]

    def changes(self) -> dict[str, bytes]:
        """Nothing: a daemon of StatsD that starts again counts from zero, which the queries know."""
        return {}


def _samples(place: Place, series: _Series) -> Iterator[tuple[str, dict[str, str], float]]:
    kind, metric, _labels = place
    if kind == "counter":
        yield _suffixed(metric, "_total"), {}, series.total
        if series.decrements:
            yield f"{metric.removesuffix('_total')}_decrements_total", {}, series.decrements
    elif kind == "gauge":
        yield metric, {}, series.total
    elif kind == "set":
        yield f"{metric}_unique", {}, float(len(series.members))
    else:
        yield from _distribution(metric, kind, series)


def _distribution(metric: str, kind: str, series: _Series) -> Iterator[tuple[str, dict[str, str], float]]:
    # Timers come in milliseconds.
    name, unit = (_suffixed(metric, "_seconds"), 1000) if kind == "timer" else (metric, 1)
    yield f"{name}_count", {}, series.total
    yield f"{name}_sum", {}, series.sum / unit
    ordered = sorted(series.values)
    for quantile in QUANTILES if ordered else ():
        # The smallest value that this share of the values does not exceed.
        at = max(0, -int(-quantile * len(ordered) // 1) - 1)
        yield name, {"quantile": str(quantile)}, ordered[at] / unit


def _suffixed(metric: str, suffix: str) -> str:
    return metric if metric.endswith(suffix) else metric + suffix
