"""Rules that say whose issues are, by path, module, address or tag."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Path, Query, Router, Schema
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Body
from quarterdeck.errors import owner_actions, owning
from quarterdeck.errors.artifacts.actions import PROJECT_MAX
from quarterdeck.errors.models import Ownership

router = Router()
Project = Annotated[int, Path(ge=0, le=PROJECT_MAX)]


class OwnersRow(TypedDict):
    """A project's rules; with `assigns`, new issues are assigned to the first person among their owners."""

    project: int
    text: str
    assigns: bool


class OwnersRows(Schema):
    items: list[OwnersRow]
    next: str | None


class OwnersBody(Body):
    """Lines as `path:src/payments/* ann #payments`; without any, the rules are deleted."""

    text: str = Field(max_length=owning.TEXT_MAX)
    assigns: bool = True


class OwnersAnswer(TypedDict):
    """The rule that fits, by its line; `line` is 0 and `owners` empty where none does."""

    line: int
    rule: str
    owners: list[str]


def answer_of(rule: owning.Rule | None) -> OwnersAnswer:
    if rule is None:
        return {"line": 0, "rule": "", "owners": []}
    return {"line": rule.line, "rule": str(rule), "owners": list(rule.owners)}


def _row(one: Ownership) -> OwnersRow:
    return {"project": one.project, "text": one.text, "assigns": one.assigns}


@router.get("/errors/owners", response=OwnersRows)
def list_(request: HttpRequest) -> dict[str, Any]:
    """List the rules of every project that has some."""
    return {"items": [_row(one) for one in owner_actions.ownerships(identify(request))], "next": None}


@router.put("/errors/owners/{int:project_id}", response=OwnersRow)
def put(request: HttpRequest, project_id: Project, body: OwnersBody) -> OwnersRow:
    """Write the rules of a project; the last line that matches counts."""
    owner_actions.set_owners(identify(request), project_id, body.text, assigns=body.assigns)
    return {"project": project_id, "text": body.text, "assigns": body.assigns}


@router.get("/errors/owners/{int:project_id}/try", response=OwnersAnswer)
def try_(
    request: HttpRequest, project_id: Project, q: Annotated[str, Query(min_length=1, max_length=2000)]
) -> OwnersAnswer:
    """Answer which rule fits an event that has `q=path:src/payments/refund.py tags.region:eu`."""
    return answer_of(owner_actions.tried(identify(request), project_id, q))
