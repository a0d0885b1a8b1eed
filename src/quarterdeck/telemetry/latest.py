"""The newest values, and which metrics an item has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet

from quarterdeck.access.checks import require
from quarterdeck.audit.actor import Actor
from quarterdeck.telemetry import client
from quarterdeck.telemetry.charting import STALE_SECONDS
from quarterdeck.telemetry.owners import SENDER_BIT, owners_of
from quarterdeck.telemetry.samples import is_counter, unit_of


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of an item: `unit` is "" for a plain number, `labels` are the names that tell its series apart."""

    name: str
    unit: str
    is_counter: bool
    labels: tuple[str, ...]
    series: int
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest value of one series; `at` is aware."""

    labels: dict[str, str]
    value: float
    at: datetime


def metrics_of(actor: Actor, item: Model) -> list[Metric]:
    """Return the item's metrics by name. Raises Denied, Unavailable."""
    require(actor, "telemetry.query", [item])
    rows = client.query(
        "SELECT metric_name, arraySort(groupUniqArrayArray(mapKeys(labels))), uniqExact(id),"
        " least(max(max_time), now64(3))"
        " FROM series WHERE item IN {owners:Array(UInt64)} GROUP BY metric_name ORDER BY metric_name",
        {"owners": list(owners_of([int(item.pk)]))},
    )
    return [Metric(name, unit_of(name), is_counter(name), tuple(keys), int(n), seen) for name, keys, n, seen in rows]


@dataclass(frozen=True, slots=True)
class TypeMetric:
    """A metric of several items; `labels` are the names of its labels with how many values each has.

    `is_own`: measured by us, so that PromQL gives it the label `item`; others have the labels that were sent.
    """

    name: str
    unit: str
    is_counter: bool
    is_own: bool
    labels: dict[str, int]


def metrics_of_many(actor: Actor, items: Sequence[Model], jobs: Sequence[str] = ()) -> list[TypeMetric]:
    """Return what several items send, by name, in one query. Raises Denied, Unavailable.

    `jobs` are services by name: a service's metrics stand under the host that sent them, with its name as `job`.
    """
    if not items:
        return []
    require(actor, "telemetry.query", items)
    rows = client.query(
        _MANY,
        {"owners": list(owners_of([int(item.pk) for item in items])), "jobs": list(jobs), "bit": SENDER_BIT},
    )
    return [
        TypeMetric(
            name, unit_of(name), is_counter(name), bool(own), {label: int(n) for label, n in labels.items() if label}
        )
        for name, own, labels in rows
    ]


def latest(
    actor: Actor,
    items: Sequence[Model] | QuerySet[Any, Any],
    metrics: Iterable[str],
    *,
    within_seconds: int = STALE_SECONDS,
) -> dict[int, dict[str, list[Latest]]]:
    """Return `{item id: {"metric": [Latest, ...]}}`, in one query for any number of items.

    A series without a sample within `within_seconds` is left out. Raises Denied when the actor may not query one of
    the items, Unavailable.
    """
    items = list(items)
    if not items:
        return {}
    require(actor, "telemetry.query", items)
    owners = owners_of([int(item.pk) for item in items])
    rows = client.query(_LATEST, {"items": list(owners), "metrics": list(metrics), "age": within_seconds})
    found: dict[int, dict[str, list[Latest]]] = defaultdict(lambda: defaultdict(list))
    for item, metric, labels, value, at in rows:
        found[owners[int(item)]][metric].append(Latest(dict(labels), value, at))
    return {item: dict(values) for item, values in found.items()}


_MANY = """
    SELECT metric_name, min(is_own), mapFromArrays(groupArray(label), groupArray(n)) FROM (
        SELECT metric_name, label, min(own) AS is_own, uniqExact(value) AS n FROM (
            SELECT metric_name, item < {bit:UInt64} AS own, mapKeys(labels) AS names, mapValues(labels) AS values
            FROM series
            WHERE series.item IN {owners:Array(UInt64)}
                OR extract(labels['job'], '([^/]*)$') IN {jobs:Array(String)} AND labels['job'] != ''
        )
        LEFT ARRAY JOIN names AS label, values AS value
        GROUP BY metric_name, label
    ) GROUP BY metric_name ORDER BY metric_name"""
_CHOSEN = "FROM series WHERE series.item IN {items:Array(UInt64)} AND series.metric_name IN {metrics:Array(String)}"
_LATEST = f"""
    SELECT item, metric, named.labels, value, at FROM (
        SELECT id, argMax(value, timestamp) AS value, max(timestamp) AS at FROM samples
        WHERE id IN (SELECT id {_CHOSEN}) AND timestamp > now64(3) - toIntervalSecond({{age:UInt32}})
            AND isFinite(samples.value)
        GROUP BY id
    ) AS newest
    INNER JOIN (
        SELECT id, any(series.item) AS item, any(series.metric_name) AS metric, mapSort(any(series.labels)) AS labels
        {_CHOSEN} GROUP BY id
    ) AS named USING id
    ORDER BY item, metric, named.labels"""
