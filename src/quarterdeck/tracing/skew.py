"""Clocks of different hosts differ: spans are moved so that a call lies within the call that made it.

As Jaeger does: a child on another host that does not fit into its parent is put into the parent's middle (half of the
difference is taken for the way there, half for the way back); one that lasted longer than its parent only may not begin
before it. What runs on the same host moves with it.
See https://github.com/jaegertracing/jaeger/blob/main/internal/jptrace/adjuster (clockskew.go)
"""

from __future__ import annotations

from collections.abc import Iterator

from quarterdeck.tracing.nodes import Node

# A clock that is further off than this is no skew; the times are shown as they were sent.
MAX_SKEW_NS = 3600 * 10**9


def adjust(nodes: list[Node], roots: list[int]) -> None:
    """Set `start_ns` and `skew_ns` of every node, parents before their children."""
    for index in _parents_first(nodes, roots):
        node = nodes[index]
        if node.parent < 0:
            continue
        parent = nodes[node.parent]
        skew_ns = parent.skew_ns if _same_clock(node, parent) else _skew(node, parent)
        if abs(skew_ns) <= MAX_SKEW_NS:
            node.skew_ns = skew_ns
            node.start_ns += skew_ns


def _parents_first(nodes: list[Node], roots: list[int]) -> Iterator[int]:
    waiting = list(roots)
    while waiting:
        index = waiting.pop()
        yield index
        waiting.extend(nodes[index].children)


def _same_clock(node: Node, parent: Node) -> bool:
    return bool(node.span.host_key) and node.span.host_key == parent.span.host_key


def _skew(node: Node, parent: Node) -> int:
    # What waits in a queue is received whenever it is received.
    if node.span.kind == "consumer":
        return 0
    room_ns = parent.span.duration_ns - node.span.duration_ns
    if room_ns < 0:
        return max(0, parent.start_ns - node.start_ns)
    if parent.start_ns <= node.start_ns and node.end_ns <= parent.end_ns:
        return 0
    return parent.start_ns + room_ns // 2 - node.start_ns
