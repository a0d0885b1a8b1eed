"""One search over everything, and the completion of queries."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from quarterdeck.access.checks import require
from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Line, UrlQuery
from quarterdeck.api.shapes.items import ItemRow, item_row
from quarterdeck.inventory import queries

router = Router()


class Found(Schema):
    items: list[ItemRow]


class CompletionRow(Schema):
    """`text` may stand in place of the characters from `start` to `end`."""

    text: str
    start: int
    end: int
    kind: str
    hint: str


class Completions(Schema):
    items: list[CompletionRow]


@router.get("/search", response=Found, exclude_unset=True)
def search(request: HttpRequest, q: Line, limit: Annotated[int, Query(20, ge=1, le=100)] = 20) -> dict[str, Any]:
    """Find items by words of their names, addresses, labels and values; best first."""
    return {"items": [item_row(item) for item in queries.search(identify(request), q, limit)]}


@router.get("/completions", response=Completions)
def completions(
    request: HttpRequest, q: UrlQuery = "", cursor: Annotated[int | None, Query(None, ge=0, le=200_000)] = None
) -> dict[str, Any]:
    """Complete a query at the cursor (a character from 0; the end when left out): fields, then their values."""
    actor = identify(request)
    require(actor, "inventory.view")
    return {"items": [asdict(found) for found in queries.completions(actor, q, cursor)]}
