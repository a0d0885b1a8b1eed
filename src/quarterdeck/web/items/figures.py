"""The panels of an item's metrics, and their data as charts and sparklines take it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry import queries
from quarterdeck.telemetry.charting import Aggregate
from quarterdeck.telemetry.latest import Latest
from quarterdeck.web.viewing import Range

# About as many points as a panel has pixels for; more only costs.
POINTS = 240
STEPS_SECONDS = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600)
MAX_SERIES = 24

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """One metric of a panel. `name` makes a series' name of its labels; None leaves the series out. `order` lists
    values of the first label as they are drawn, from the axis upwards.
    """

    metric: str
    group_by: tuple[str, ...] | None = ()
    aggregate: Aggregate = "sum"
    name: Callable[[Labels], str | None] = lambda labels: " ".join(labels.values())
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A panel: what it is called and what it draws. `maximum` is the end of the axis where it is known;
    `unit` is for values whose own unit does not tell what they are."""

    title: str | Promise
    sources: tuple[Source, ...]
    is_stacked: bool = False
    maximum: float | None = None
    unit: str | Promise = ""


def _cpu_state(labels: Labels) -> str | None:
    titles = {
        "user": _("user"),
        "system": _("system"),
        "nice": _("nice"),
        "iowait": _("waiting for disks"),
        "interrupt": _("interrupts"),
        "steal": _("stolen"),
    }
    return titles.get(labels.get("state", ""))


def _memory_state(labels: Labels) -> str | None:
    titles = {"used": _("used"), "cached": _("cached"), "buffered": _("buffered"), "free": _("free")}
    return titles.get(labels.get("state", ""))


def _direction(labels: Labels) -> str:
    titles = {"read": _("read"), "write": _("written"), "receive": _("received"), "transmit": _("sent")}
    direction = titles.get(labels.get("direction", ""), labels.get("direction", ""))
    return " ".join(filter(None, [labels.get("device", ""), direction]))


def _load(minutes: int) -> Source:
    return Source(f"system_cpu_load_average_{minutes}m", name=lambda labels: _("%(n)d min") % {"n": minutes})


def _total(labels: Labels) -> str:
    return _("total")


CPU_STATES = ("user", "system", "nice", "iowait", "interrupt", "steal")
MEMORY_STATES = ("used", "buffered", "cached", "free")

FIGURES: Mapping[str, Figure] = {
    "cpu": Figure(
        gettext_lazy("CPU"),
        (Source("system_cpu_utilization_ratio", ("state",), "avg", _cpu_state, CPU_STATES),),
        is_stacked=True,
        maximum=1,
    ),
    "memory": Figure(
        gettext_lazy("Memory"),
        (Source("system_memory_usage_bytes", ("state",), "sum", _memory_state, MEMORY_STATES),),
        is_stacked=True,
    ),
    "load": Figure(gettext_lazy("Load average"), (_load(1), _load(5), _load(15))),
    "filesystems": Figure(
        gettext_lazy("File systems"),
        (Source("system_filesystem_utilization_ratio", ("mountpoint",), "max"),),
        maximum=1,
    ),
    "disks": Figure(
        gettext_lazy("Disk throughput"),
        (Source("system_disk_io_bytes_total", ("device", "direction"), name=_direction),),
    ),
    "network": Figure(
        gettext_lazy("Network"), (Source("system_network_io_bytes_total", ("device", "direction"), name=_direction),)
    ),
    "container-cpu": Figure(
        gettext_lazy("CPU"), (Source("container_cpu_time_seconds_total", (), name=_total),), unit=gettext_lazy("cores")
    ),
    "container-memory": Figure(gettext_lazy("Memory"), (Source("container_memory_usage_bytes", (), name=_total),)),
    "container-network": Figure(
        gettext_lazy("Network"), (Source("container_network_io_bytes_total", ("direction",), name=_direction),)
    ),
    "container-disks": Figure(
        gettext_lazy("Disk throughput"), (Source("container_disk_io_bytes_total", ("direction",), name=_direction),)
    ),
}
SPARKS: Mapping[str, Figure] = {
    "spark-cpu": Figure(gettext_lazy("CPU"), (Source("system_cpu_utilization_ratio", ("state",), "avg"),), maximum=1),
    "spark-memory": Figure(
        gettext_lazy("Memory"), (Source("system_memory_utilization_ratio", (), "avg", _total),), maximum=1
    ),
    "spark-load": Figure(gettext_lazy("Load average"), (_load(1),)),
    "spark-network": Figure(gettext_lazy("Network"), (Source("system_network_io_bytes_total", (), name=_total),)),
}


