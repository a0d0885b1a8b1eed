"""Rules by which secrets are replaced on the way in."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Body, Line
from quarterdeck.telemetry import redaction_rules
from quarterdeck.telemetry.mapping import Rule
from quarterdeck.telemetry.models import RedactionRule

router = Router()


class RuleRow(TypedDict):
    """A rule: text that matches `pattern` (RE2) becomes `replacement`. `hits` are those of the last 24 hours."""

    name: str
    title: str
    pattern: str
    replacement: str
    enabled: bool
    builtin: bool
    hits: int | None


class RulePage(Schema):
    items: list[RuleRow]
    next: str | None


class RuleBody(Body):
    pattern: str = Field(min_length=1, max_length=1000)
    replacement: str = Field("***", max_length=200)
    title: str = Field("", max_length=120)
    enabled: bool = True


class Switch(Body):
    enabled: bool


class DraftRule(Body):
    pattern: str = Field(min_length=1, max_length=1000)
    replacement: str = Field("***", max_length=200)


class TrialBody(Body):
    """`rule` is one to try beside those in force."""

    text: str = Field(max_length=redaction_rules.TEXT_MAX_CHARACTERS)
    rule: DraftRule | None = None


class TrialAnswer(Schema):
    """The text as it would be stored, and the names of the rules that matched ("draft" is the one to try)."""

    text: str
    hits: list[str]


def _row(rule: RedactionRule, hits: int | None = None) -> RuleRow:
    return {
        "name": rule.name,
        "title": rule.title,
        "pattern": rule.pattern,
        "replacement": rule.replacement,
        "enabled": rule.is_enabled,
        "builtin": rule.builtin,
        "hits": hits,
    }


@router.get("/intake/rules", response=RulePage)
def list_(request: HttpRequest) -> dict[str, Any]:
    """List the rules of redaction with their hits."""
    found = redaction_rules.rules_with_hits(identify(request))
    return {"items": [_row(one.rule, one.hits) for one in found], "next": None}


@router.put("/intake/rules/{name}", response=RuleRow)
def set_(request: HttpRequest, name: Line, body: RuleBody) -> RuleRow:
    """Make or change a rule of one's own."""
    rule = redaction_rules.set_rule(
        identify(request),
        name,
        pattern=body.pattern,
        replacement=body.replacement,
        title=body.title,
        is_enabled=body.enabled,
    )
    return _row(rule)


@router.patch("/intake/rules/{name}", response=RuleRow)
def switch(request: HttpRequest, name: Line, body: Switch) -> RuleRow:
    """Switch a rule on or off, a built-in one too."""
    return _row(redaction_rules.switch_rule(identify(request), name, is_enabled=body.enabled))


@router.delete("/intake/rules/{name}", response={204: None})
def delete(request: HttpRequest, name: Line) -> Status[None]:
    """Delete a rule of one's own making."""
    redaction_rules.delete_rule(identify(request), name)
    return Status(204, None)


@router.post("/intake/redacted", response=TrialAnswer)
def try_(request: HttpRequest, response: HttpResponse, body: TrialBody) -> dict[str, Any]:
    """Tell what the rules would make of a text, by the engine that does it on the way in. Nothing is kept."""
    response["Cache-Control"] = "no-store"
    draft = Rule("draft", body.rule.pattern, body.rule.replacement) if body.rule else None
    found = redaction_rules.try_rules(identify(request), body.text, draft)
    return {"text": found.text, "hits": found.hits}
