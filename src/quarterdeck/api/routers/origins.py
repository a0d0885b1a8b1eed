"""Where an issue comes from: the commits that may have brought it, and whose it is."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.routers.error_owners import OwnersAnswer, answer_of
from quarterdeck.api.routers.release_commits import CommitRow, commit_row
from quarterdeck.api.shapes import Id
from quarterdeck.errors import origins, queries

router = Router()


class SuspectRow(TypedDict):
    """A commit of the issue's first release, and the file of an in-app frame that it touched."""

    commit: CommitRow
    path: str


class IssueOrigin(Schema):
    """The newest suspects first; `owned` is the rule that says whose the issue is."""

    suspects: list[SuspectRow]
    owned: OwnersAnswer


@router.get("/errors/issues/{int:issue_id}/origin", response=IssueOrigin)
def read(request: HttpRequest, issue_id: Id) -> dict[str, Any]:
    """Answer which commits may have brought an issue, and who owns it, by its newest event."""
    actor = identify(request)
    found = origins.origin(actor, queries.get_issue(actor, issue_id))
    return {
        "suspects": [{"commit": commit_row(one.commit), "path": one.path} for one in found.suspects],
        "owned": answer_of(found.rule),
    }
