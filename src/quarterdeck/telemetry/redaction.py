"""Secrets that are replaced before anything is stored: built-in rules and those that people add.

QUARTERDECK/telemetry/redaction.yaml    the built-in ones
"""

from __future__ import annotations

from importlib.resources import files
from typing import cast

from quarterdeck.core import yamls
from quarterdeck.telemetry.mapping import Rule
from quarterdeck.telemetry.models import RedactionRule


def built_in() -> list[dict[str, str]]:
    """Return `[{"name", "title", "pattern", "replacement"}]`. Patterns are RE2's: no look-around."""
    text = files("quarterdeck.telemetry").joinpath("redaction.yaml").read_text(encoding="utf-8")
    found = cast("list[dict[str, str]]", yamls.load(text, "redaction.yaml"))
    return [{**rule, "pattern": "".join(rule["pattern"].split("\n"))} for rule in found]


def rules() -> list[Rule]:
    """Return the rules in force, by name."""
    found = RedactionRule.objects.filter(is_enabled=True).order_by("name")
    return [Rule(rule.name, rule.pattern, rule.replacement) for rule in found]
