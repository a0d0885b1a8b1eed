"""Where what people want and what sources see differ."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.shapes import Body, Id, Json, Reason, UrlQuery, moment
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound
from quarterdeck.inventory import actions, queries
from quarterdeck.inventory.models import Drift

router = Router()


class DriftRow(TypedDict):
    """One field. `kind` is "wish" for a value set by hand, "sources" when two sources disagree."""

    id: int
    item_id: int
    item: str
    field: str
    kind: str
    desired: Json
    observed: Json
    source: str
    since: str
    acknowledged_by: str
    acknowledged_at: str | None
    note: str


class DriftPage(Schema):
    items: list[DriftRow]
    next: str | None


class Note(Body):
    """Why the difference is known and left."""

    note: Reason = ""


def _row(drift: Drift) -> DriftRow:
    return {
        "id": drift.pk,
        "item_id": drift.item_id,
        "item": drift.item.name,
        "field": drift.field,
        "kind": drift.kind,
        "desired": drift.desired,
        "observed": drift.observed,
        "source": drift.source,
        "since": moment(drift.since) or "",
        "acknowledged_by": drift.acknowledged_by,
        "acknowledged_at": moment(drift.acknowledged_at),
        "note": drift.note,
    }


def _find(actor: Actor, drift_id: int) -> Drift:
    drift: Drift | None = queries.drift(actor, acknowledged=None).filter(pk=drift_id).first()
    if drift is None:
        raise NotFound(_("there is no difference %(id)s") % {"id": drift_id}, hint=_("it may be settled by now"))
    return drift


@router.get("/drift", response=DriftPage)
def list_(
    request: HttpRequest,
    response: HttpResponse,
    q: UrlQuery = "",
    acknowledged: bool | None = False,
    limit: Limit = 100,
    after: After = "",
) -> dict[str, Any]:
    """List the differences of the items that a query selects, those that nobody acknowledged unless asked for."""
    rows, cursor = by_id(queries.drift(identify(request), q, acknowledged=acknowledged), after, limit)
    return page(request, response, [_row(row) for row in rows], cursor)


@router.post("/drift/{int:drift_id}/acknowledge", response=DriftRow)
def acknowledge(request: HttpRequest, drift_id: Id, body: Note) -> DriftRow:
    """Say that a difference is known."""
    actor = identify(request)
    return _row(actions.acknowledge_drift(actor, _find(actor, drift_id), note=body.note))


@router.post("/drift/{int:drift_id}/accept", response={204: None})
def accept(request: HttpRequest, drift_id: Id) -> None:
    """Take what the source sees as the wish."""
    actor = identify(request)
    actions.accept_drift(actor, _find(actor, drift_id))
