"""Rules by which groups of error events become one issue."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Body, Line
from quarterdeck.errors import rule_actions
from quarterdeck.errors.models import FingerprintRule

router = Router()


class GroupingRule(TypedDict):
    """New groups that `query` selects are one issue for each value of `fingerprint`. Asked by rising `position`."""

    name: str
    query: str
    fingerprint: str
    position: int
    enabled: bool


class GroupingRules(Schema):
    items: list[GroupingRule]
    next: str | None


class GroupingRuleBody(Body):
    """`fingerprint` has parts with commas between; `{{ service }}`, `{{ tags.x }}` stand for values."""

    query: str = Field(min_length=1, max_length=2000)
    fingerprint: str = Field(min_length=1, max_length=1000)
    position: int = Field(0, ge=-1_000_000, le=1_000_000)
    enabled: bool = True


def _row(rule: FingerprintRule) -> GroupingRule:
    return {
        "name": rule.name,
        "query": rule.query,
        "fingerprint": rule.fingerprint,
        "position": rule.position,
        "enabled": rule.is_enabled,
    }


@router.get("/errors/rules", response=GroupingRules)
def list_(request: HttpRequest) -> dict[str, Any]:
    """List the rules of grouping in the order in which they are asked."""
    return {"items": [_row(rule) for rule in rule_actions.rules(identify(request))], "next": None}


@router.put("/errors/rules/{name}", response=GroupingRule)
def put(request: HttpRequest, name: Line, body: GroupingRuleBody) -> GroupingRule:
    """Make or change a rule: `type:TimeoutError` with the fingerprint `timeout, {{ service }}`."""
    rule = rule_actions.set_rule(
        identify(request), name, body.query, body.fingerprint, position=body.position, is_enabled=body.enabled
    )
    return _row(rule)


@router.delete("/errors/rules/{name}", response={204: None})
def delete(request: HttpRequest, name: Line) -> Status[None]:
    """Delete a rule. Issues stay as they are."""
    rule_actions.delete_rule(identify(request), name)
    return Status(204, None)
