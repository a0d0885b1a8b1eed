"""What a person looks at, on every page: the selector (a query) and the time range; kept in their session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from quarterdeck.core.clock import now


@dataclass(frozen=True, slots=True)
class Range:
    """A time range that ends now."""

    code: str
    title: str | Promise
    seconds: int

    @property
    def since(self) -> datetime:
        return now() - timedelta(seconds=self.seconds)


RANGES: dict[str, Range] = {
    entry.code: entry
    for entry in (
        Range("15m", _("Last 15 minutes"), 900),
        Range("1h", _("Last hour"), 3600),
        Range("6h", _("Last 6 hours"), 6 * 3600),
        Range("24h", _("Last 24 hours"), 86400),
        Range("7d", _("Last 7 days"), 7 * 86400),
        Range("15d", _("Last 15 days"), 15 * 86400),
    )
}
DEFAULT_RANGE = "1h"


def range_of(request: HttpRequest) -> Range:
    """Return the range in the address (`?range=6h`), else the session's, else the last hour."""
    asked = request.GET.get("range") or request.session.get("range", "")
    return RANGES.get(asked, RANGES[DEFAULT_RANGE])


def window_of(request: HttpRequest) -> tuple[int, int] | None:
    """Return `?since=` and `?until=` of the address, Unix time in ms; None for what is no window."""
    texts = request.GET.get("since", ""), request.GET.get("until", "")
    if not all(text.isascii() and text.isdigit() and len(text) < 14 for text in texts):
        return None
    since, until = map(int, texts)
    return (since, until) if since < until < 4_294_967_295_000 else None


def selector_of(request: HttpRequest) -> str:
    """Return the query that limits every page, "" for everything."""
    return str(request.session.get("selector", ""))


def within_selector(request: HttpRequest, query: str) -> str:
    """Return `query` and the selector, as one query."""
    parts = [part for part in (selector_of(request).strip(), query.strip()) if part]
    return parts[0] if len(parts) == 1 else " ".join(f"({part})" for part in parts)
