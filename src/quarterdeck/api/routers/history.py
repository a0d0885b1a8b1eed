"""What changed, what happened and what sources said."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status
from pydantic import AwareDatetime, Field

from quarterdeck.api.auth import identify
from quarterdeck.api.paging import After, Limit, id_cursor, page
from quarterdeck.api.routers.items import find
from quarterdeck.api.shapes import Body, Id, Json, UrlQuery
from quarterdeck.api.shapes.items import (
    ChangePage,
    EventRow,
    MomentRow,
    ObservationRow,
    change_row,
    event_row,
    moment_row,
    observation_row,
)
from quarterdeck.core.errors import BadInput
from quarterdeck.inventory import actions, queries
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.values import moment as moment_of

router = Router()
# What one read of the timeline returns at most.
_WINDOW = 1000


class MomentPage(Schema):
    items: list[MomentRow]
    next: str | None


class ObservationPage(Schema):
    items: list[ObservationRow]


class NewEvent(Body):
    """An event for the timeline, such as a deployment."""

    kind: str = Field(min_length=1, max_length=40)
    title: str = Field(min_length=1, max_length=255)
    detail: dict[str, Json] = Field(default_factory=dict, max_length=1000)
    severity: str = Field("info", max_length=8)
    at: AwareDatetime | None = None


def _position(after: str) -> tuple[datetime | None, int]:
    """Return the time below which to read, and how many moments of that very time were shown already."""
    if not after:
        return None, 0
    text, _tilde, shown = after.partition("~")
    try:
        if not shown.isdecimal():
            raise ValueError(shown)
        return moment_of(text) + timedelta(microseconds=1), int(shown)
    except (ValueError, OverflowError, TypeError):
        raise BadInput(
            _("not a cursor of this list"), hint=_("send the `next` of the page before"), field="after"
        ) from None


def _moments(actor: Any, item: Item | None, after: str, limit: int, **where: Any) -> tuple[list[Any], str | None]:
    before, shown = _position(after)
    found = queries.moments(actor, item, before=before, limit=min(limit + shown + 1, _WINDOW), **where)[shown:]
    rows = found[:limit]
    if len(found) <= limit:
        return rows, None
    last = rows[-1].at
    same = sum(1 for row in rows if row.at == last)
    again = shown if before is not None and last == before - timedelta(microseconds=1) else 0
    return rows, f"{last.isoformat()}~{same + again}"


@router.get("/items/{int:item_id}/history", response=ChangePage)
def changes(
    request: HttpRequest, response: HttpResponse, item_id: Id, limit: Limit = 100, after: After = ""
) -> dict[str, Any]:
    """List what changed on an item, field by field, newest first."""
    actor = identify(request)
    found = queries.history(actor, find(actor, item_id), id_cursor(after), limit + 1)
    cursor = str(found[limit - 1].pk) if len(found) > limit else None
    return page(request, response, [change_row(row) for row in found[:limit]], cursor)


@router.get("/items/{int:item_id}/timeline", response=MomentPage)
def item_timeline(
    request: HttpRequest, response: HttpResponse, item_id: Id, limit: Limit = 100, after: After = ""
) -> dict[str, Any]:
    """List what happened to an item, newest first."""
    actor = identify(request)
    rows, cursor = _moments(actor, find(actor, item_id), after, limit)
    return page(request, response, [moment_row(row) for row in rows], cursor)


@router.get("/timeline", response=MomentPage)
def timeline(
    request: HttpRequest, response: HttpResponse, q: UrlQuery = "", limit: Limit = 100, after: After = ""
) -> dict[str, Any]:
    """List what happened to the items that a query selects, newest first."""
    rows, cursor = _moments(identify(request), None, after, limit, q=q)
    return page(request, response, [moment_row(row) for row in rows], cursor)


@router.post("/items/{int:item_id}/timeline", response={201: EventRow})
def add_event(request: HttpRequest, item_id: Id, body: NewEvent) -> Status[EventRow]:
    """Add an event to an item's timeline."""
    actor = identify(request)
    event = actions.add_event(
        actor,
        find(actor, item_id),
        body.kind,
        body.title,
        detail=body.detail,
        severity=body.severity,
        at=body.at,
    )
    return Status(201, event_row(event))


@router.get("/items/{int:item_id}/observations", response=ObservationPage)
def observations(request: HttpRequest, item_id: Id) -> dict[str, Any]:
    """List what each source last said of an item."""
    item = find(identify(request), item_id)
    return {"items": [observation_row(row) for row in queries.observations(item)]}
