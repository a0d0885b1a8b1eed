"""Two traces side by side: spans that stand in the same place of both trees, and what each place cost.

The critical paths tell where the difference comes from: they add up to the durations of what began the traces.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from quarterdeck.audit.actor import Actor
from quarterdeck.tracing.assembling import Trace
from quarterdeck.tracing.nodes import Node
from quarterdeck.tracing.reading import trace

# More places than a person looks through.
STEPS_MAX = 2000
_Place = tuple[int, str, str, str]


@dataclass(slots=True)
class Side:
    """What one trace has in a place: spans, the sum of their durations, their part of the critical path."""

    count: int = 0
    errors: int = 0
    total_ns: int = 0
    critical_ns: int = 0

    def add(self, node: Node) -> None:
        self.count += 1
        self.errors += node.span.is_error
        self.total_ns += node.span.duration_ns
        self.critical_ns += node.critical_ns


@dataclass(slots=True)
class Step:
    """A place in both trees: an operation of a service below the same callers."""

    service: str
    name: str
    kind: str
    depth: int
    left: Side = field(default_factory=Side)
    right: Side = field(default_factory=Side)
    children: list[int] = field(default_factory=list)

    @property
    def difference_ns(self) -> int:
        """How much longer the right trace was waited for here; negative where it was quicker."""
        return self.right.critical_ns - self.left.critical_ns

    @property
    def is_only_left(self) -> bool:
        return not self.right.count

    @property
    def is_only_right(self) -> bool:
        return not self.left.count


@dataclass(frozen=True, slots=True)
class Comparison:
    """Steps depth first, in the order of the left trace. `is_cut`: there are more of them."""

    left: Trace
    right: Trace
    steps: list[Step]
    is_cut: bool

    @property
    def difference_ns(self) -> int:
        return self.right.duration_ns - self.left.duration_ns

    def largest(self, limit: int) -> list[Step]:
        """Return the steps that differ most."""
        changed = [step for step in self.steps if step.difference_ns]
        return sorted(changed, key=lambda step: -abs(step.difference_ns))[:limit]


def compared(actor: Actor, left_id: str, right_id: str) -> Comparison:
    """Return two traces side by side. Raises Denied, BadInput, NotFound, Unavailable."""
    return compare(trace(actor, left_id, is_outline=True), trace(actor, right_id, is_outline=True))


def compare(left: Trace, right: Trace) -> Comparison:
    steps: list[Step] = []
    places: dict[_Place, int] = {}
    for side, nodes in (("left", left.nodes), ("right", right.nodes)):
        for step, node in _placed(nodes, steps, places):
            getattr(step, side).add(node)
    ordered = _in_order(steps, [number for place, number in places.items() if place[0] < 0])
    return Comparison(left, right, ordered[:STEPS_MAX], len(ordered) > STEPS_MAX)


def _placed(nodes: Iterable[Node], steps: list[Step], places: dict[_Place, int]) -> Iterable[tuple[Step, Node]]:
    """Yield each node with its step; parents come before their children, so a node's caller has its place already."""
    mine: list[int] = []
    for node in nodes:
        above = mine[node.parent] if node.parent >= 0 else -1
        place = (above, node.span.service, node.span.name, node.span.kind)
        if place not in places:
            places[place] = len(steps)
            steps.append(Step(*place[1:], depth=steps[above].depth + 1 if above >= 0 else 0))
            if above >= 0:
                steps[above].children.append(places[place])
        mine.append(places[place])
        yield steps[mine[-1]], node


def _in_order(steps: list[Step], roots: list[int]) -> list[Step]:
    waiting, ordered = roots[::-1], []
    while waiting:
        step = steps[waiting.pop()]
        ordered.append(step)
        waiting.extend(reversed(step.children))
    return ordered
