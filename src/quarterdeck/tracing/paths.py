"""The critical path: what the trace's duration consists of. Shortening anything else does not shorten the trace.

Backwards from the end of the root: what ended last before that moment is what was waited for, down to its own children;
the rest is the span's own work. As in https://github.com/uber-research/CRISP and Jaeger's waterfall.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quarterdeck.tracing.nodes import Node


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of time that node `node` (its position) was waited for."""

    node: int
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class _Walk:
    """A span on the way: where on it we stand, and the children that may have been waited for before that."""

    node: int
    cursor_ns: int
    children: Iterator[int]


def critical_path(nodes: Sequence[Node], roots: Sequence[int]) -> list[Segment]:
    """Return the segments in order of time, of the root that ends last; [] without nodes."""
    if not roots:
        return []
    root = max(roots, key=lambda index: (nodes[index].span.duration_ns, nodes[index].end_ns))
    found: list[Segment] = []
    walks = [_begin(nodes, root, nodes[root].end_ns)]
    while walks:
        walk = walks[-1]
        child = next((one for one in walk.children if _was_waited_for(nodes, walk, one)), None)
        if child is None:
            _keep(found, walk.node, nodes[walk.node].start_ns, walk.cursor_ns)
            walks.pop()
            continue
        end_ns = min(nodes[child].end_ns, walk.cursor_ns)
        _keep(found, walk.node, end_ns, walk.cursor_ns)
        walk.cursor_ns = max(nodes[child].start_ns, nodes[walk.node].start_ns)
        walks.append(_begin(nodes, child, end_ns))
    return found[::-1]


def _begin(nodes: Sequence[Node], index: int, end_ns: int) -> _Walk:
    children = sorted(nodes[index].children, key=lambda child: nodes[child].end_ns, reverse=True)
    return _Walk(index, end_ns, iter(children))


def _was_waited_for(nodes: Sequence[Node], walk: _Walk, child: int) -> bool:
    """Whether the child ended before where we stand. One that outlived its parent was not waited for."""
    node = nodes[child]
    return node.span.duration_ns > 0 and node.end_ns <= walk.cursor_ns and node.end_ns > nodes[walk.node].start_ns


def _keep(found: list[Segment], node: int, start_ns: int, end_ns: int) -> None:
    if end_ns > start_ns:
        found.append(Segment(node, start_ns, end_ns))
