"""Fields of spans in the person's language."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from quarterdeck.web.templatetags.qd_items import span_kind

_FIELDS: dict[str, str | Promise] = {
    "service": _("Service"),
    "operation": _("Operation"),
    "kind": pgettext_lazy("of a span", "Kind"),
    "status": _("Status"),
    "duration": _("Duration"),
    "message": _("Message"),
    "host": _("Host"),
    "version": _("Version"),
    "env": _("Environment"),
    "peer": _("Peer"),
    "db": _("Database"),
    "protocol": _("Protocol"),
}
_STATUS: dict[str, str | Promise] = {"error": _("failed"), "ok": _("ok")}


def field_title(field: str) -> str | Promise:
    return _FIELDS.get(field, field)


def value_title(field: str, value: str) -> str | Promise:
    if field == "status":
        return _STATUS.get(value, value)
    return span_kind(value) if field == "kind" else value
