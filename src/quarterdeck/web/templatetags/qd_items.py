"""Tags of the pages of items."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from quarterdeck.web.formatting import short_number, visible
from quarterdeck.web.items.titles import titles_of
from quarterdeck.web.logs import titles

register = template.Library()
SHOWN = 6
_LEVEL_TONES = {"fatal": "bad", "error": "bad", "warning": "warn", "info": "info"}
_SPAN_KINDS = {
    "internal": _("internal"),
    "server": _("answers"),
    "client": _("calls"),
    "producer": _("sends"),
    "consumer": _("receives"),
}
_SENDER_KINDS = {
    "host": _("Host"),
    "container": _("Container"),
    "instance": _("Instance"),
    "service": _("Service"),
}


@register.filter
def field_titles(fields: Iterable[str]) -> str:
    """`{{ moment.detail.fields|field_titles }}`: "Memory, Owner", at most six."""
    titles = titles_of(fields)
    return ", ".join(titles[:SHOWN]) + (" …" if len(titles) > SHOWN else "")


@register.filter
def level_tone(level: str) -> str:
    """`{{ line.level|level_tone }}`: the tone of a badge for a log level, "" for a usual one."""
    return _LEVEL_TONES.get(level, "")


@register.filter
def level_title(level: str) -> str:
    """`{{ line.level|level_title }}`: a log level in the person's language; one that nobody knows as it was sent."""
    return visible(str(titles.level_title(level))) if level else ""


@register.filter
def span_kind(kind: str) -> str | Promise:
    """`{{ span.kind|span_kind }}`: what a span does, in words."""
    return _SPAN_KINDS.get(kind, kind)


@register.filter
def sender_kind(kind: str) -> str | Promise:
    """`{{ sender.kind|sender_kind }}`: what a sender says that it is."""
    return _SENDER_KINDS.get(kind, kind)


@register.filter
def rate(count: int, seconds: int) -> str:
    """`{{ red.count|rate:3600 }}`: so many in so many seconds, as "0.4/s"; below one in ten seconds "2/min"."""
    per_second = count / seconds
    if not count or per_second >= 0.1:
        return f"{short_number(per_second, 1)}/s"
    return f"{short_number(per_second * 60, 2)}/{_('min')}"
