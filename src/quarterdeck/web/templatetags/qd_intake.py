"""The tabs of the intake's pages."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

from quarterdeck.access.actors import actor_of
from quarterdeck.access.checks import may

register = template.Library()


@register.inclusion_tag("web/components/tabs.html", takes_context=True)
def intake_tabs(context: template.Context) -> dict[str, Any]:
    """`{% intake_tabs %}`: protocols, targets, keys, dead letters, redaction; those that one may open."""
    request = context["request"]
    actor, path = actor_of(request), request.path
    rows = (
        (_("Protocols"), reverse("web:intake"), "antenna", "telemetry.intake", "/intake/connect/"),
        (_("Targets"), reverse("web:intake_targets"), "target-arrow", "telemetry.intake", "/intake/targets/"),
        (_("Keys"), reverse("web:intake_keys"), "key", "telemetry.keys", "/intake/keys/"),
        (_("Dead letters"), reverse("web:intake_dead"), "mail-x", "telemetry.intake", "/intake/dead/"),
        (_("Redaction"), reverse("web:intake_rules"), "eye-off", "telemetry.keys", "/intake/redaction/"),
    )
    tabs = [
        {"title": title, "url": url, "icon": icon, "current": path == url or path.startswith(below)}
        for title, url, icon, verb, below in rows
        if may(actor, verb)
    ]
    return {"tabs": tabs, "label": _("Intake")}
