"""One person's questions wait for one another, and for nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import TooMany
from quarterdeck.telemetry import turns
from quarterdeck.telemetry.turns import caller_of, fairly

OTHER = replace(SYSTEM, name="another")


@fairly
def asked(actor: Actor, *, times: int = 1) -> int:
    """Answer how often it was asked, from inside of itself."""
    return times if times == 3 else asked(actor, times=times + 1)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All turns of SYSTEM are held by other threads."""
    monkeypatch.setattr(turns, "WAITING_SECONDS", 0.05)
    ready, done = threading.Barrier(turns.RUNNING_MAX + 1), threading.Event()

    def hold() -> None:
        with turns.turns.turn(caller_of(SYSTEM)):
            ready.wait(10)
            done.wait(10)

    holders = [threading.Thread(target=hold) for _ in range(turns.RUNNING_MAX)]
    for one in holders:
        one.start()
    ready.wait(10)
    yield
    done.set()
    for one in holders:
        one.join()


def test_a_question_asks_on_in_its_own_turn() -> None:
    assert [asked(SYSTEM) for _ in range(turns.RUNNING_MAX + 1)] == [3] * (turns.RUNNING_MAX + 1)


@pytest.mark.usefixtures("busy")
def test_who_has_enough_running_is_told_and_others_are_answered() -> None:
    with pytest.raises(TooMany) as caught:
        asked(SYSTEM)
    assert caught.value.retry_after_seconds
    assert asked(OTHER) == 3


def test_a_full_queue_takes_nobody() -> None:
    caller = caller_of(SYSTEM)
    with ExitStack() as places:
        for _ in range(turns.RUNNING_MAX + turns.WAITING_MAX):
            places.enter_context(turns.turns.place(caller))
        with pytest.raises(TooMany):
            asked(SYSTEM)
    assert asked(SYSTEM) == 3
