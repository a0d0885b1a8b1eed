"""A span in its place in the tree."""

from __future__ import annotations

from dataclasses import dataclass, field

from quarterdeck.tracing.spans import TraceSpan


@dataclass(slots=True)
class Node:
    """`parent` and `children` are positions in the trace's list of nodes; a root's `parent` is -1.

    `start_ns` is adjusted by `skew_ns`. `is_orphan`: the span names a parent that is not there. `is_cycle`: its chain
    of parents led back to itself and was cut here.
    """

    span: TraceSpan
    start_ns: int
    parent: int = -1
    children: list[int] = field(default_factory=list)
    depth: int = 0
    skew_ns: int = 0
    is_orphan: bool = False
    is_cycle: bool = False
    critical_ns: int = 0

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.span.duration_ns
