"""Writing telemetry."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from quarterdeck.core.clock import now
from quarterdeck.telemetry import client
from quarterdeck.telemetry.samples import Sample, SeriesKey, canonical, series_key

SeriesId = tuple[int, int]
# Each process forgets which series it wrote when it knows this many: 300 bytes each.
_KNOWN_MAX = 500_000


class _Known:
    """The series that this process has seen: their ids, and the hour in which each was last written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[SeriesKey, SeriesId] = {}
        self._hours: dict[SeriesKey, int] = {}

    def ids(self, keys: Sequence[SeriesKey]) -> dict[SeriesKey, SeriesId]:
        """Return the id of each series; the engine hashes those that are new here, so that its hash is the only one."""
        new = [key for key in keys if key not in self._ids]
        if new:
            found = dict(zip(new, _hash(new), strict=True))
            with self._lock:
                if len(self._ids) + len(found) > _KNOWN_MAX:
                    self._ids.clear()
                    self._hours.clear()
                self._ids.update(found)
            return {key: found.get(key) or self._ids.get(key) or (0, 0) for key in keys}
        return {key: self._ids[key] for key in keys}

    def unwritten(self, keys: Iterable[SeriesKey], hour: int) -> list[SeriesKey]:
        return [key for key in keys if self._hours.get(key) != hour]

    def written(self, keys: Iterable[SeriesKey], hour: int) -> None:
        with self._lock:
            self._hours.update(dict.fromkeys(keys, hour))


_known = _Known()


def forget_series() -> None:
    """Forget which series were written, after the tables were restored or emptied."""
    global _known
    _known = _Known()


def write_samples(samples: Iterable[Sample], *, token: str = "") -> int:
    """Store samples in one insert; return how many. Values that are no finite number are left out.

    Sent again with the same `token`, they are stored once (the last 1,000 tokens are known). Raises Unavailable.
    """
    rows = [sample for sample in samples if math.isfinite(sample.value)]
    if not rows:
        return 0
    token = token or uuid4().hex
    keys = [series_key(sample) for sample in rows]
    spans = _spans(rows, keys)
    ids = _known.ids(list(spans))
    # Series first: samples without a series would be there but could not be found.
    _write_series(spans, ids, token)
    columns: dict[str, list[Any]] = {
        "id": [ids[key] for key in keys],
        "timestamp": [sample.at for sample in rows],
        "value": [sample.value for sample in rows],
    }
    client.insert("samples", columns, token=token)
    return len(rows)


def _spans(rows: Sequence[Sample], keys: Sequence[SeriesKey]) -> dict[SeriesKey, tuple[datetime, datetime]]:
    """Return `{series: (first, last)}` times."""
    spans: dict[SeriesKey, tuple[datetime, datetime]] = {}
    for sample, key in zip(rows, keys, strict=True):
        first, last = spans.get(key, (sample.at, sample.at))
        spans[key] = (min(first, sample.at), max(last, sample.at))
    return spans


def _hash(keys: Sequence[SeriesKey]) -> list[SeriesId]:
    """Ask the engine for the series' ids, in order."""
    sql = (
        "SELECT arrayMap((metric, text) -> (sipHash64(metric), sipHash64(text)),"
        " {metrics:Array(String)}, {texts:Array(String)})"
    )
    found: list[SeriesId] = []
    for start in range(0, len(keys), 10_000):
        part = keys[start : start + 10_000]
        parameters = {"metrics": [key[0] for key in part], "texts": [canonical(key) for key in part]}
        found += [(int(first), int(second)) for first, second in client.query(sql, parameters)[0][0]]
    return found


def _write_series(
    spans: dict[SeriesKey, tuple[datetime, datetime]], ids: dict[SeriesKey, SeriesId], token: str
) -> None:
    """Write the series that this process has not written in this hour, and their labels."""
    hour = int(now().timestamp()) // 3600
    keys = _known.unwritten(spans, hour)
    if not keys:
        return
    columns: dict[str, list[Any]] = {
        "item": [key[1] for key in keys],
        "metric_name": [key[0] for key in keys],
        "id": [ids[key] for key in keys],
        "labels": [dict(key[2]) for key in keys],
        "min_time": [spans[key][0] for key in keys],
        # An hour ahead, since the series is not written again before.
        "max_time": [spans[key][1] + timedelta(hours=1) for key in keys],
    }
    client.insert("series", columns, token=f"{token}-series")
    client.insert("labels", _label_columns(keys, ids), token=f"{token}-labels")
    _known.written(keys, hour)


def _label_columns(keys: Sequence[SeriesKey], ids: dict[SeriesKey, SeriesId]) -> dict[str, list[Any]]:
    """The rows of the inverted index; the metric's name counts as a label, as it does in Prometheus."""
    seen = datetime.now(UTC).replace(microsecond=0)
    rows = [(name, value, key) for key in keys for name, value in (("__name__", key[0]), *key[2])]
    return {
        "name": [name for name, _, _ in rows],
        "value": [value for _, value, _ in rows],
        "metric_name": [key[0] for _, _, key in rows],
        "id": [ids[key] for _, _, key in rows],
        "seen": [seen for _ in rows],
    }
