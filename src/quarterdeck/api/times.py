"""Times in addresses: "6h" for six hours ago, or ISO 8601."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput

_RELATIVE = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def at_time(text: str, field: str, at: datetime) -> datetime:
    """Return the time that "6h" (before `at`) or "2026-05-01T12:00:00Z" means. Raises BadInput."""
    relative = _RELATIVE.fullmatch(text.lstrip("-"))
    try:
        found = at - timedelta(seconds=int(relative[1]) * _SECONDS[relative[2]]) if relative else parse_datetime(text)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise BadInput(
            _('"%(text)s" is no time') % {"text": text[:60]}, hint=_("write 30m, 6h, 7d or ISO 8601"), field=field
        )
    return found if found.tzinfo else found.replace(tzinfo=at.tzinfo)
