"""Columns that a list of items may show: the common ones and every attribute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from quarterdeck.inventory.catalogue import AttributeSpec, TypeCatalogue
from quarterdeck.inventory.models import Item

MAX_COLUMNS = 16


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A column; `style` tells the cell's template how to show the value, `sort` is "" where it does not sort."""

    code: str
    title: str | Promise
    style: str = "plain"
    sort: str = ""
    unit: str = ""

    def value(self, item: Item) -> Any:
        """Return what stands in the cell."""
        if self.code in _HOT:
            return getattr(item, self.code)
        return item.attributes.get(self.code)

    @property
    def is_editable(self) -> bool:
        """True for what can be set on many items at once by a line of text."""
        return self.code not in _NOT_EDITABLE and self.style not in ("records", "usage", "labels")

    @property
    def is_number(self) -> bool:
        return self.style == "number"


COMMON: tuple[ListColumn, ...] = (
    ListColumn("state", _("State"), "state", "state"),
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
    return ListColumn(spec.code, spec.title, style, unit=spec.unit)


def available(types: TypeCatalogue) -> dict[str, ListColumn]:
    """Return every column by code: the common ones, then the attributes of all types by title."""
    columns = {column.code: column for column in COMMON}
    attributes = [_of_attribute(specs[0]) for specs in types.fields.values()]
    for column in sorted(attributes, key=lambda one: str(one.title).lower()):
        columns.setdefault(column.code, column)
    return columns


def chosen(codes: Iterable[str], columns: dict[str, ListColumn]) -> Sequence[ListColumn]:
    """Return the columns of `codes` that exist, in that order, at most MAX_COLUMNS; the default ones for none."""
    found = [columns[code] for code in dict.fromkeys(codes) if code in columns]
    return found[:MAX_COLUMNS] or [columns[code] for code in DEFAULT]
