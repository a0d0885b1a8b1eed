"""Change sets: all that one call changed, and undoing it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.paging import After, Limit, by_id, id_cursor, page
from quarterdeck.api.shapes import Body, Id, Reason, moment
from quarterdeck.api.shapes.items import ChangePage, change_row
from quarterdeck.inventory import actions, queries
from quarterdeck.inventory.models import ChangeSet

router = Router()


class ChangeSetRow(TypedDict):
    """What one call changed, by whom and why. `reverts` is the change set that it took back."""

    id: int
    at: str
    actor: str
    source: str
    reason: str
    request_id: str
    reverts: int | None


class ChangeSetDetail(ChangeSetRow):
    """`fields` tells of how many items each field changed, `made` how many items are new. `reverted_by` is the latest
    change set that took this one back."""

    items: int
    made: int
    fields: dict[str, int]
    is_revertible: bool
    reverted_by: int | None


class ChangeSetPage(Schema):
    items: list[ChangeSetRow]
    next: str | None


class Undo(Body):
    """With `untouched_only`, items that changed since stay as they are; without, such items are a conflict (409)."""

    untouched_only: bool = False
    reason: Reason = ""


class Undone(Schema):
    """How many items were put back, the ids of those left alone, and the change set that did it."""

    changed: int
    kept: list[int]
    change_set: int | None


def _row(found: ChangeSet) -> ChangeSetRow:
    return {
        "id": found.pk,
        "at": moment(found.at) or "",
        "actor": found.actor,
        "source": found.source,
        "reason": found.reason,
        "request_id": found.request_id,
        "reverts": found.reverts_id,
    }


@router.get("/changes", response=ChangeSetPage)
def list_(
    request: HttpRequest, response: HttpResponse, by_people: bool = False, limit: Limit = 100, after: After = ""
) -> dict[str, Any]:
    """List change sets, newest first; `by_people` leaves out what sources observed."""
    rows, cursor = by_id(queries.change_sets(identify(request), by_people=by_people), after, limit, newest_first=True)
    return page(request, response, [_row(row) for row in rows], cursor)


@router.get("/changes/{int:change_set_id}", response=ChangeSetDetail)
def read(request: HttpRequest, change_set_id: Id) -> ChangeSetDetail:
    """Tell what a change set did and whether it can be undone."""
    actor = identify(request)
    found = queries.change_set(actor, change_set_id)
    touched = queries.touched(actor, found)
    return {
        **_row(found),
        "items": touched.items,
        "made": touched.made,
        "fields": touched.fields,
        "is_revertible": touched.is_revertible,
        "reverted_by": touched.reverted_by,
    }


@router.get("/changes/{int:change_set_id}/fields", response=ChangePage)
def fields(
    request: HttpRequest, response: HttpResponse, change_set_id: Id, limit: Limit = 100, after: After = ""
) -> dict[str, Any]:
    """List what a change set changed, field by field."""
    actor = identify(request)
    found = queries.changes_of(actor, queries.change_set(actor, change_set_id), id_cursor(after), limit + 1)
    cursor = str(found[limit - 1].pk) if len(found) > limit else None
    return page(request, response, [change_row(row) for row in found[:limit]], cursor)


@router.post("/changes/{int:change_set_id}/undo", response=Undone)
def undo(request: HttpRequest, change_set_id: Id, body: Undo) -> Undone:
    """Put back what a change set of people replaced; items that it made go into the trash."""
    done = actions.revert(identify(request), change_set_id, untouched_only=body.untouched_only, reason=body.reason)
    return Undone(changed=done.count, kept=done.kept, change_set=done.change_set_id)
