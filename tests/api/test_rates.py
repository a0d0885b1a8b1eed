"""Rate limits: for each token, over all processes, with headers that tell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from tests.api.conftest import ApiClient, problem_of

from quarterdeck.api import limits
from quarterdeck.api.models import RateWindow
from quarterdeck.core.errors import TooMany

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the minute and second that the limits see."""

    def set_to(second: int) -> None:
        at = datetime.fromisoformat("2026-05-01T12:00:00+00:00").timestamp() + second
        monkeypatch.setattr(limits, "now", lambda: datetime.fromtimestamp(at).astimezone())

    set_to(0)
    return set_to


def spend(caller: str, times: int) -> int:
    """Return how many of `times` requests were let through."""
    passed = 0
    for _request in range(times):
        try:
            limits.spend(caller)
        except TooMany:
            continue
        passed += 1
    return passed


def test_it_lets_exactly_the_limit_through(
    admin: ApiClient, low_rate: Callable[[int], None], clock: Callable[[int], None]
) -> None:
    low_rate(3)
    answers = [admin.call("GET", "/me") for _request in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    problem_of(answers[3], 429, "too_many")
    assert 1 <= int(answers[3]["Retry-After"]) <= 60
    assert answers[0]["RateLimit-Policy"] == '"default";q=3;w=60'
    assert [answer["RateLimit"].split(";")[1] for answer in answers[:3]] == ["r=2", "r=1", "r=0"]


def test_it_begins_anew_with_the_next_minute(low_rate: Callable[[int], None], clock: Callable[[int], None]) -> None:
    low_rate(3)
    assert spend("token:1", 5) == 3
    clock(59)
    assert spend("token:1", 5) == 0
    clock(60)
    assert spend("token:1", 5) == 3


def test_it_keeps_callers_apart(low_rate: Callable[[int], None], clock: Callable[[int], None]) -> None:
    low_rate(3)
    assert (spend("token:1", 5), spend("token:2", 5)) == (3, 3)


@pytest.mark.parametrize("limit", [1, 19, 20, 100, 101])
def test_processes_together_never_pass_the_limit(
    low_rate: Callable[[int], None], clock: Callable[[int], None], limit: int
) -> None:
    low_rate(limit)
    passed = 0
    for _process in range(12):
        limits.forget()  # what a new process begins with
        passed += spend("token:1", 10)
    assert passed <= limit
    assert RateWindow.objects.get(caller="token:1").used <= limit


def test_one_process_may_use_the_whole_limit(low_rate: Callable[[int], None], clock: Callable[[int], None]) -> None:
    low_rate(101)
    assert spend("token:1", 150) == 101


def test_it_writes_once_for_many_requests(
    low_rate: Callable[[int], None],
    clock: Callable[[int], None],
    django_assert_max_num_queries: Callable[[int], object],
) -> None:
    low_rate(600)
    limits.spend("token:1")
    with django_assert_max_num_queries(0):  # type: ignore[attr-defined]
        assert spend("token:1", 29) == 29
