"""The tabs of the access pages."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

register = template.Library()


@register.inclusion_tag("web/components/tabs.html", takes_context=True)
def access_tabs(context: template.Context) -> dict[str, Any]:
    """`{% access_tabs %}`: users, groups, roles, tokens."""
    path = context["request"].path
    rows = (
        (_("Users"), reverse("web:users"), "/access/users", "users"),
        (_("Groups"), reverse("web:groups"), "/access/groups", "users-group"),
        (_("Roles"), reverse("web:roles"), "/access/roles", "shield-lock"),
        (_("Tokens"), reverse("web:tokens"), "/access/tokens", "key"),
    )
    tabs = [
        {"title": title, "url": url, "icon": icon, "current": path == url or path.startswith(f"{below}/")}
        for title, url, below, icon in rows
    ]
    return {"tabs": tabs, "label": _("Access")}
