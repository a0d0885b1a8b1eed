"""Panels are added, changed, moved and removed; none ever stands over another."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, Denied, NotFound, Stale
from quarterdeck.monitoring.dashboards import actions, editing, queries
from quarterdeck.monitoring.dashboards.definitions import read
from quarterdeck.monitoring.dashboards.layout import Place, settled

COLUMNS = 24


@st.composite
def places(draw: st.DrawFn) -> list[Place]:
    found: list[Place] = []
    for number in range(draw(st.integers(0, 12))):
        width = draw(st.integers(1, COLUMNS))
        x, y, h = draw(st.integers(0, COLUMNS - width)), draw(st.integers(0, 40)), draw(st.integers(1, 10))
        found.append({"id": number, "x": x, "y": y, "w": width, "h": h})
    return found


def overlap(one: Place, other: Place) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not beside and not above


@given(places(), st.integers(0, 11))
def test_settled_panels_do_not_overlap_and_stay_settled(found: list[Place], first: int) -> None:
    done = settled(found, first)
    assert not any(overlap(one, other) for one, other in combinations(done, 2))
    assert {one["id"] for one in done} == {one["id"] for one in found}
    assert sorted(settled(done), key=lambda one: one["id"]) == sorted(done, key=lambda one: one["id"])


@pytest.fixture
def board(owner: Actor) -> str:
    panels = [{"id": number, "title": f"P{number}", "y": (number - 1) * 8} for number in (1, 2, 3)]
    actions.save_dashboard(owner, "board", {"title": "Board", "panels": panels})
    return "board"


def order(actor: Actor, slug: str) -> list[tuple[int, int, int]]:
    return [(one.id, one.x, one.y) for one in read(queries.dashboard(actor, slug).definition).panels]


@pytest.mark.django_db
class TestPanel:
    def test_a_new_one_stands_below(self, owner: Actor, board: str) -> None:
        editing.add_panel(owner, board, {"title": "New", "queries": [{"expr": "up"}]})
        assert order(owner, board)[-1] == (4, 0, 24)
        assert queries.versions(owner, board)[0].note == "added New"

    def test_a_moved_one_makes_room(self, owner: Actor, board: str) -> None:
        editing.move_panel(owner, board, 3, {"x": 0, "y": 0})
        assert order(owner, board) == [(3, 0, 0), (1, 0, 8), (2, 0, 16)]
        editing.move_panel(owner, board, 1, {"x": 40, "y": 0})
        assert order(owner, board) == [(3, 0, 0), (1, 12, 0), (2, 0, 8)]

    def test_a_larger_one_pushes_the_others_down(self, owner: Actor, board: str) -> None:
        editing.change_panel(owner, board, 1, {"h": 10})
        assert order(owner, board) == [(1, 0, 0), (2, 0, 10), (3, 0, 18)]

    def test_the_others_move_up_when_one_goes(self, owner: Actor, board: str) -> None:
        editing.remove_panel(owner, board, 2)
        assert order(owner, board) == [(1, 0, 0), (3, 0, 8)]

    def test_what_is_wrong_changes_nothing(self, owner: Actor, teammate: Actor, board: str) -> None:
        wrong: list[tuple[type[Exception], Any]] = [
            (BadInput, lambda: editing.change_panel(owner, board, 1, {"queries": [{"expr": "sum("}]})),
            (NotFound, lambda: editing.change_panel(owner, board, 9, {"title": "x"})),
            (NotFound, lambda: editing.remove_panel(owner, "nothing", 1)),
            (Stale, lambda: editing.move_panel(owner, board, 1, {"x": 2}, version=7)),
            (Denied, lambda: editing.move_panel(teammate, board, 1, {"x": 2})),
            (Denied, lambda: editing.add_panel(teammate, board, {"title": "x"})),
        ]
        for error, attempt in wrong:
            with pytest.raises(error):
                attempt()
        assert queries.dashboard(owner, board).version == 1
