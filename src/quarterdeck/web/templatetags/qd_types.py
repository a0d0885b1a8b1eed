"""How the types editor words an attribute's properties."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.inventory.catalogue import AttributeSpec, catalogue
from quarterdeck.inventory.models import Kind
from quarterdeck.web.formatting import short_number, with_unit

register = template.Library()

# Groups are names that people may invent; these are the built-in ones.
_GROUPS: dict[str, str | Promise] = {
    "compute": gettext_lazy("Compute"),
    "application": gettext_lazy("Applications"),
    "kubernetes": gettext_lazy("Kubernetes"),
    "place": gettext_lazy("Places and hardware"),
    "network": gettext_lazy("Network"),
    "storage": gettext_lazy("Storage"),
    "cloud": gettext_lazy("Cloud"),
    "organization": gettext_lazy("Organisation"),
    "other": gettext_lazy("Other"),
}


@register.filter
def group_title(group: str) -> str:
    return str(_GROUPS.get(group, group))


@register.filter
def kind_title(attribute: AttributeSpec) -> str:
    """Return "whole number", "list of IP address", "reference to Host"."""
    title = str(Kind(attribute.kind).label)
    if attribute.kind == Kind.REFERENCE and attribute.reference_type in catalogue().types:
        target = catalogue().types[attribute.reference_type].title
        title = _("reference to %(type)s") % {"type": target}
    return _("list: %(kind)s") % {"kind": title} if attribute.is_list else title


def _limits(attribute: AttributeSpec) -> str:
    low, high = attribute.minimum, attribute.maximum
    if low is not None and high is not None:
        return f"{_number(low)} – {_number(high)}"
    if low is not None:
        return f"≥ {_number(low)}"
    return f"≤ {_number(high)}" if high is not None else ""


def _number(value: float) -> str:
    return short_number(value, 3)


@register.filter
def rules(attribute: AttributeSpec) -> list[dict[str, Any]]:
    """Return what an attribute demands, as short badges: `[{"text": "required", "strong": True}]`."""
    strong = [(attribute.required, _("required")), (attribute.unique, _("unique"))]
    found = [{"text": text, "strong": True} for holds, text in strong if holds]
    weak = [
        _("indexed") if attribute.indexed and not attribute.unique else "",
        _limits(attribute),
        f"/{attribute.regex}/" if attribute.regex else "",
        ", ".join(attribute.choices[:6]) + (" …" if len(attribute.choices) > 6 else ""),
        _("default: %(value)s") % {"value": attribute.default} if attribute.default is not None else "",
        _("dead-band: %(value)s") % {"value": with_unit(attribute.deadband, attribute.unit)}
        if attribute.deadband is not None
        else "",
        "" if attribute.track_history else _("no history"),
        _("sources: %(names)s") % {"names": " > ".join(attribute.authority)} if attribute.authority else "",
    ]
    return found + [{"text": text, "strong": False} for text in weak if text]
