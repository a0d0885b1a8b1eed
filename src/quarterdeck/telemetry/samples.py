"""What a sample is, and the identity of its series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

_UNITS = {
    "bytes": "bytes",
    "seconds": "seconds",
    "milliseconds": "ms",
    "ratio": "ratio",
    "percent": "percent",
    "celsius": "celsius",
    "hertz": "hertz",
    "volts": "volts",
    "watts": "watts",
}

SeriesKey = tuple[str, int, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one metric of one item at one time.

    `metric` is OpenTelemetry's name in Prometheus' spelling (`system_memory_usage_bytes`), a counter ends in `_total`;
    `at` is aware.
    """

    metric: str
    labels: Mapping[str, str]
    item_id: int
    at: datetime
    value: float


def series_key(sample: Sample) -> SeriesKey:
    """What makes two samples belong to one series; labels in order, those without a value left out."""
    return sample.metric, sample.item_id, tuple(sorted((name, value) for name, value in sample.labels.items() if value))


def canonical(key: SeriesKey) -> str:
    """The text whose hash is the second half of the series' id: item, then each label between control characters."""
    return str(key[1]) + "".join(f"\x1e{name}\x1f{value}" for name, value in key[2])


def is_counter(metric: str) -> bool:
    """True for a metric that only grows and restarts from zero."""
    return metric.endswith("_total")


def unit_of(metric: str) -> str:
    """Return the unit that the metric's name ends in, "" for a plain number: `..._io_bytes_total` is "bytes".

    Of a recorded one, `answer_seconds:sum1m`, it is that of the metric, except for counts.
    """
    metric, _colon, measure = metric.partition(":")
    if measure.startswith("count"):
        return ""
    return _UNITS.get(metric.removesuffix("_total").rsplit("_", 1)[-1], "")
