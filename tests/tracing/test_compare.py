from __future__ import annotations

import time

from tests.tracing.making import read

from quarterdeck.tracing.assembling import Trace, assemble
from quarterdeck.tracing.comparing import STEPS_MAX, compare


def _trace(*spans: object) -> Trace:
    return assemble("1" * 32, spans)  # type: ignore[arg-type]


def test_the_difference_stands_where_it_comes_from_and_adds_up() -> None:
    quick = _trace(read(1, ms=100), read(2, 1, at_ms=10, ms=20, name="sql"), read(3, 1, at_ms=40, ms=10, name="cache"))
    slow = _trace(
        read(1, ms=300),
        read(7, 1, at_ms=10, ms=200, name="sql", is_error=True),
        read(8, 1, at_ms=220, ms=5, name="mail"),
    )
    found = compare(quick, slow)
    assert [(step.name, step.depth, step.left.count, step.right.count) for step in found.steps] == [
        ("step 1", 0, 1, 1), ("sql", 1, 1, 1), ("cache", 1, 1, 0), ("mail", 1, 0, 1),
    ]  # fmt: skip
    assert [step.name for step in found.largest(2)] == ["sql", "step 1"]
    assert found.largest(1)[0].difference_ns == 180_000_000
    assert sum(step.difference_ns for step in found.steps) == found.difference_ns == 200_000_000
    assert (found.steps[1].right.errors, found.steps[2].is_only_left, found.steps[3].is_only_right) == (1, True, True)


def test_repeated_spans_share_a_place_and_the_same_name_elsewhere_has_its_own() -> None:
    many = _trace(read(1, ms=100), *(read(n, 1, at_ms=n, ms=1, name="sql") for n in range(2, 8)))
    deep = _trace(read(1, ms=100), read(2, 1, ms=50, name="sql"), read(3, 2, ms=40, name="sql"))
    found = compare(many, deep)
    assert [(step.name, step.depth, step.left.count, step.right.count) for step in found.steps] == [
        ("step 1", 0, 1, 1), ("sql", 1, 6, 1), ("sql", 2, 0, 1),
    ]  # fmt: skip


def test_a_trace_is_like_itself() -> None:
    one = _trace(read(1, ms=100), read(2, 1, ms=50))
    found = compare(one, one)
    assert found.largest(10) == []
    assert found.difference_ns == 0


def test_ten_thousand_spans_in_one_chain_are_compared_quickly_and_cut() -> None:
    chain = _trace(*(read(n, n - 1, at_ms=n, ms=20_000 - n) for n in range(1, 10_001)))
    started = time.process_time()
    found = compare(chain, chain)
    assert time.process_time() - started < 2
    assert (len(found.steps), found.is_cut) == (STEPS_MAX, True)
