"""From spans in any order to a tree, whatever is wrong with them.

A parent that is missing makes a root that is marked; a cycle is cut where it began first; copies are one span; Zipkin's
two halves of a call, which share an id, become parent and child. Nothing recurses: a chain may be 10,000 deep.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from quarterdeck.tracing.hints import Hint, repeated_calls
from quarterdeck.tracing.nodes import Node
from quarterdeck.tracing.paths import Segment, critical_path
from quarterdeck.tracing.skew import adjust
from quarterdeck.tracing.spans import TraceSpan

_ANSWERS = ("server", "consumer")


@dataclass(slots=True)
class Trace:
    """Nodes in the order in which a waterfall shows them. `is_cut`: the trace has more spans than were read."""

    trace_id: str
    nodes: list[Node]
    roots: list[int]
    critical: list[Segment] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)
    is_cut: bool = False
    start_ns: int = field(init=False)
    end_ns: int = field(init=False)

    def __post_init__(self) -> None:
        # Once: whoever draws the spans asks for the start at each of them.
        self.start_ns = min((node.start_ns for node in self.nodes), default=0)
        self.end_ns = max((node.end_ns for node in self.nodes), default=0)

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns

    @property
    def errors(self) -> int:
        return sum(node.span.is_error for node in self.nodes)

    @property
    def services(self) -> list[str]:
        return sorted({node.span.service for node in self.nodes})

    @property
    def orphans(self) -> int:
        return sum(node.is_orphan for node in self.nodes)

    @property
    def cycles(self) -> int:
        return sum(node.is_cycle for node in self.nodes)

    @property
    def skewed(self) -> int:
        return sum(node.skew_ns != 0 for node in self.nodes)

    @property
    def is_unfinished(self) -> bool:
        """Whether what began it has not been received: a root is sent when it ends."""
        return bool(self.nodes) and all(self.nodes[root].is_orphan for root in self.roots)


def assemble(trace_id: str, spans: Iterable[TraceSpan], *, is_cut: bool = False) -> Trace:
    """Return the tree of `spans`, which are of one trace."""
    nodes = [Node(span, span.start_ns) for span in _once(spans)]
    _set_parents(nodes)
    _cut_cycles(nodes)
    for index, node in enumerate(nodes):
        if node.parent >= 0:
            nodes[node.parent].children.append(index)
    adjust(nodes, [index for index, node in enumerate(nodes) if node.parent < 0])
    ordered, roots = _in_order(nodes)
    critical = critical_path(ordered, roots)
    for segment in critical:
        ordered[segment.node].critical_ns += segment.end_ns - segment.start_ns
    return Trace(trace_id, ordered, roots, critical, repeated_calls(ordered), is_cut)


def _once(spans: Iterable[TraceSpan]) -> list[TraceSpan]:
    """Leave out copies, keeping the one that lasted longest: a span may have been sent before it ended."""
    kept: dict[tuple[str, str], TraceSpan] = {}
    for span in spans:
        key = (span.span_id, span.kind)
        if key not in kept or span.duration_ns > kept[key].duration_ns:
            kept[key] = span
    return sorted(kept.values(), key=lambda span: (span.start_ns, -span.duration_ns, span.span_id))


def _set_parents(nodes: Sequence[Node]) -> None:
    by_id: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        by_id.setdefault(node.span.span_id, []).append(index)
    for index, node in enumerate(nodes):
        halves = [other for other in by_id[node.span.span_id] if nodes[other].span.kind not in _ANSWERS]
        if node.span.kind in _ANSWERS and halves:
            node.parent = halves[0]
        elif node.span.parent_id:
            _find_parent(nodes, index, by_id.get(node.span.parent_id, []))


def _find_parent(nodes: Sequence[Node], index: int, candidates: Sequence[int]) -> None:
    """Of two halves of a call the one of the same service is the parent, else the one that answered."""
    node = nodes[index]
    others = [other for other in candidates if other != index]
    if not others:
        node.is_cycle = bool(candidates)
        node.is_orphan = not candidates
        return
    node.parent = max(
        others,
        key=lambda other: (nodes[other].span.service == node.span.service, nodes[other].span.kind in _ANSWERS),
    )


def _cut_cycles(nodes: Sequence[Node]) -> None:
    """Make the earliest span of each circle of parents a root."""
    done: set[int] = set()
    for start in range(len(nodes)):
        path: dict[int, None] = {}
        index = start
        while index >= 0 and index not in done and index not in path:
            path[index] = None
            index = nodes[index].parent
        if index in path:
            walked = list(path)
            first = min(walked[walked.index(index) :], key=lambda one: (nodes[one].start_ns, one))
            nodes[first].parent, nodes[first].is_cycle = -1, True
        done.update(path)


def _in_order(nodes: Sequence[Node]) -> tuple[list[Node], list[int]]:
    """Return the nodes depth first, siblings by their start, with positions, depths and the roots to match."""

    def by_start(index: int) -> tuple[int, int]:
        return nodes[index].start_ns, index

    waiting = sorted((index for index, node in enumerate(nodes) if node.parent < 0), key=by_start, reverse=True)
    place: dict[int, int] = {}
    ordered: list[Node] = []
    while waiting:
        index = waiting.pop()
        place[index] = len(ordered)
        ordered.append(nodes[index])
        waiting.extend(sorted(nodes[index].children, key=by_start, reverse=True))
    for node in ordered:
        node.parent = place[node.parent] if node.parent >= 0 else -1
        node.children = sorted(place[child] for child in node.children)
        node.depth = ordered[node.parent].depth + 1 if node.parent >= 0 else 0
    return ordered, [index for index, node in enumerate(ordered) if node.parent < 0]