def step_seconds(seconds: int) -> int:
    """Return the step with which `seconds` have at most about POINTS points."""
    return next((step for step in STEPS_SECONDS if seconds / step <= POINTS * 1.25), STEPS_SECONDS[-1])


def figures_for(metrics: Sequence[queries.Metric]) -> dict[str, Figure]:
    """Return the panels for which the item has a metric."""
    names = {metric.name for metric in metrics}
    return {key: one for key, one in FIGURES.items() if any(source.metric in names for source in one.sources)}


def of_metric(metric: str) -> Figure:
    """A panel for any metric, with each of its series."""
    return Figure(metric, (Source(metric, None, name=lambda labels: " ".join(labels.values()) or metric),))


def data(actor: Actor, item: Item, figure: Figure, span: Range) -> dict[str, Any]:
    """Return what the chart island draws; see islands/chart.ts. Raises Denied, Unavailable."""
    until = now()
    since = until - timedelta(seconds=span.seconds)
    step = step_seconds(span.seconds)
    charts = [
        (
            source,
            queries.chart(actor, item, source.metric, since, until, step, source.group_by, aggregate=source.aggregate),
        )
        for source in figure.sources
    ]
    series = [one for source, chart in charts for one in _series(source, chart)]
    first = charts[0][1]
    return {
        "unit": str(figure.unit) or (f"{first.unit}/s" if first.is_rate and first.unit else first.unit),
        "stacked": figure.is_stacked,
        "maximum": figure.maximum,
        "since": since.timestamp() * 1000,
        "until": until.timestamp() * 1000,
        "series": series[:MAX_SERIES],
    }


def _series(source: Source, chart: queries.Chart) -> Iterator[dict[str, Any]]:
    start = chart.start.timestamp() * 1000
    if source.metric == "system_cpu_utilization_ratio" and source.name(_IDLE) is not None:
        yield {"name": _("busy"), "points": _busy(chart, start)}
        return
    for one in sorted(chart.series, key=lambda one: _rank(source, one.labels)):
        name = source.name(one.labels)
        if name is not None:
            yield {"name": name, "points": _points(one.values, start, chart.step_seconds)}


def _rank(source: Source, labels: Labels) -> int:
    first = next(iter(labels.values()), "")
    return source.order.index(first) if first in source.order else len(source.order)


_IDLE = {"state": "idle"}


def _points(values: Sequence[float | None], start: float, step: int) -> list[tuple[float, float | None]]:
    return [(start + index * step * 1000, value) for index, value in enumerate(values)]


def _busy(chart: queries.Chart, start: float) -> list[tuple[float, float | None]]:
    """What is left of the idle time."""
    idle = next((one.values for one in chart.series if one.labels.get("state") == "idle"), [])
    return _points([None if value is None else max(0.0, 1 - value) for value in idle], start, chart.step_seconds)


USAGE_METRICS = ("system_cpu_utilization_ratio", "system_memory_utilization_ratio")


def usage(values: Mapping[str, Sequence[Latest]]) -> dict[str, float | None]:
    """Return `{"cpu": 0.12, "memory": 0.4}` of an item's latest values; None for what is not measured."""
    idle = [one.value for one in values.get("system_cpu_utilization_ratio", ()) if one.labels.get("state") == "idle"]
    memory = [one.value for one in values.get("system_memory_utilization_ratio", ())]
    return {"cpu": 1 - sum(idle) / len(idle) if idle else None, "memory": memory[0] if memory else None}
