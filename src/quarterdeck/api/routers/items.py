"""Items: list, read, create, change, trash."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router, Status

from quarterdeck.api.auth import identify
from quarterdeck.api.description import conditional
from quarterdeck.api.etags import is_known, required_version, tag
from quarterdeck.api.paging import MAX_LIMIT, After, Limit, page
from quarterdeck.api.shapes import Changed, Id, Line, Reason, UrlQuery
from quarterdeck.api.shapes.items import (
    BulkChange,
    ItemPage,
    ItemRow,
    ItemValues,
    NewItem,
    Selection,
    chosen_fields,
    item_row,
    relation_row,
)
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import Stale
from quarterdeck.inventory import actions, queries
from quarterdeck.inventory.models import Item

router = Router()


def find(actor: Actor, item_id: int) -> Item:
    """Return the item when `actor` may see it. Raises NotFound: what one may not see does not exist."""
    return queries.get_item(actor, item_id)


def _changed(done: actions.Bulk) -> Changed:
    return Changed(changed=done.count, change_set=done.change_set_id)


def _answer(response: HttpResponse, item: Item) -> ItemRow:
    response["ETag"] = tag(item.version)
    return item_row(item)


@router.get("/items", response=ItemPage, exclude_unset=True)
def list_(
    request: HttpRequest,
    response: HttpResponse,
    q: UrlQuery = "",
    sort: Line = "",
    fields: Line = "",
    limit: Limit = 100,
    after: After = "",
) -> dict[str, Any]:
    """List the items that a query selects, in pages. `fields=name,state` answers those parts only."""
    parts = chosen_fields(fields)
    rows, cursor = queries.page(queries.items(identify(request), q, sort), after, limit)
    return page(request, response, [item_row(item, parts) for item in rows], cursor)


@router.post("/items", response={201: ItemRow})
def create(request: HttpRequest, response: HttpResponse, body: NewItem) -> Status[ItemRow]:
    """Create an item."""
    item = actions.create_item(identify(request), body.type, body.name, body.changes(), reason=body.reason)
    response["Location"] = f"/api/v1/items/{item.pk}"
    return Status(201, _answer(response, item))


@router.post("/items/bulk", response=Changed)
def bulk(request: HttpRequest, body: BulkChange) -> Changed:
    """Set the same values on many items, by ids or by a query; all of them or none."""
    return _changed(actions.bulk_update(identify(request), body.chosen(), body.changes(), reason=body.reason))


@router.post("/items/trash", response=Changed)
def trash(request: HttpRequest, body: Selection) -> Changed:
    """Put items in the trash."""
    return _changed(actions.trash(identify(request), body.chosen(), reason=body.reason))


@router.post("/items/restore", response=Changed)
def restore(request: HttpRequest, body: Selection) -> Changed:
    """Take items out of the trash."""
    return _changed(actions.restore(identify(request), body.chosen(), reason=body.reason))


@router.get("/items/{int:item_id}", response={200: ItemRow, 304: None}, exclude_unset=True)
def read(request: HttpRequest, response: HttpResponse, item_id: Id, relations: bool = False) -> Any:
    """Read one item. Its version is the ETag; `If-None-Match` answers 304 when it has not changed."""
    actor = identify(request)
    item = find(actor, item_id)
    row = _answer(response, item)
    if relations:
        row["relations"] = [relation_row(relation) for relation in queries.relations(actor, item)[:MAX_LIMIT]]
    elif is_known(request, item.version):
        return Status(304, None)
    return row


@router.patch("/items/{int:item_id}", response={200: ItemRow}, openapi_extra=conditional())
def change(request: HttpRequest, response: HttpResponse, item_id: Id, body: ItemValues) -> ItemRow:
    """Change the values that are given; `If-Match` makes it conditional on the item's version (412)."""
    actor, version = identify(request), required_version(request)
    item = actions.update_item(actor, find(actor, item_id), body.changes(), if_version=version, reason=body.reason)
    return _answer(response, item)


@router.post("/items/purge", response=Changed)
def purge(request: HttpRequest, body: Selection) -> Changed:
    """Delete items that are in the trash for ever, with their history."""
    return Changed(changed=actions.purge(identify(request), body.chosen(), reason=body.reason))


@router.delete("/items/{int:item_id}", response={204: None}, openapi_extra=conditional())
def delete(request: HttpRequest, item_id: Id, reason: Reason = "") -> Status[None]:
    """Put one item in the trash; `If-Match` as for a change."""
    actor, version = identify(request), required_version(request)
    with transaction.atomic():
        item = find(actor, item_id)
        if version is not None and not Item.objects.select_for_update().filter(pk=item.pk, version=version).exists():
            raise Stale(_("the item has version %(found)d") % {"found": item.version}, hint=_("read the item again"))
        actions.trash(actor, [item.pk], reason=reason)
    return Status(204, None)
