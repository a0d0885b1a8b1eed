"""Conditions in the engine's SQL whose values are parameters, joined by `&`, `|` and `~` as `compile_node` asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def any_of(parts: Sequence[Sql]) -> Sql:
    """Return a condition of which one part has to hold, written flat: the engine's parser bounds the depth."""
    return _joined([part for part in parts if part is not NOTHING], " OR ", NOTHING)


def all_of(parts: Sequence[Sql]) -> Sql:
    """Return a condition of which every part has to hold, written flat."""
    return _joined([part for part in parts if part is not EVERYTHING], " AND ", EVERYTHING)


def _joined(parts: Sequence[Sql], between: str, empty: Sql) -> Sql:
    if len(parts) < 2:
        return parts[0] if parts else empty
    text = between.join(f"({part.text})" for part in parts)
    return Sql(f"({text})", {name: value for part in parts for name, value in part.parameters.items()})


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
