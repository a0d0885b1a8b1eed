"""Tree to conditions. The algebra is any type with `&`, `|` and `~`: Django's Q for records, SQL for telemetry."""

from __future__ import annotations

from functools import reduce
from typing import Protocol, Self, TypeVar

from django.db.models import Q

from quarterdeck.core.query.nodes import And, Everything, Match, Node, Not, Text


class Condition(Protocol):
    """What can be joined: `Q`, or a fragment of SQL with its parameters."""

    def __and__(self, other: Self, /) -> Self: ...
    def __or__(self, other: Self, /) -> Self: ...
    def __invert__(self) -> Self: ...


C = TypeVar("C", bound=Condition)
C_co = TypeVar("C_co", bound=Condition, covariant=True)


class Fields(Protocol[C_co]):
    """What a store knows of fields. An unknown field is BadQuery with the near name: never "everything"."""

    def everything(self) -> C_co: ...
    def match(self, match: Match) -> C_co: ...
    def text(self, text: Text) -> C_co: ...


def compile_node(node: Node, fields: Fields[C]) -> C:
    """Return the condition of `node` over `fields`. The parser bounds the depth, so this may recurse."""
    if isinstance(node, Everything):
        return fields.everything()
    if isinstance(node, Match):
        return fields.match(node)
    if isinstance(node, Text):
        return fields.text(node)
    if isinstance(node, Not):
        return ~compile_node(node.part, fields)
    parts = [compile_node(part, fields) for part in node.parts]
    return reduce(lambda a, b: a & b, parts) if isinstance(node, And) else reduce(lambda a, b: a | b, parts)


def compile_q(node: Node, fields: Fields[Q]) -> Q:
    """Return Django's Q of `node`; the empty query is `Q()`, which filters nothing."""
    return compile_node(node, fields)
