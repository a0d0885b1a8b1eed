"""Lists in pages: `{"items": [...], "next": "cursor" or null}`. A page costs the same at any depth.

The cursor is opaque; send it back as `after`. The next page is also in the Link header (RFC 8288).
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Query
from pydantic import Field

from quarterdeck.core.errors import BadInput

MAX_LIMIT = 500
Limit = Annotated[int, Query(100, ge=1, le=MAX_LIMIT, description="Rows in a page.")]
After = Annotated[str, Query("", max_length=600, description="The `next` of the page before.")]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]

M = TypeVar("M", bound=Model)


def link_next(request: HttpRequest, response: HttpResponse, cursor: str | None) -> None:
    """Name the next page in the Link header."""
    if cursor:
        query = request.GET.dict() | {"after": cursor}
        response["Link"] = f'<{request.path}?{urlencode(query)}>; rel="next"'


def id_cursor(after: str) -> int | None:
    """Return the id that a cursor holds, None for the first page. Raises BadInput."""
    if not after:
        return None
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise BadInput(_("not a cursor of this list"), hint=_("send the `next` of the page before"), field="after")
    return int(after)


def by_id(rows: QuerySet[M], after: str, limit: int, *, newest_first: bool = False) -> tuple[list[M], str | None]:
    """Return one page of `rows` ordered by id, and the cursor of the next page or None. Raises BadInput."""
    last = id_cursor(after)
    if last is not None:
        rows = rows.filter(pk__lt=last) if newest_first else rows.filter(pk__gt=last)
    found = list(rows.order_by("-pk" if newest_first else "pk")[: limit + 1])
    return found[:limit], str(found[limit - 1].pk) if len(found) > limit else None


def page(request: HttpRequest, response: HttpResponse, rows: list[Any], cursor: str | None) -> dict[str, Any]:
    """Return the body of a page, with its Link header set."""
    link_next(request, response, cursor)
    return {"items": rows, "next": cursor}
