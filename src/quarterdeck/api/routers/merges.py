"""Two records of one thing: proposals, merges and their undoing, splits."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.routers.items import find
from quarterdeck.api.shapes import Body, Id, Json, Reason, moment
from quarterdeck.api.shapes.items import ItemRow, item_row
from quarterdeck.core.errors import NotFound
from quarterdeck.inventory import actions, queries
from quarterdeck.inventory.models import Merge, MergeProposal

router = Router()


class ProposalRow(TypedDict):
    """Two items that may be one; `evidence` is what they share."""

    id: int
    first: ItemRow
    second: ItemRow
    evidence: Json
    decision: str
    created_at: str


class ProposalPage(Schema):
    items: list[ProposalRow]
    next: str | None


class MergeRow(TypedDict):
    """A merge that was done; it can be undone."""

    id: int
    kept: int
    other: int
    at: str
    undone_at: str | None


class Decision(Body):
    """Merge the two (into `keep`, else into the first), or say that they are not one."""

    accept: bool
    keep: Id | None = None
    reason: Reason = ""


class NewMerge(Body):
    """Merge `other` into `keep`."""

    keep: Id
    other: Id
    reason: Reason = ""


class Why(Body):
    reason: Reason = ""


class Split(Body):
    """Observations that belong to another thing."""

    observations: list[Id] = Field(min_length=1, max_length=1000)
    reason: Reason = ""


def _proposal(row: MergeProposal) -> ProposalRow:
    return {
        "id": row.pk,
        "first": item_row(row.first),
        "second": item_row(row.second),
        "evidence": row.evidence,
        "decision": row.decision,
        "created_at": moment(row.created_at) or "",
    }


def _merge(row: Merge) -> MergeRow:
    return {
        "id": row.pk,
        "kept": row.kept_id,
        "other": row.other_id,
        "at": moment(row.at) or "",
        "undone_at": moment(row.undone_at),
    }


@router.get("/merges/proposals", response=ProposalPage)
def proposals(request: HttpRequest, response: HttpResponse, limit: Limit = 100, after: After = "") -> dict[str, Any]:
    """List pairs of items that may be one and wait for a decision."""
    rows, cursor = by_id(queries.proposals(identify(request)), after, limit)
    return page(request, response, [_proposal(row) for row in rows], cursor)


@router.post("/merges/proposals/{int:proposal_id}/decision", response={200: MergeRow, 204: None})
def decide(request: HttpRequest, proposal_id: Id, body: Decision) -> Any:
    """Decide a proposal: 200 with the merge, 204 when the two stay apart."""
    actor = identify(request)
    proposal = queries.proposals(actor).filter(pk=proposal_id).first()
    if proposal is None:
        raise NotFound(_("there is no open proposal %(id)s") % {"id": proposal_id}, hint=_("it may be decided by now"))
    keep = find(actor, body.keep) if body.keep else None
    merged = actions.decide(actor, proposal, body.accept, keep=keep, reason=body.reason)
    return Status(200, _merge(merged)) if merged else Status(204, None)


@router.post("/merges", response={201: MergeRow})
def create(request: HttpRequest, body: NewMerge) -> Status[MergeRow]:
    """Merge two items into one; nothing is lost, so that it can be undone."""
    actor = identify(request)
    merged = actions.merge(actor, find(actor, body.keep), find(actor, body.other), reason=body.reason)
    return Status(201, _merge(merged))


@router.post("/merges/{int:merge_id}/undo", response=ItemRow)
def undo(request: HttpRequest, merge_id: Id, body: Why) -> ItemRow:
    """Undo a merge; answers the item that is there again."""
    actor = identify(request)
    merged = Merge.objects.filter(pk=merge_id).first()
    if merged is None:
        raise NotFound(_("there is no merge %(id)s") % {"id": merge_id})
    find(actor, merged.kept_id)
    return item_row(actions.unmerge(actor, merged, reason=body.reason))


@router.post("/items/{int:item_id}/split", response={201: ItemRow})
def split(request: HttpRequest, item_id: Id, body: Split) -> Status[ItemRow]:
    """Take observations out of an item that mixes two things; answers the new item."""
    actor = identify(request)
    made = actions.split(actor, find(actor, item_id), body.observations, reason=body.reason)
    return Status(201, item_row(made))
