"""Conditions in SQL whose values are parameters, joined by `&`, `|` and `~` as `compile_node` asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Sql:
    """A condition in the engine's SQL; `parameters` are the values of the `{name:Type}` in it. "" holds always."""

    text: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __and__(self, other: Sql) -> Sql:
        if not self.text or not other.text:
            return self if self.text else other
        return Sql(f"({self.text} AND {other.text})", {**self.parameters, **other.parameters})

    def __or__(self, other: Sql) -> Sql:
        if not self.text or not other.text:
            return Sql()
        return Sql(f"({self.text} OR {other.text})", {**self.parameters, **other.parameters})

    def __invert__(self) -> Sql:
        return Sql(f"NOT {self.text}", self.parameters) if self.text else Sql("0")

    @property
    def where(self) -> str:
        """The condition as it stands behind WHERE."""
        return self.text or "1"
