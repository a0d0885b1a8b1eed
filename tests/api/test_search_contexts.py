"""Scrolls and points in time of Elasticsearch's API: whose they are, how many, how long."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quarterdeck.api import tasks
from quarterdeck.api.elasticsearch import contexts, paging
from quarterdeck.api.elasticsearch.contexts import NoContext, context, keep_of, open_context, turn_page
from quarterdeck.api.models import SearchContext
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadQuery, Conflict, TooMany
from quarterdeck.logs.elastic.searching import Position

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def test_it_is_its_callers_only(owner: Actor, teammate: Actor) -> None:
    one = open_context(owner, "scroll", "logs", {}, MINUTE)
    assert context(owner, "scroll", one.key) == one
    for actor, kind, key in ((teammate, "scroll", one.key), (owner, "pit", one.key), (owner, "scroll", None)):
        with pytest.raises(NoContext):
            context(actor, kind, key)
    assert paging.forgotten(teammate, "scroll", None) == ({"succeeded": True, "num_freed": 0}, 404)
    assert paging.forgotten(owner, "scroll", [one.key, "other"]) == ({"succeeded": True, "num_freed": 1}, 200)


def test_it_ends_and_is_dropped(owner: Actor) -> None:
    one = open_context(owner, "pit", "logs", {}, MINUTE)
    kept = open_context(owner, "pit", "logs", {}, MINUTE)
    SearchContext.objects.filter(pk=one.pk).update(expires_at=now() - MINUTE)
    with pytest.raises(NoContext):
        context(owner, "pit", one.key)
    tasks.forget()
    assert list(SearchContext.objects.all()) == [kept]


def test_each_caller_holds_a_bounded_number(owner: Actor, teammate: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "CONTEXTS_MAX", 2)
    made = [open_context(owner, kind, "logs", {}, MINUTE) for kind in ("scroll", "pit")]
    with pytest.raises(TooMany):
        open_context(owner, "scroll", "logs", {}, MINUTE)
    open_context(teammate, "scroll", "logs", {}, MINUTE)
    SearchContext.objects.filter(pk=made[0].pk).update(expires_at=now() - MINUTE)
    open_context(owner, "scroll", "logs", {}, MINUTE)


def test_a_page_is_read_once(owner: Actor) -> None:
    one = open_context(owner, "scroll", "logs", {}, MINUTE)
    turn_page(one, Position(["1-00"], 1), {"value": 3, "relation": "eq"})
    with pytest.raises(Conflict):
        turn_page(one, Position(["2-00"], 1), None)
    one.refresh_from_db()
    assert (one.page, one.position) == (1, {"sort": ["1-00"], "same": 1, "total": {"value": 3, "relation": "eq"}})


@pytest.mark.parametrize("given", ["", "1", "x", "0s", "25h", "-1m", "1y"])
def test_a_time_that_is_none_or_too_long_is_refused(given: str) -> None:
    with pytest.raises(BadQuery):
        keep_of(given, "scroll")
