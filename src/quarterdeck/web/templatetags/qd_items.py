"""Tags of the pages of items."""

from __future__ import annotations

from collections.abc import Iterable

from django import template

from quarterdeck.web.items.titles import titles_of

register = template.Library()
SHOWN = 6


@register.filter
def field_titles(fields: Iterable[str]) -> str:
    """`{{ moment.detail.fields|field_titles }}`: "Memory, Owner", at most six."""
    titles = titles_of(fields)
    return ", ".join(titles[:SHOWN]) + (" …" if len(titles) > SHOWN else "")
