"""Levels and fields in the person's language."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

_LEVELS: dict[str, str | Promise] = {
    "": pgettext_lazy("log level", "unknown"),
    "trace": pgettext_lazy("log level", "trace"),
    "debug": pgettext_lazy("log level", "debug"),
    "info": pgettext_lazy("log level", "info"),
    "warning": pgettext_lazy("log level", "warning"),
    "error": pgettext_lazy("log level", "error"),
    "fatal": pgettext_lazy("log level", "fatal"),
}
_FACETS: dict[str, str | Promise] = {
    "level": _("Level"),
    "service": _("Service"),
    "host": _("Host"),
    "source": _("Protocol"),
}


def level_title(level: str) -> str | Promise:
    return _LEVELS.get(level, level)


def facet_title(field: str) -> str | Promise:
    return _FACETS.get(field, field)
