"""What fields of items are called: attributes, columns, labels, relations."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.inventory.catalogue import TypeSpec, catalogue

COLUMNS = {
    "name": gettext_lazy("Name"),
    "state": gettext_lazy("State"),
    "raw_state": gettext_lazy("State as the source says it"),
    "lifecycle": gettext_lazy("Lifecycle"),
    "env": gettext_lazy("Environment"),
    "owner": gettext_lazy("Owner"),
    "primary_ip": gettext_lazy("Main address"),
    "provider": gettext_lazy("Provider"),
    "account": gettext_lazy("Account"),
    "region": gettext_lazy("Region"),
}


def title_of(spec: TypeSpec, field: str) -> str:
    """Return what people call `field`, such as "cpu_count", "label.role" or "relation.runs_on"."""
    return spec.attributes[field].title if field in spec.attributes else _common(field)


def titles_of(fields: Iterable[str]) -> list[str]:
    """Return what people call fields of items of any type."""
    known = catalogue().fields
    return [known[field][0].title if field in known else _common(field) for field in fields]


def title_of_label(name: str) -> str:
    return _("Label %(name)s") % {"name": name}


def _common(field: str) -> str:
    kind, separator, name = field.partition(".")
    if separator and kind == "label":
        return title_of_label(name)
    if separator and kind == "relation":
        return _("Relation %(name)s") % {"name": name}
    return str(COLUMNS.get(field, field))
