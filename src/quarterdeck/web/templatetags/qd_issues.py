"""Tags of the pages of issues and releases."""

from __future__ import annotations

import math

from django import template

from quarterdeck.web.formatting import NOTHING

register = template.Library()


@register.filter
def share(ratio: float | None) -> str:
    """`{{ release.crash_free_sessions|share }}`: "99.98 %"; rounded down, as 100 % must mean that nothing crashed."""
    return NOTHING if ratio is None else f"{math.floor(ratio * 10_000) / 100:g} %"
