"""Columns that a list of items may show: the common ones, every attribute, every label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from quarterdeck.inventory.catalogue import AttributeSpec, TypeCatalogue
from quarterdeck.inventory.models import Item, State
from quarterdeck.web.items.titles import title_of_label

MAX_COLUMNS = 16
LABEL = "label."


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A column; `style` tells the cell's template how to show the value, `sort` is "" where it does not sort.

    `note` tells columns of one title apart, by the types that have them. `choices` are the allowed values with their
    titles, where there is a list.
    """

    code: str
    title: str | Promise
    style: str = "plain"
    sort: str = ""
    unit: str = ""
    note: str = ""
    choices: Sequence[tuple[str, str | Promise]] = ()

    def value(self, item: Item) -> Any:
        """Return what stands in the cell."""
        if self.code in _HOT:
            return getattr(item, self.code)
        if self.code.startswith(LABEL):
            return item.labels.get(self.code.removeprefix(LABEL))
        return item.attributes.get(self.code)

    @property
    def is_editable(self) -> bool:
        """True for what can be set on many items at once by a line of text."""
        return self.code not in _NOT_EDITABLE and self.style not in ("records", "usage", "labels", "label")

    @property
    def is_number(self) -> bool:
        return self.style == "number"


COMMON: tuple[ListColumn, ...] = (
    ListColumn("state", _("State"), "state", "state", choices=State.choices),
    ListColumn("type", _("Type"), "type", "type"),
    ListColumn("primary_ip", _("Address"), "mono"),
    ListColumn("env", _("Environment"), "plain", "env"),
    ListColumn("labels", _("Labels"), "labels"),
    ListColumn("usage", _("CPU and memory"), "usage"),
    ListColumn("last_seen", _("Last seen"), "time", "last_seen"),
    ListColumn("lifecycle", _("Lifecycle"), "lifecycle", "lifecycle"),
    ListColumn("owner", _("Owner"), "plain", "owner"),
    ListColumn("provider", _("Provider"), "plain"),
    ListColumn("region", _("Region"), "plain", "region"),
    ListColumn("account", _("Account"), "plain"),
    ListColumn("first_seen", _("First seen"), "time", "first_seen"),
    ListColumn("updated_at", _("Updated"), "time", "updated_at"),
)
_HOT = frozenset(column.code for column in COMMON) - {"usage"}
_NOT_EDITABLE = frozenset({"type", "lifecycle", "last_seen", "first_seen", "updated_at"})
DEFAULT = ("state", "type", "primary_ip", "env", "labels", "usage", "last_seen")


def _of_attribute(spec: AttributeSpec) -> ListColumn:
    styles = {"integer": "number", "number": "number", "datetime": "time", "ip": "mono", "mac": "mono", "cidr": "mono"}
    style = "plain" if spec.is_list else styles.get(spec.kind, "plain")
    if spec.kind == "json":
        style = "records"
    return ListColumn(spec.code, spec.title, style, unit=spec.unit, choices=[(one, one) for one in spec.choices])


def available(types: TypeCatalogue, labels: Iterable[str] = ()) -> dict[str, ListColumn]:
    """Return every column by code: the common ones, the labels, then the attributes of all types by title."""
    columns = {column.code: column for column in COMMON}
    columns |= {LABEL + name: ListColumn(LABEL + name, title_of_label(name), "label") for name in sorted(labels)}
    attributes = [_of_attribute(specs[0]) for specs in types.fields.values()]
    titles = Counter(str(column.title) for column in [*COMMON, *attributes])
    for column in sorted(attributes, key=lambda one: str(one.title).lower()):
        note = _types_with(types, column.code) if titles[str(column.title)] > 1 else ""
        columns.setdefault(column.code, replace(column, note=note))
    return columns


def labels_in(codes: Iterable[str]) -> set[str]:
    """Return the names of labels among the codes of columns."""
    return {code.removeprefix(LABEL) for code in codes if code.startswith(LABEL) and code != LABEL}


def _types_with(types: TypeCatalogue, code: str) -> str:
    """Return the titles of the types that have this attribute, at most three."""
    names = [types.types[spec.type].title for spec in types.fields[code] if spec.type in types.types]
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def chosen(codes: Iterable[str], columns: dict[str, ListColumn]) -> Sequence[ListColumn]:
    """Return the columns of `codes` that exist, in that order, at most MAX_COLUMNS; the default ones for none."""
    found = [columns[code] for code in dict.fromkeys(codes) if code in columns]
    return found[:MAX_COLUMNS] or [columns[code] for code in DEFAULT]
