"""What the address of a page of logs asks for: query, time, columns, parser. A page is shared by its address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from quarterdeck.core.clock import now
from quarterdeck.logs.queries import Search
from quarterdeck.web.pages import PageRequest
from quarterdeck.web.viewing import range_of, selector_of, window_of

MAX_QUERY = 20_000
COLUMNS_MAX = 30
USUAL_COLUMNS = ("level", "service", "host")


@dataclass(frozen=True, slots=True)
class Asked:
    """The search, and how its lines are shown. `window` is (since, until) in ms, None for the page's range."""

    search: Search
    columns: tuple[str, ...]
    window: tuple[int, int] | None

    @property
    def title(self) -> str:
        """The chosen window in words, "" when the page's range holds."""
        if self.window is None:
            return ""
        since, until = (datetime.fromtimestamp(ms / 1000, UTC) for ms in self.window)
        style = "Y-m-d H:i:s"
        return _("%(since)s to %(until)s UTC") % {
            "since": date_format(since, style),
            "until": date_format(until, style),
        }

    def address(self, **changes: str | None) -> str:
        """Return the address's query with `changes`; None takes one away."""
        known: dict[str, str | None] = {
            "q": self.search.query,
            "parse": self.search.parse,
            "since": str(self.window[0]) if self.window else "",
            "until": str(self.window[1]) if self.window else "",
            "columns": ",".join(self.columns) if self.columns != USUAL_COLUMNS else "",
        }
        return urlencode({name: value for name, value in {**known, **changes}.items() if value})

    def narrowed(self, field: str, value: str, *, out: bool = False) -> str:
        """Return the address with one more condition."""
        term = f"{'-' if out else ''}{field}:{quoted(value)}"
        query = self.search.query.strip()
        parts = query if not query or " OR " not in query else f"({query})"
        return self.address(q=f"{parts} {term}".strip())


def quoted(value: str) -> str:
    """Return a value as the query language takes it, always in quotes: nothing in it is special then."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def asked(request: PageRequest) -> Asked:
    """Read the address. A window that is none is left out, as is a column that cannot be one."""
    window = window_of(request)
    if window:
        since, until = (datetime.fromtimestamp(ms / 1000, UTC) for ms in window)
    else:
        since, until = range_of(request).since, now()
    columns = tuple(name.strip() for name in request.GET.get("columns", "").split(",") if name.strip())[:COLUMNS_MAX]
    search = Search(
        request.GET.get("q", "")[:MAX_QUERY], since, until, selector_of(request), request.GET.get("parse", "")[:1000]
    )
    return Asked(search, columns or USUAL_COLUMNS, window)
