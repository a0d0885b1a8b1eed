"""A dashboard for a type of items, made of what its items send."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from quarterdeck.access import grants
from quarterdeck.access.checks import require, visible
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound
from quarterdeck.inventory import queries as inventory
from quarterdeck.inventory.models import Item, ItemType
from quarterdeck.monitoring.dashboards.definitions import COLUMNS, PANELS_MAX, Definition, read
from quarterdeck.telemetry import queries as telemetry
from quarterdeck.telemetry.queries import TypeMetric

# Metrics of more items than this tell the same: what a type sends, not what each of it does.
ITEMS_MAX = 2000
# A label with more values than this makes no lines that can be told apart.
VALUES_MAX = 12
_HALF, _HEIGHT = COLUMNS // 2, 8
_NO_DIMENSIONS = frozenset(
    {"host", "host_name", "instance", "job", "service_name", "le", "http_host", "http_server_name"}
)


@dataclass(frozen=True, slots=True)
class Made:
    """`items` is how many the type has that the person may see measurements of."""

    type: ItemType
    definition: Definition
    items: int


def types_that_send(actor: Actor) -> list[tuple[ItemType, int]]:
    """Return the types with their number of items of which the actor may see measurements. Raises Denied."""
    require(actor, "telemetry.query")
    items = visible(actor, "telemetry.query", inventory.items(actor, ""))
    counted: dict[int, int] = {}
    for type_id in items.order_by().values_list("type_id", flat=True):
        counted[type_id] = counted.get(type_id, 0) + 1
    return [(type_, counted[type_.pk]) for type_ in ItemType.objects.filter(pk__in=counted)]


def made_for(actor: Actor, code: str) -> Made:
    """Return the dashboard of a type: a heading for each family of metrics, a panel for each.

    Raises Denied, NotFound, Unavailable.
    """
    type_ = ItemType.objects.filter(code=code).first()
    if type_ is None:
        raise NotFound(_('There is no type "%(code)s".') % {"code": code[:48]}, hint=_("See the list of types."))
    chosen = inventory.items(actor, f"type:{code}")
    items = list(visible(actor, "telemetry.query", chosen).order_by("pk")[:ITEMS_MAX])
    # They stand under their hosts: whoever may not see those is told of none.
    sees_hosts = code == "service" and not grants.allowed(actor, "telemetry.query", Item)
    jobs = [item.name for item in items] if sees_hosts else []
    found = telemetry.metrics_of_many(actor, items, jobs)
    return Made(type_, read(_definition(type_, found)), len(items))


def _definition(type_: ItemType, metrics: Sequence[TypeMetric]) -> dict[str, Any]:
    item = {"name": "item", "kind": "items", "title": title_of(type_), "query": f"type:{type_.code}"}
    return {
        "title": _("All of the type %(type)s") % {"type": title_of(type_)},
        "refresh_seconds": max(30, int(settings.QD["collect_interval_seconds"])),
        "variables": [item | {"multi": True, "all": True}],
        "panels": list(_panels(_wanted(metrics), type_.code)),
    }


def title_of(type_: ItemType) -> str:
    is_chinese = (get_language() or "").startswith("zh")
    return type_.title_zh if is_chinese and type_.title_zh else type_.title_en


def _wanted(metrics: Sequence[TypeMetric]) -> list[TypeMetric]:
    """Without the sums and counts of histograms, which their buckets tell already, and `_created` times."""
    names = {metric.name for metric in metrics}
    return [
        metric
        for metric in metrics
        if not metric.name.endswith("_created")
        and not (metric.name.endswith(("_sum", "_count")) and f"{metric.name.rpartition('_')[0]}_bucket" in names)
    ]


def _family(metric: TypeMetric) -> str:
    """The first two words of a name: `system_cpu` of `system_cpu_time_seconds_total`."""
    return "_".join(metric.name.split("_")[:2])


def _panels(metrics: Iterable[TypeMetric], type_code: str) -> Iterable[dict[str, Any]]:
    number, y = 0, 0
    for family, group in groupby(metrics, _family):
        members = list(group)
        if number + len(members) + 1 > PANELS_MAX:
            return
        number += 1
        yield {"id": number, "kind": "row", "title": family, "y": y, "w": COLUMNS, "h": 1}
        y += 1
        for index, metric in enumerate(members):
            number += 1
            place = {"x": index % 2 * _HALF, "y": y + index // 2 * _HEIGHT, "w": _HALF, "h": _HEIGHT}
            yield {"id": number, **place, **panel_of(metric, type_code)}
        y += (len(members) + 1) // 2 * _HEIGHT


def panel_of(metric: TypeMetric, type_code: str) -> dict[str, Any]:
    """Return the panel that a metric is usually looked at with."""
    whose = _whose(metric, type_code)
    # A service is told by its name, in a namespace or not: `shop/orders`.
    chosen = 'job=~"(.+/)?$item"' if type_code == "service" else 'item=~"$item"'
    selected = f"{metric.name}{{{chosen}}}"
    if metric.name.endswith("_bucket") and "le" in metric.labels:
        expr = f"histogram_quantile(0.95, sum by ({whose}, le) (rate({selected}[$__rate_interval])))"
        return {"title": metric.name.removesuffix("_bucket") + " p95", "queries": [{"expr": expr}]}
    by = ", ".join([whose, *_dimension(metric)])
    grown = metric.is_counter or metric.name.endswith(("_sum", "_count"))
    inner = f"rate({selected}[$__rate_interval])" if grown else selected
    aggregate = "sum" if grown or metric.unit == "bytes" else "avg"
    return {"title": metric.name, "queries": [{"expr": f"{aggregate} by ({by}) ({inner})"}]}


def _whose(metric: TypeMetric, type_code: str) -> str:
    """The labels that tell the items' series apart. What was sent has the labels of its sender only.

    Of a service that is `job`; of everything else `host`, or `instance` for those who scrape and write remotely, and
    the job where there are several.
    Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
    """
    if metric.is_own:
        return "item"
    if type_code == "service":
        return "job"
    place = next((name for name in ("host", "instance") if name in metric.labels), "")
    jobs = "job" if metric.labels.get("job", 0) > 1 or not place else ""
    return ", ".join(filter(None, (place, jobs)))


def _dimension(metric: TypeMetric) -> list[str]:
    """The label that tells most, of those that make lines which can be told apart."""
    fitting = {name: n for name, n in metric.labels.items() if 1 < n <= VALUES_MAX and name not in _NO_DIMENSIONS}
    return sorted(fitting, key=lambda name: (-fitting[name], name))[:1]
