"""Guard rules: which runs need a reason, a second person, or are refused."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Body, Id, Json, Line, QueryText, moment
from quarterdeck.jobs.guards import actions, queries
from quarterdeck.jobs.guards.models import GuardRule

router = Router()


class GuardRow(TypedDict):
    """A rule. What is empty limits nothing. `commands` are patterns of calls, one on a line: `rm -r /*`.

    `query` selects hosts of which one is enough. `windows` are lines such as `Mon-Fri 22:00-06:00` in the time zone
    `zone`; `applies` is always, inside or outside of them. `asks` is reason, approval or refusal.
    """

    id: int
    name: str
    description: str
    is_enabled: bool
    commands: str
    runners: list[str]
    query: str
    applies: str
    windows: str
    zone: str
    asks: str
    changed_at: str
    changed_by: str


class GuardRows(Schema):
    items: list[GuardRow]
    next: str | None


class GuardBody(Body):
    """A rule as it shall be, whole."""

    name: str = Field(min_length=1, max_length=100)
    description: str = Field("", max_length=500)
    is_enabled: bool = True
    commands: str = Field("", max_length=20_000)
    runners: list[Line] = Field(default_factory=list, max_length=50)
    query: QueryText = ""
    applies: Literal["always", "inside", "outside"] = "always"
    windows: str = Field("", max_length=5000)
    zone: Line = "UTC"
    asks: Literal["reason", "approval", "refusal"] = "reason"

    def rule(self) -> actions.Rule:
        return actions.Rule(**{**self.model_dump(), "runners": tuple(self.runners)})


class GuardTry(Body):
    """A run that is not begun: its work, and its hosts; without a query, rules about hosts are left out."""

    runner: Line = "ssh"
    work: dict[str, Json]
    query: QueryText = ""


class GuardMet(TypedDict):
    """A rule that the run meets, and by what: the pattern, and the hosts."""

    rule: str
    description: str
    asks: str
    why: str


class GuardsMet(Schema):
    items: list[GuardMet]
    next: str | None


def _row(rule: GuardRule) -> dict[str, Any]:
    return {
        "id": rule.pk, **actions.values_of(rule), "changed_at": moment(rule.changed_at) or "",
        "changed_by": rule.changed_by,
    }  # fmt: skip


@router.get("/guards", response=GuardRows)
def list_(request: HttpRequest) -> dict[str, Any]:
    """List the guard rules, by name."""
    return {"items": [_row(rule) for rule in queries.rules(identify(request))], "next": None}


@router.post("/guards", response={201: GuardRow})
def add(request: HttpRequest, body: GuardBody) -> Status[dict[str, Any]]:
    """Add a rule; it counts for every run from now on."""
    return Status(201, _row(actions.add_rule(identify(request), body.rule())))


@router.post("/guards/try", response=GuardsMet)
def try_(request: HttpRequest, body: GuardTry) -> dict[str, Any]:
    """Answer which rules a run would meet now, the strictest first. Nothing is begun."""
    met = queries.tried(identify(request), body.runner, body.work, body.query)
    return {
        "items": [{name: getattr(one, name) for name in GuardMet.__annotations__} for one in met], "next": None,
    }  # fmt: skip


@router.get("/guards/{int:rule_id}", response=GuardRow)
def read(request: HttpRequest, rule_id: Id) -> dict[str, Any]:
    """Read one rule."""
    return _row(queries.rule_of(identify(request), rule_id))


@router.put("/guards/{int:rule_id}", response=GuardRow)
def put(request: HttpRequest, rule_id: Id, body: GuardBody) -> dict[str, Any]:
    """Make a rule what the body says."""
    return _row(actions.change_rule(identify(request), rule_id, body.rule()))


@router.delete("/guards/{int:rule_id}", response={204: None})
def delete(request: HttpRequest, rule_id: Id) -> Status[None]:
    """Delete a rule."""
    actions.delete_rule(identify(request), rule_id)
    return Status(204, None)
