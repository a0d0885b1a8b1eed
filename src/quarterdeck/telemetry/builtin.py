"""Data that the package brings along."""

from __future__ import annotations

from quarterdeck.telemetry.models import RedactionRule
from quarterdeck.telemetry.redaction import BUILT_IN


def load() -> None:
    """Make the built-in rules of redaction what this version says; whether one is on stays a person's choice."""
    for name, title, pattern, replacement in BUILT_IN:
        values = {"title": title, "pattern": pattern, "replacement": replacement, "builtin": True}
        RedactionRule.objects.update_or_create(name=name, defaults=values)
