"""Sources and their passes over the world."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from typing_extensions import TypedDict

from quarterdeck.access.checks import require
from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Json, Line, moment
from quarterdeck.inventory import queries
from quarterdeck.inventory.actions import request_sync
from quarterdeck.inventory.models import SyncRun

router = Router()


class SyncRunRow(TypedDict):
    """One pass of a source over one scope."""

    id: int
    source: str
    scope: str
    started_at: str
    ended_at: str | None
    outcome: str
    counts: Json
    message: str


class SyncRuns(Schema):
    items: list[SyncRunRow]


def _row(run: SyncRun) -> SyncRunRow:
    return {
        "id": run.pk,
        "source": run.source,
        "scope": run.scope,
        "started_at": moment(run.started_at) or "",
        "ended_at": moment(run.ended_at),
        "outcome": run.outcome,
        "counts": run.counts,
        "message": run.message,
    }


@router.get("/sync-runs", response=SyncRuns)
def sync_runs(
    request: HttpRequest, source: Line = "", limit: Annotated[int, Query(50, ge=1, le=500)] = 50
) -> dict[str, Any]:
    """List the last passes of all sources, or of one, newest first."""
    require(identify(request), "inventory.view")
    return {"items": [_row(run) for run in queries.sync_runs(source=source, limit=limit)]}


@router.post("/sync-runs", response={202: None})
def start_sync(request: HttpRequest) -> tuple[int, None]:
    """Queue a pass over all sources now. The passes appear in the list when they begin."""
    request_sync(identify(request))
    return 202, None
