"""The tabs of the pages about oneself, some of which are django-allauth's views."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from quarterdeck.access import links

register = template.Library()


@register.simple_tag
def needs_setup() -> bool:
    """`{% needs_setup as is_fresh %}`: whether nobody has an account yet."""
    return links.needs_setup()


@register.inclusion_tag("web/components/tabs.html", takes_context=True)
def account_tabs(context: template.Context) -> dict[str, Any]:
    """`{% account_tabs %}`: profile, password, second factor, sessions, tokens, and identity providers if set."""
    path = context["request"].path
    profile = reverse("web:profile")
    rows = [
        (_("Profile"), profile, "user"),
        (_("Password"), reverse("account_change_password"), "lock"),
        (_("Second factor"), reverse("mfa_index"), "shield-lock"),
        (_("Sessions"), reverse("usersessions_list"), "devices"),
        (_("Tokens"), reverse("web:my_tokens"), "key"),
    ]
    if settings.QD["oidc_issuer"]:
        rows.append((_("Identity providers"), reverse("socialaccount_connections"), "id"))
    tabs = [
        {"title": title, "url": url, "icon": icon, "current": path == url or (url != profile and path.startswith(url))}
        for title, url, icon in rows
    ]
    return {"tabs": tabs, "label": _("My account")}
