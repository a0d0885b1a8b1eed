"""What fields of items are called: attributes, columns, labels, relations."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.inventory.catalogue import TypeSpec

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
    if field in spec.attributes:
        return spec.attributes[field].title
    kind, separator, name = field.partition(".")
    if separator and kind in ("label", "relation"):
        return (_("Label %(name)s") if kind == "label" else _("Relation %(name)s")) % {"name": name}
    return str(COLUMNS.get(field, field))
