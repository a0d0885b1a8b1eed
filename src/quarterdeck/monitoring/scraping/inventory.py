"""Targets that the inventory names: items with the labels that Prometheus' users know from Kubernetes' annotations.

prometheus.io/scrape  "true"
prometheus.io/port    the port; 9100, the node exporter's, for a host without
prometheus.io/path    /metrics without
prometheus.io/scheme  http without
prometheus.io/job     the label `job` of its samples; the item's type without

An item is asked at its primary address; its samples carry its name as the label `item`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quarterdeck.inventory.models import Item, ItemIndex, Lifecycle
from quarterdeck.monitoring.scraping.job import Group, Job
from quarterdeck.monitoring.scraping.targets import ITEM

_PREFIX = "prometheus.io/"
_NODE_EXPORTER = "9100"
_NOT_RUNNING = ("stopped", "suspended", "terminated")
NAME = "inventory"


def job(interval_seconds: float, groups: tuple[Group, ...] = ()) -> Job:
    """The job of all items that ask to be scraped."""
    return Job(NAME, interval_seconds=interval_seconds, timeout_seconds=min(10.0, interval_seconds), groups=groups)


def groups() -> Iterator[Group]:
    """Yield a group for each active item that asks to be scraped and has an address."""
    wanted = ItemIndex.objects.filter(field=f"label.{_PREFIX}scrape", text="true").values("item_id")
    items = Item.objects.filter(pk__in=wanted, lifecycle=Lifecycle.ACTIVE, primary_ip__isnull=False)
    rows = items.exclude(state__in=_NOT_RUNNING).values_list("pk", "name", "primary_ip", "type__code", "env", "labels")
    for pk, name, address, kind, env, labels in rows.order_by("pk"):
        group = _group(str(pk), name, str(address), kind, env, labels)
        if group is not None:
            yield group


def _group(pk: str, name: str, address: str, kind: str, env: str, labels: Mapping[str, object]) -> Group | None:
    said = {label.removeprefix(_PREFIX): str(value) for label, value in labels.items() if label.startswith(_PREFIX)}
    port = said.get("port", _NODE_EXPORTER if kind == "host" else "")
    scheme, path = said.get("scheme", "http"), said.get("path", "/metrics")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536) or scheme not in ("http", "https"):
        return None
    host = f"[{address}]" if ":" in address else address
    found = {
        "job": said.get("job", kind),
        "item": name,
        "env": env,
        "__scheme__": scheme,
        "__metrics_path__": path if path.startswith("/") else f"/{path}",
        ITEM: pk,
    }
    return Group((f"{host}:{port}",), found)
