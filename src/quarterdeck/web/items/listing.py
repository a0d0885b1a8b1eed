"""A list of items as it was asked for: query, view, columns, sort, page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadQuery
from quarterdeck.inventory import queries
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Item, Lifecycle, SavedView, State
from quarterdeck.web.items.columns import ListColumn, available, chosen, labels_in
from quarterdeck.web.pages import PageRequest
from quarterdeck.web.viewing import within_selector

PAGE_ROWS = 50
MAX_QUERY = 20_000


@dataclass(slots=True)
class Listing:
    """What a page of the list shows; `error` says why there is none."""

    query: str
    sort: str
    view: SavedView | None
    columns: Sequence[ListColumn]
    items: list[Item] = field(default_factory=list)
    next_cursor: str | None = None
    error: BadQuery | None = None

    def cells(self) -> list[tuple[Item, list[tuple[ListColumn, Any]]]]:
        """Return each item with its cells in the order of the columns."""
        return [(item, [(column, column.value(item)) for column in self.columns]) for item in self.items]


def saved_view(request: PageRequest) -> SavedView | None:
    """Return the view that the address names, if the actor may use it."""
    slug = request.GET.get("view", "")
    found: SavedView | None = queries.views(request.actor).filter(slug=slug).first() if slug else None
    return found


def _column_codes(request: PageRequest, view: SavedView | None) -> list[str]:
    """The address's columns, else the view's, else those that this person chose last."""
    if "columns" in request.GET:
        codes = request.GET.getlist("columns")
        if view is None:
            request.session["item_columns"] = codes[:64]
        return codes
    return list(view.columns) if view and view.columns else list(request.session.get("item_columns", []))


def query_of(request: PageRequest, view: SavedView | None) -> str:
    return request.GET.get("q", view.query if view else "")[:MAX_QUERY]


def listing(request: PageRequest) -> Listing:
    """Read the page that `request` asks for. A query that does not compile is in `error`, never "everything"."""
    view = saved_view(request)
    codes = _column_codes(request, view)
    columns = chosen(codes, available(catalogue(), labels_in(codes)))
    found = Listing(query_of(request, view), request.GET.get("sort", view.sort if view else ""), view, columns)
    try:
        rows = queries.items(request.actor, within_selector(request, found.query), found.sort)
        found.items, found.next_cursor = queries.page(rows, request.GET.get("after", ""), PAGE_ROWS)
    except BadQuery as error:
        found.error = error
    return found


def marked(query: str, error: BadQuery) -> dict[str, str] | None:
    """Cut the query at the error's position, to underline the word that is wrong."""
    if error.position is None or not 0 <= error.position <= len(query):
        return None
    rest = query[error.position :]
    end = next((index for index, letter in enumerate(rest) if letter in " ()" and index), len(rest))
    return {"before": query[: error.position], "at": rest[:end] or "␣", "after": rest[end:]}


@dataclass(frozen=True, slots=True)
class Facet:
    """A field with how the selected items spread over its values: `[("prod", "prod", 12, address)]`."""

    title: str
    values: list[tuple[str, str, int, str]]


def narrowed(query: str, field_name: str, value: str) -> str:
    """Return `query` with one condition more."""
    shown = value if value.replace("-", "").replace("_", "").replace(".", "").isalnum() else f'"{value}"'
    return f"{query} {field_name}:{shown}".strip()


def facets(request: PageRequest, query: str) -> tuple[list[Facet], int]:
    """Return the facets of a query, and how many items it selects; fields in which all items agree are left out."""
    titles = {
        "type": _("Type"),
        "state": _("State"),
        "lifecycle": _("Lifecycle"),
        "env": _("Environment"),
        "provider": _("Provider"),
        "region": _("Region"),
    }
    found = queries.facets(request.actor, within_selector(request, query))
    result = []
    for name, rows in found.items():
        values = [
            (value, _value_title(name, value), count, _address(narrowed(query, name, value)))
            for value, count in rows
            if value
        ]
        if values and (len(values) > 1 or name in ("type", "state")):
            result.append(Facet(titles.get(name, name), values))
    return result, sum(count for _stage, count in found["lifecycle"])


def _value_title(field_name: str, value: str) -> str:
    if field_name == "type":
        spec = catalogue().types.get(value)
        return spec.title if spec else value
    names: dict[str, dict[str, Any]] = {"state": dict(State.choices), "lifecycle": dict(Lifecycle.choices)}
    return str(names.get(field_name, {}).get(value, value))


def _address(query: str) -> str:
    return f"{reverse('web:items')}?{urlencode({'q': query})}"
