"""Calls that are repeated where one would do ("N+1"): the same statement or request, over and over, below one span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from quarterdeck.tracing.nodes import Node

# Fewer than these are not worth telling.
REPEATED_MIN = 5
HINTS_MAX = 20


@dataclass(frozen=True, slots=True)
class Hint:
    """`count` calls of one kind below `parent`; positions are those of the trace's nodes. `total_ns` adds them up."""

    parent: int
    nodes: tuple[int, ...]
    name: str
    service: str
    db_system: str
    count: int
    total_ns: int
    is_sequential: bool


def repeated_calls(nodes: Sequence[Node]) -> list[Hint]:
    """Return the repeated calls, those that took longest first."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, node in enumerate(nodes):
        span = node.span
        if node.parent >= 0 and (span.db_system or span.kind in ("client", "producer")):
            groups.setdefault((node.parent, span.service, span.name, span.statement_hash, span.peer), []).append(index)
    found = [_hint(nodes, members) for members in groups.values() if len(members) >= REPEATED_MIN]
    return sorted(found, key=lambda hint: -hint.total_ns)[:HINTS_MAX]


def _hint(nodes: Sequence[Node], members: list[int]) -> Hint:
    first = nodes[members[0]]
    pairs = pairwise(members)
    return Hint(
        parent=first.parent,
        nodes=tuple(members),
        name=first.span.name,
        service=first.span.service,
        db_system=first.span.db_system,
        count=len(members),
        total_ns=sum(nodes[index].span.duration_ns for index in members),
        is_sequential=all(nodes[before].end_ns <= nodes[after].start_ns for before, after in pairs),
    )
