"""Conditions on the table of events, with their values as parameters; what one question may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from quarterdeck.telemetry import client

SECONDS_MAX = 10


@dataclass(frozen=True, slots=True)
class Sql:
    """A condition with its parameters; fragments that are joined have distinct names, see `Names`."""

    text: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __and__(self, other: Sql) -> Sql:
        return Sql(f"({self.text}) AND ({other.text})", {**self.parameters, **other.parameters})

    def __or__(self, other: Sql) -> Sql:
        return Sql(f"({self.text}) OR ({other.text})", {**self.parameters, **other.parameters})

    def __invert__(self) -> Sql:
        return Sql(f"NOT ({self.text})", self.parameters)


EVERYTHING, NOTHING = Sql("1"), Sql("0")


class Names:
    """Gives parameters their names: `{}` in a template stands for one."""

    def __init__(self, prefix: str = "e") -> None:
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


def ask(sql: str, where: Sql, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Return the rows of `sql`, in which `{where}` stands for the condition. Raises TooHeavy, Unavailable."""
    memory = int(settings.QD["engine_memory_mb"]) << 20
    options = {"max_execution_time": SECONDS_MAX, "max_memory_usage": max(96 << 20, memory // 4)}
    text = sql.replace("{where}", where.text)
    return client.query(text, {**where.parameters, **(parameters or {})}, options=options)
