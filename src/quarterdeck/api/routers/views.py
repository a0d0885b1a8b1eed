"""Saved views: queries with their columns."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.shapes import Body, Line, QueryText
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound
from quarterdeck.inventory import actions, queries
from quarterdeck.inventory.models import SavedView

router = Router()


class ViewRow(TypedDict):
    slug: str
    title: str
    query: str
    columns: list[str]
    sort: str
    owner: str
    shared: bool


class ViewPage(Schema):
    items: list[ViewRow]
    next: str | None


class ViewValues(Body):
    """A view's values; its slug stands in the address."""

    title: Line
    query: QueryText = ""
    columns: list[Line] = Field(default_factory=list, max_length=100)
    sort: Line = ""
    shared: bool = False


def _row(view: SavedView) -> ViewRow:
    return {name: getattr(view, name) for name in ViewRow.__annotations__}  # type: ignore[return-value]


def _find(actor: Actor, slug: str) -> SavedView:
    view: SavedView | None = queries.views(actor).filter(slug=slug).first()
    if view is None:
        raise NotFound(_('there is no view "%(slug)s"') % {"slug": slug})
    return view


@router.get("/views", response=ViewPage)
def list_(request: HttpRequest, response: HttpResponse, limit: Limit = 100, after: After = "") -> dict[str, Any]:
    """List one's own views and the shared ones."""
    rows, cursor = by_id(queries.views(identify(request)), after, limit)
    return page(request, response, [_row(view) for view in rows], cursor)


@router.get("/views/{slug:slug}", response=ViewRow)
def read(request: HttpRequest, slug: Line) -> ViewRow:
    """Read one view; `GET /items` with its query and sort lists its items."""
    return _row(_find(identify(request), slug))


@router.put("/views/{slug:slug}", response=ViewRow)
def put(request: HttpRequest, slug: Line, body: ViewValues) -> ViewRow:
    """Save a view, or change it."""
    return _row(actions.save_view(identify(request), **body.dict(), slug=slug))


@router.delete("/views/{slug:slug}", response={204: None})
def delete(request: HttpRequest, slug: Line) -> Status[None]:
    """Delete a view."""
    actor = identify(request)
    actions.delete_view(actor, _find(actor, slug).slug)
    return Status(204, None)
