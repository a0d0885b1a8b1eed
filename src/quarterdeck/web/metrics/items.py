"""Which item a series tells of, by its labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from quarterdeck.access.checks import may
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory import queries
from quarterdeck.inventory.models import Item

# `item` is ours; the others are what senders call themselves. See docs/concepts/promql.md.
_NAMING = ("item", "host_name", "host.name", "host", "nodename", "service_name", "service.name", "instance")


def named_items(actor: Actor, label_sets: Iterable[Mapping[str, str]]) -> dict[str, Item]:
    """Return `{name: item}` of the items that the labels name and the actor may see, without names that two have."""
    names = {name for labels in label_sets for name in _names(labels)}
    if not names or not may(actor, "inventory.view"):
        return {}
    found = list(queries.items(actor, "").filter(name__in=names))
    times = Counter(item.name for item in found)
    return {item.name: item for item in found if times[item.name] == 1}


def item_of(labels: Mapping[str, str], items: Mapping[str, Item]) -> Item | None:
    return next((items[name] for name in _names(labels) if name in items), None)


def _names(labels: Mapping[str, str]) -> list[str]:
    """The names that the labels give, the surest first; of `host:9100` the host."""
    values = [labels[label] for label in _NAMING if labels.get(label)]
    instance = labels.get("instance", "").rpartition(":")[0]
    return values + ([instance] if instance else [])
