"""The tabs of the settings pages."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

register = template.Library()


@register.inclusion_tag("web/components/tabs.html", takes_context=True)
def settings_tabs(context: template.Context) -> dict[str, Any]:
    """`{% settings_tabs %}`: values, system, sources."""
    path = context["request"].path
    rows = (
        (_("Settings"), reverse("web:settings"), "adjustments"),
        (_("System"), reverse("web:system"), "activity"),
        (_("Sources"), reverse("web:sources"), "plug-connected"),
    )
    tabs = [{"title": title, "url": url, "icon": icon, "current": path == url} for title, url, icon in rows]
    return {"tabs": tabs, "label": _("Settings")}
