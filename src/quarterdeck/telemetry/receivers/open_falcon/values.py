"""A metric as falcon agents and plugins write it, and what falcon's transfer lets through.

`{"endpoint": "web1", "metric": "cpu.idle", "value": 98.5, "step": 60, "counterType": "GAUGE", "tags": "core=0",
"timestamp": 1700000000}` is `cpu_idle{core="0", endpoint="web1"}`.
See modules/transfer/receiver/rpc/rpc_transfer.go of https://github.com/open-falcon/falcon-plus
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from quarterdeck.telemetry import senders
from quarterdeck.telemetry.canonical import MetricRow
from quarterdeck.telemetry.naming import label_name, metric_name
from quarterdeck.telemetry.receiving import Refused

_TYPES = frozenset({"GAUGE", "COUNTER", "DERIVE"})
ENDPOINT_MAX = 255
_LENGTH_MAX = 510
# Some scripts send milliseconds; seconds get there in the year 5138.
_MILLISECONDS_FROM = 100_000_000_000


def rows_of(values: Iterable[Any], now_ms: int) -> tuple[list[MetricRow], Counter[str]]:
    """Return the samples of the valid values, and how many were left out, by reason."""
    rows: list[MetricRow] = []
    refused: Counter[str] = Counter()
    for value in values:
        try:
            rows.append(_row(value, now_ms))
        except Refused as error:
            refused[error.reason] += 1
    return rows, refused


def _row(found: Any, now_ms: int) -> MetricRow:
    if not isinstance(found, Mapping):
        raise Refused("no object")
    endpoint, metric, tags = (_text(found, name) for name in ("endpoint", "metric", "tags"))
    if not endpoint or not metric or len(endpoint) > ENDPOINT_MAX or len(metric) + len(tags) > _LENGTH_MAX:
        raise Refused("metric and endpoint are needed, with at most 510 characters of tags", reason="name")
    kind = _text(found, "counterType")
    if kind not in _TYPES:
        raise Refused("counterType is GAUGE, COUNTER or DERIVE", reason="type")
    step = found.get("step")
    if not isinstance(step, int) or step <= 0:
        raise Refused("step has to be positive", reason="step")
    name = metric_name(metric)
    if not name or metric == "kernel.hostname":
        raise Refused("no metric's name", reason="name")
    labels = {**_labels(tags), "endpoint": endpoint}
    sample = (_time(found.get("timestamp"), now_ms), _number(found.get("value")))
    full = name if kind == "GAUGE" or name.endswith("_total") else f"{name}_total"
    return MetricRow(full, labels, [sample], senders.host_named(endpoint))


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused(f"{name} has to be a string")
    return value


def _labels(tags: str) -> dict[str, str]:
    """Read `k=v,k2=v2`; as in falcon, what has no `=` is left out."""
    found: dict[str, str] = {}
    for tag in tags.replace(" ", "").split(","):
        name, equals, value = tag.partition("=")
        if equals and value and (label := label_name(name)):
            found[label] = value
    return found


def _number(value: Any) -> float:
    """Numbers may come as strings."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise Refused("value has to be a number", reason="number")
    return number


def _time(seconds: Any, now_ms: int) -> int:
    """Seconds; as in falcon, none or one that cannot be is the time of arrival."""
    if not isinstance(seconds, int) or seconds <= 0:
        return now_ms
    if seconds >= _MILLISECONDS_FROM:
        seconds //= 1000
    return seconds * 1000 if seconds * 1000 <= now_ms * 2 else now_ms
