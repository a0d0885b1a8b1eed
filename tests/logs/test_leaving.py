"""A search whose sender leaves ends on the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from tests.lab.parts import wait_until
from tests.telemetry.engines import Engine

from quarterdeck.api.leaving import StopsQueries
from quarterdeck.core.errors import TooMany
from quarterdeck.logs.limits import options
from quarterdeck.telemetry import asking, client

pytestmark = pytest.mark.slow

_ENDLESS = "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 7"
_RUNNING = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT count() FROM numbers(100000000000)%'"


def _running() -> int:
    return int(client.query(_RUNNING)[0][0])


class Page:
    """An application that asks the engine in a thread, as Django's views do, and again once that failed."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def _ask(self) -> None:
        for _turn in range(2):
            try:
                client.query(_ENDLESS, options=options())
            except Exception as error:
                self.outcomes.append(type(error).__name__)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        work = asyncio.ensure_future(sync_to_async(self._ask, thread_sensitive=False)())
        await receive()
        await work


@pytest.mark.usefixtures("logs")
def test_who_leaves_takes_the_search_along_and_what_would_follow_it(engine: Engine) -> None:
    page = Page()

    async def leaves() -> MutableMapping[str, Any]:
        await asyncio.to_thread(wait_until, lambda: _running() == 1, "a search")
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None: ...

    began = time.monotonic()
    asyncio.run(StopsQueries(page)({"type": "http"}, leaves, send))
    # Far less than the time limit of a search, which is ten seconds.
    assert time.monotonic() - began < 8
    assert _running() == 0
    assert page.outcomes == ["DatabaseError", "TooMany"]


def test_an_answer_that_was_sent_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []
    monkeypatch.setattr(asking.Asked, "stop", lambda asked: stopped.append(asked.id))

    async def answers(scope: Any, receive: Any, send: Any) -> None:
        assert options()["log_comment"].startswith("request-")
        await send({"type": "http.response.body", "body": b""})
        await receive()

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None: ...

    asyncio.run(StopsQueries(answers)({"type": "http"}, receive, send))
    assert stopped == []


def test_what_belongs_to_no_request_is_not_marked() -> None:
    assert "log_comment" not in options()


def test_nothing_begins_after_the_stop() -> None:
    async def ask() -> None:
        asked = asking.begin()
        asked.stop()
        asking.marked()

    with pytest.raises(TooMany):
        asyncio.run(ask())
