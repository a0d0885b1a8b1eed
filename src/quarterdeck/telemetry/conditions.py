"""Conditions in the engine's SQL whose values are parameters, joined by `&`, `|` and `~` as `compile_node` asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Sql:
    """A condition; `parameters` are the values of the `{name:Type}` in it.

    Conditions that are joined have distinct names, see `Names`. What is joined stands in brackets, so that more may be
    written around it.
    """

    text: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __and__(self, other: Sql) -> Sql:
        if self is EVERYTHING or other is EVERYTHING:
            return other if self is EVERYTHING else self
        return Sql(f"(({self.text}) AND ({other.text}))", {**self.parameters, **other.parameters})

    def __or__(self, other: Sql) -> Sql:
        if self is NOTHING or other is NOTHING:
            return other if self is NOTHING else self
        return Sql(f"(({self.text}) OR ({other.text}))", {**self.parameters, **other.parameters})

    def __invert__(self) -> Sql:
        return Sql(f"(NOT ({self.text}))", self.parameters)


EVERYTHING, NOTHING = Sql("1"), Sql("0")


class Names:
    """Gives parameters their names, and makes conditions of templates: `{}` stands for a parameter."""

    def __init__(self, prefix: str = "q") -> None:
        self._prefix = prefix
        self._count = 0

    def sql(self, template: str, *values: tuple[str, Any]) -> Sql:
        """Return `template` with each `{}` replaced by a parameter of `(type, value)`."""
        parts = template.split("{}")
        parameters, text = {}, parts[0]
        for part, (kind, value) in zip(parts[1:], values, strict=True):
            self._count += 1
            name = f"{self._prefix}{self._count}"
            parameters[name] = value
            text += f"{{{name}:{kind}}}{part}"
        return Sql(text, parameters)
