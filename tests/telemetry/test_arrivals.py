"""Followers are woken when the intake has stored something, and look by themselves while it tells nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from quarterdeck.core.errors import Unavailable
from quarterdeck.telemetry import intake_door
from quarterdeck.telemetry.arrivals import Arrivals


class Intake:
    """Stands for the process behind `intake_door.ask`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stored, self.is_away, self.asked = 5, False, 0
        self.news = threading.Condition()
        monkeypatch.setattr(intake_door, "ask", self.ask)

    def ask(self, method: str, path: str, *, params: Mapping[str, str], seconds: float) -> dict[str, Any]:
        assert (method, path) == ("GET", "/intake/stored")
        self.asked += 1
        if self.is_away:
            raise Unavailable("away")
        with self.news:
            self.news.wait_for(lambda: str(self.stored) != params["known"], 1)
            return {"stored": self.stored}

    def store(self) -> None:
        with self.news:
            self.stored += 1
            self.news.notify_all()


@pytest.fixture
def intake(monkeypatch: pytest.MonkeyPatch) -> Intake:
    return Intake(monkeypatch)


async def _told(arrivals: Arrivals) -> None:
    while not arrivals.is_told:
        await asyncio.sleep(0.01)


def test_every_follower_is_woken_at_once(intake: Intake) -> None:
    async def follow() -> float:
        arrivals = Arrivals()
        async with arrivals.followed() as first, arrivals.followed() as second:
            await _told(arrivals)
            # What had been stored before is news to nobody who has looked since.
            await asyncio.gather(first.wait(), second.wait())
            began = time.monotonic()
            asyncio.get_running_loop().call_later(0.1, intake.store)
            await asyncio.gather(first.wait(), second.wait())
            return time.monotonic() - began

    assert 0.05 < asyncio.run(follow()) < 1.5


def test_it_looks_by_itself_while_the_intake_is_away(intake: Intake) -> None:
    intake.is_away = True

    async def follow() -> float:
        async with Arrivals().followed() as news:
            began = time.monotonic()
            await news.wait()
            return time.monotonic() - began

    assert 0.3 < asyncio.run(follow()) < 1.9


def test_nobody_asks_once_nobody_follows(intake: Intake) -> None:
    async def follow() -> None:
        arrivals = Arrivals()
        async with arrivals.followed():
            await _told(arrivals)

    asyncio.run(follow())
    intake.store()
    deadline = time.monotonic() + 5
    while any(thread.name == "arrivals" for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [thread for thread in threading.enumerate() if thread.name == "arrivals"]
