"""The tree that a query parses to. It knows fields by name only and no store: records and telemetry compile it alike.

Everything                          the empty query
Text("kernel panic", phrase=True)   full text
Match("env", Op.EQ, (Value,...))    one field; EQ means "any of the values"
And, Or, Not
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Op(StrEnum):
    """How a field is compared. `BETWEEN` has two values, both inclusive, and "*" leaves a side open."""

    EQ = "="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    BETWEEN = "between"
    PRESENT = "present"


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_WILD = re.compile(r"(?<!\\)(?:\\\\)*\*")


@dataclass(frozen=True, slots=True)
class Value:
    """A value as written. `*` is a wildcard unless it is quoted or escaped as `\\*`."""

    raw: str
    quoted: bool = False

    @property
    def text(self) -> str:
        """The value without its escapes."""
        return _ESCAPE.sub(r"\1", self.raw)

    @property
    def regex(self) -> str:
        """The regular expression of `/expression/`, "" for what is none."""
        is_one = not self.quoted and len(self.raw) > 2 and self.raw[0] == self.raw[-1] == "/"
        return self.raw[1:-1].replace("\\/", "/") if is_one else ""

    @property
    def is_pattern(self) -> bool:
        return not self.quoted and _WILD.search(self.raw) is not None

    @property
    def pieces(self) -> tuple[str, ...]:
        """The text between the wildcards: `web*eu` is ("web", "eu"), `*db` is ("", "db")."""
        pieces, current, characters = [], "", iter(self.raw)
        for character in characters:
            if character == "\\":
                current += next(characters, "")
            elif character == "*":
                pieces.append(current)
                current = ""
            else:
                current += character
        return (*pieces, current)


@dataclass(frozen=True, slots=True)
class Everything:
    """Matches everything: the empty query."""

    depth: int = field(default=0, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """Full text. A phrase's words stand next to each other; a bare word may be a pattern."""

    value: Value
    position: int = field(default=0, compare=False)
    depth: int = field(default=0, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Match:
    """`field` compared with `values`. Positions count characters from 0."""

    field: str
    op: Op
    values: tuple[Value, ...] = ()
    position: int = dataclasses.field(default=0, compare=False)
    depth: int = dataclasses.field(default=0, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    part: Node
    depth: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", self.part.depth + 1)


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]
    depth: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", max(part.depth for part in self.parts) + 1)


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Node, ...]
    depth: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", max(part.depth for part in self.parts) + 1)


Node = Everything | Text | Match | Not | And | Or


def leaves(node: Node) -> Iterator[Text | Match]:
    """Yield every condition of the tree, left to right."""
    if isinstance(node, And | Or):
        for part in node.parts:
            yield from leaves(part)
    elif isinstance(node, Not):
        yield from leaves(node.part)
    elif not isinstance(node, Everything):
        yield node


def mentions(node: Node, name: str) -> bool:
    """Whether the query asks about field `name` anywhere."""
    return any(isinstance(leaf, Match) and leaf.field == name for leaf in leaves(node))
