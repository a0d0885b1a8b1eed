"""Performance issues: what the engine finds in traces, each once, with its evidence, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from tests.errors.making import issues
from tests.telemetry.engines import Engine
from tests.tracing.making import load, span, trace_id
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.audit.actor import Actor
from quarterdeck.errors import actions, events, health, performance, queries
from quarterdeck.errors.models import Issue, State
from quarterdeck.telemetry import client
from quarterdeck.telemetry.canonical import SpanRow

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _empty(errors: Engine) -> None:
    for table in ("spans", "traces", "red_1m"):
        client.command(f"TRUNCATE TABLE {table}")


def calls(
    trace: int, count: int, *, ms: float = 20, at_once: bool = False, table: str = "stock", begin_ms: float = 0
) -> Iterator[SpanRow]:
    """A request that asks the database `count` times, one call after the other."""
    yield span(trace, 1, at_ms=begin_ms, ms=1000, name="GET /orders", version="shop@1")
    for number in range(count):
        said = {"db.system": "postgresql", "db.statement": f"SELECT n FROM {table} WHERE id = {number}"}
        at_ms = begin_ms + (5 if at_once else 5 + number * (ms + 1))
        more = {"kind": "client", "name": "SELECT", "attributes": said, "version": "shop@1"}
        yield span(trace, number + 2, 1, at_ms=at_ms, ms=ms, **more)


def found() -> list[Issue]:
    performance.find()
    return issues()


def test_repeated_calls_are_an_issue(owner: Actor, owner_user: User) -> None:
    load(*calls(1, 12), *calls(2, 15), *calls(3, 9), *calls(4, 12, at_once=True), *calls(5, 12, ms=2))
    load(*calls(1, 12))
    [issue] = found()
    assert issue.title == "N+1 queries: SELECT n FROM stock WHERE id = ?"
    assert (issue.kind, issue.level, issue.event_count) == ("n_plus_one", "warning", 2)
    assert (issue.culprit, issue.service, issue.first_release) == ("GET /orders in shop", "shop", "shop@1")
    [again] = found()
    assert (again.pk, again.event_count) == (issue.pk, 2), "looked at twice, counted once"
    page, _cursor = events.events(owner, issue)
    assert {one.trace_id for one in page} == {trace_id(1), trace_id(2)}
    told = events.get_event(owner, issue, next(one.event_id for one in page if one.trace_id == trace_id(1))).payload
    evidence = told["contexts"]["performance"]
    assert (evidence["calls"], evidence["total_ms"], evidence["caller"]) == (12, 240, "GET /orders")
    shown = signed_in(owner_user).get(f"/errors/{issue.pk}").content.decode()
    for text in ("SELECT n FROM stock WHERE id = ?", "<dd>15</dd>", "300 ms", trace_id(2)):
        assert text in shown
    assert health.releases(owner, "", queries.last(3600)) == [], "it is no error of the release"
    listed = signed_in(owner_user).get("/errors?q=is:performance").content.decode()
    assert "N+1 queries" in listed


def test_it_has_states_as_others_have(owner: Actor) -> None:
    load(*calls(1, 12))
    [issue] = found()
    actions.resolve(owner, [issue.pk])
    [issue] = found()
    assert issue.state == State.RESOLVED, "what was known does not open it again"
    Issue.objects.filter(pk=issue.pk).update(resolved_at=issue.first_seen + timedelta(seconds=1))
    load(*calls(2, 12, begin_ms=5000))
    [issue] = found()
    assert issue.is_regressed


def test_slow_statements_are_issues(owner: Actor) -> None:
    load(*calls(1, 1, ms=1500), *calls(2, 1, ms=999), *calls(3, 1, ms=3000, table="orders"))
    cached = {"db.system": "redis", "db.statement": "GET x"}
    load(span(4, 2, 1, ms=5000, kind="client", name="GET", attributes=cached))
    assert sorted((one.kind, one.type, one.event_count) for one in found()) == [("slow_query", "Slow query", 1)] * 2
    assert queries.issues(owner, 'type:"Slow query" stock').count() == 1
    assert queries.issues(owner, "kind:slow_query").count() == 2


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("n_plus_one_calls", "slow_query_ms"):
        monkeypatch.setitem(settings.QD, name, 0)
    load(*calls(1, 30, ms=2000))
    assert found() == []
