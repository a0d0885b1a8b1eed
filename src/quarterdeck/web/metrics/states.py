"""What the explorer shows: all of it stands in the address, so that an address is shared by copying it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

VIEWS: dict[str, str | Promise] = {
    "line": _("Lines"),
    "area": _("Areas"),
    "stacked": _("Stacked"),
    "table": _("Table"),
    "heat": _("Heat map"),
}
REFRESHES_SECONDS = (0, 10, 30, 60, 300)
# More boxes than this do not fit on a page, and each is a query.
QUERIES_MAX = 8


@dataclass(frozen=True, slots=True)
class State:
    """`range_code` is "" where the shell's range holds; `is_marked`: what happened to items is drawn."""

    queries: tuple[str, ...]
    view: str = "line"
    is_compared: bool = False
    refresh_seconds: int = 0
    range_code: str = ""
    is_marked: bool = True

    def parameters(self, **changes: Any) -> str:
        """Return the query string, with `changes` to the fields; what is usual is left out."""
        state = replace(self, **changes)
        pairs: list[tuple[str, object]] = [("q", query) for query in state.queries]
        pairs += [("view", state.view)] if state.view != "line" else []
        pairs += [("compare", "week")] if state.is_compared else []
        pairs += [("refresh", state.refresh_seconds)] if state.refresh_seconds else []
        pairs += [] if state.is_marked else [("marks", "off")]
        pairs += [("range", state.range_code)] if state.range_code else []
        return urlencode(pairs)

    def address(self, **changes: Any) -> str:
        return f"{reverse('web:metrics')}?{self.parameters(**changes)}"

    def changed_address(self) -> str:
        """Return the address of what changed about the queries."""
        return f"{reverse('web:metrics_changed')}?{urlencode([('q', query) for query in self.queries])}"

    def with_query(self, index: int, text: str) -> str:
        """Return the address with another query in one of the boxes."""
        return self.address(queries=self.with_text(index, text))

    def with_text(self, index: int, text: str) -> tuple[str, ...]:
        """Return the queries with another text for one of them."""
        return (*self.queries[:index], text, *self.queries[index + 1 :])

    def without_query(self, index: int) -> str:
        return self.address(queries=self.queries[:index] + self.queries[index + 1 :])


def state_of(request: HttpRequest) -> State:
    """Return the state in the address; what is not understood is as usual."""
    asked = request.GET
    queries = [text.strip() for text in asked.getlist("q")[:QUERIES_MAX]]
    view, refresh = asked.get("view", ""), asked.get("refresh", "")
    seconds = int(refresh) if refresh.isdecimal() and len(refresh) < 6 else 0
    return State(
        tuple(filter(None, queries)),
        view if view in VIEWS else "line",
        asked.get("compare") == "week",
        seconds if seconds in REFRESHES_SECONDS else 0,
        asked.get("range", "")[:8],
        # A box that is not checked sends only the hidden field before it.
        asked.getlist("marks")[-1:] != ["off"],
    )
