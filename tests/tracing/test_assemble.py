"""From spans to a tree: whatever is wrong with them, a trace is shown, and says so."""

from __future__ import annotations

import random
import time

import pytest
from tests.tracing.making import MS, START, read, trace_id

from quarterdeck.tracing.assembling import Trace, assemble
from quarterdeck.tracing.skew import MAX_SKEW_NS
from quarterdeck.tracing.spans import TraceSpan


def tree(*spans: TraceSpan) -> Trace:
    mixed = list(spans)
    random.Random(7).shuffle(mixed)
    return assemble(trace_id(1), mixed)


def shape(trace: Trace) -> list[tuple[int, int]]:
    """Return `[(depth, number of the span)]` in the order shown."""
    return [(node.depth, int(node.span.span_id, 16)) for node in trace.nodes]


def test_siblings_stand_in_order_of_time_below_their_parent() -> None:
    found = tree(read(1, ms=100), read(3, 1, at_ms=50, ms=10), read(2, 1, at_ms=10, ms=20), read(4, 2, at_ms=12, ms=5))
    assert shape(found) == [(0, 1), (1, 2), (2, 4), (1, 3)]
    assert (found.duration_ns, found.is_unfinished, found.roots) == (100 * MS, False, [0])


def test_a_span_whose_parent_is_missing_is_a_marked_root() -> None:
    found = tree(read(1, ms=10), read(2, 99, at_ms=2))
    assert shape(found) == [(0, 1), (0, 2)]
    assert [node.is_orphan for node in found.nodes] == [False, True]
    assert tree(read(2, 99)).is_unfinished


def test_a_cycle_is_cut_where_it_began() -> None:
    found = tree(
        read(1, 3, at_ms=0), read(2, 1, at_ms=1), read(3, 2, at_ms=2), read(4, 4, at_ms=3), read(5, 3, at_ms=4)
    )
    assert shape(found) == [(0, 1), (1, 2), (2, 3), (3, 5), (0, 4)]
    assert [node.is_cycle for node in found.nodes] == [True, False, False, False, True]
    assert found.cycles == 2


def test_a_span_that_came_twice_is_one_span_and_the_longer_one_wins() -> None:
    found = tree(read(1, ms=5), read(1, ms=9), read(1, ms=5))
    assert [node.span.duration_ns for node in found.nodes] == [9 * MS]


def test_two_halves_that_share_an_id_are_parent_and_child() -> None:
    found = tree(
        read(1, ms=50, service="front", kind="server"),
        read(2, 1, at_ms=5, ms=30, service="front", kind="client"),
        read(2, 1, at_ms=8, ms=20, service="back", kind="server"),
        read(3, 2, at_ms=10, ms=3, service="back", kind="client"),
        read(4, 2, at_ms=7, ms=1, service="front"),
    )
    kinds = [(node.depth, node.span.service, node.span.kind) for node in found.nodes]
    assert kinds == [
        (0, "front", "server"), (1, "front", "client"), (2, "front", "internal"), (2, "back", "server"),
        (3, "back", "client"),
    ]  # fmt: skip


def test_a_call_on_a_host_whose_clock_is_behind_is_put_into_its_callers_middle() -> None:
    found = tree(
        read(1, at_ms=0, ms=100, host="a"),
        read(2, 1, at_ms=-5000, ms=40, host="b"),
        read(3, 2, at_ms=-4990, ms=5, host="b"),
    )
    starts = [(node.start_ns - START) // MS for node in found.nodes]
    assert starts == [0, 30, 40]
    assert found.skewed == 2
    assert found.duration_ns == 100 * MS


@pytest.mark.parametrize(
    ("child", "start_ms"),
    [
        ({"at_ms": 10, "ms": 20}, 10),
        ({"at_ms": -20, "ms": 500}, 0),
        ({"at_ms": 20, "ms": 500}, 20),
        ({"at_ms": 90_000, "ms": 5, "kind": "consumer"}, 90_000),
        ({"at_ms": MAX_SKEW_NS // MS + 1000, "ms": 5}, MAX_SKEW_NS // MS + 1000),
    ],
)
def test_times_that_can_be_true_are_left(child: dict[str, object], start_ms: int) -> None:
    found = tree(read(1, ms=100, host="a"), read(2, 1, host="b", **child))  # type: ignore[arg-type]
    assert (found.nodes[1].start_ns - START) // MS == start_ms


def test_the_critical_path_is_what_was_waited_for() -> None:
    found = tree(
        read(1, ms=100),
        read(2, 1, at_ms=10, ms=30),
        read(3, 1, at_ms=15, ms=65),
        read(4, 3, at_ms=20, ms=50),
        read(5, 1, at_ms=95, ms=60),
    )
    segments = [
        (int(found.nodes[one.node].span.span_id, 16), (one.start_ns - START) // MS, (one.end_ns - START) // MS)
        for one in found.critical
    ]
    assert segments == [(1, 0, 15), (3, 15, 20), (4, 20, 70), (3, 70, 80), (1, 80, 100)]
    assert sum(node.critical_ns for node in found.nodes) == 100 * MS


def test_repeated_calls_below_one_span_are_a_hint() -> None:
    queries = [
        read(10 + n, 1, at_ms=2 * n, ms=1, kind="client", name="SELECT item", db_system="postgresql", statement_hash=7)
        for n in range(40)
    ]
    others = [read(100 + n, 1, at_ms=n, kind="client", name=f"GET /{n}", peer="api") for n in range(10)]
    [hint] = tree(read(1, ms=100), *queries, *others).hints
    assert (hint.count, hint.total_ns, hint.is_sequential, hint.name) == (40, 40 * MS, True, "SELECT item")


def test_calls_at_the_same_time_are_told_from_those_behind_each_other() -> None:
    calls = [read(10 + n, 1, at_ms=1, ms=20, kind="client", name="GET /price", peer="prices") for n in range(5)]
    [hint] = tree(read(1, ms=100), *calls).hints
    assert not hint.is_sequential


@pytest.mark.parametrize("shape_of", ["chain", "fan", "circle"])
def test_ten_thousand_spans_are_assembled_quickly_and_without_recursion(shape_of: str) -> None:
    parents = {"chain": lambda n: n - 1, "fan": lambda n: 1 if n > 1 else 0, "circle": lambda n: n - 1 or 10_000}
    spans = [read(n, parents[shape_of](n), at_ms=n, ms=20_000 - n) for n in range(1, 10_001)]
    started = time.process_time()
    found = tree(*spans)
    assert time.process_time() - started < 5
    assert len(found.nodes) == 10_000
    assert found.nodes[-1].depth == (1 if shape_of == "fan" else 9_999)
    assert found.cycles == (shape_of == "circle")


def test_nothing_is_a_trace_without_spans() -> None:
    found = tree()
    assert (found.nodes, found.duration_ns, found.critical, found.is_unfinished) == ([], 0, [], False)
