"""The query language over issues, pages of them, and what their events tell."""

from __future__ import annotations

import pytest
from tests.errors.making import ago, issues, raised
from tests.telemetry.engines import Engine

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import BadInput, BadQuery, NotFound
from quarterdeck.errors import actions, events, queries
from quarterdeck.errors.models import Issue
from quarterdeck.inventory import actions as inventory
from quarterdeck.monitoring.senders.binding import bind

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _empty(errors: Engine) -> None:
    return


def test_each_form_finds(owner: Actor) -> None:
    value, key, word = issues(
        raised("ValueError", "no such order", at=ago(hours=3), release="shop@1.0", environment="prod",
               tags={"service": "shop", "browser.name": "Firefox"}, user={"id": "ann"}),
        raised("KeyError", "'sku'", "count", at=ago(hours=2), release="shop@1.1", level="fatal",
               tags={"service": "stock"}, server_name="web2", contexts={"trace": {"trace_id": "ab" * 16}}),
        {"event_id": "c" * 32, "timestamp": ago(hours=1).timestamp(), "message": "数据库连接超时", "level": "warning"},
    )  # fmt: skip
    names = {value.pk: "value", key.pk: "key", word.pk: "word"}
    item = inventory.create_item(owner, "service", "stock", {"env": "prod"})
    bind(owner)
    actions.resolve(owner, [value.pk])
    actions.assign(owner, [key.pk], "owner")
    cases = {
        "": {"value", "key", "word"},
        "is:unresolved": {"key", "word"},
        "is:resolved": {"value"},
        "is:(resolved OR assigned)": {"value", "key"},
        "is:unassigned": {"value", "word"},
        "assignee:me": {"key"},
        "assignee:none -is:resolved": {"word"},
        "assignee:own*": {"key"},
        "level:fatal": {"key"},
        "level:warn": {"word"},
        "type:*Error": {"value", "key"},
        "error.type:KeyError": {"key"},
        "release:shop@1.0": {"value"},
        "release:shop@*": {"value", "key"},
        "firstRelease:shop@1.1": {"key"},
        "environment:prod": {"value"},
        "service:stock": {"key"},
        "item:stock": {"key"},
        f"item:{item.pk}": {"key"},
        "item.env:prod": {"key"},
        "tags.browser.name:fire*": {"value"},
        "has:nothing": None,
        "user:ann": {"value"},
        f"trace:{'AB' * 16}": {"key"},
        "host:web2": {"key"},
        "such": {"value"},
        "ord*r": {"value", "key"},
        '"such order"': {"value"},
        "数据库": {"word"},
        "count": {"key"},
        "events:>=1": {"value", "key", "word"},
        "events:>1": set(),
        "first_seen:>-150m": {"key", "word"},
        "first_seen:<-150m": {"value"},
        "project:42": {"value", "key", "word"},
        "is:new": {"value", "key", "word"},
        f"id:{key.pk}": {"key"},
        "levle:error": None,
        "is:open": None,
    }
    for query, wanted in cases.items():
        if wanted is None:
            with pytest.raises(BadQuery):
                list(queries.issues(owner, query))
        else:
            assert {names[issue.pk] for issue in queries.issues(owner, query)} == wanted, query
    assert [names[i.pk] for i in queries.issues(owner, "", selector="env:prod")] == ["key"]
    assert [names[i.pk] for i in queries.issues(owner, "", queries.last(5400))] == ["word"]


def test_pages_go_through_everything(owner: Actor) -> None:
    issues(*(raised(f"Error{number}", at=ago(minutes=number)) for number in range(1, 8)))
    for sort in ("", "last_seen", "-first_seen", "events", "-users"):
        seen, after = [], ""
        while True:
            rows, after = queries.page(queries.issues(owner, "", sort=sort), after, 3)
            seen += [row.pk for row in rows]
            if not after:
                break
        assert len(seen) == len(set(seen)) == 7, sort
    with pytest.raises(BadInput):
        queries.issues(owner, "", sort="title")
    with pytest.raises(BadInput):
        queries.page(queries.issues(owner), "x")


def test_counts_in_a_window() -> None:
    [issue] = issues(
        raised(at=ago(minutes=50), user={"id": 1}), raised(at=ago(minutes=5), user={"id": 1}),
        raised(at=ago(minutes=4), user={"id": 2}), raised(at=ago(hours=5), user={"id": 3}),
    )  # fmt: skip
    found = events.counts(SYSTEM, [issue.pk], queries.last(3600), bars=6)
    assert (found[issue.pk].events, found[issue.pk].users) == (3, 2)
    assert found[issue.pk].bars[0] + found[issue.pk].bars[1] == 1
    assert sum(found[issue.pk].bars) == 3
    assert events.counts(SYSTEM, [], queries.last(3600)) == {}


def test_events_one_after_the_other() -> None:
    made = [raised(at=ago(minutes=number)) for number in (9, 7, 5, 3)]
    [issue] = issues(*made)
    ids = [event["event_id"] for event in made]
    newest = events.get_event(SYSTEM, issue)
    assert newest.event_id == ids[-1]
    assert newest.payload["exception"]["values"][0]["type"] == "ValueError"
    beside = events.neighbours(SYSTEM, issue, events.get_event(SYSTEM, issue, ids[1]))
    assert (beside.older, beside.newer, beside.oldest, beside.newest) == (ids[0], ids[2], ids[0], ids[3])
    rows, after = events.events(SYSTEM, issue, limit=3)
    assert [row.event_id for row in rows] == ids[:0:-1]
    rows, after = events.events(SYSTEM, issue, limit=3, after=after)
    assert ([row.event_id for row in rows], after) == (ids[:1], "")
    assert events.find_event(SYSTEM, ids[0])[0] == issue.pk
    with pytest.raises(NotFound):
        events.get_event(SYSTEM, issue, "0" * 32)
    with pytest.raises(BadInput):
        events.events(SYSTEM, issue, after="x.y")


def test_tags_spread() -> None:
    [issue] = issues(
        raised(tags={"service": "shop", "plan": "free"}, release="1",
               contexts={"runtime": {"name": "CPython", "version": "3.11"}}),
        raised(tags={"service": "shop", "plan": "free"}, release="2"),
        raised(tags={"service": "shop", "plan": "paid"}, release="2"),
    )  # fmt: skip
    found = {tag.name: tag for tag in events.tags(SYSTEM, issue)}
    assert (found["plan"].values, found["plan"].events, found["plan"].total) == ([("free", 2), ("paid", 1)], 3, 3)
    assert found["release"].values[0] == ("2", 2)
    assert found["runtime"].values == [("CPython 3.11", 1)]
    assert "browser" not in found


def test_a_teammate_sees_only_events_of_theirs(owner: Actor, teammate: Actor) -> None:
    inventory.create_item(owner, "service", "shop", {"env": "prod"})
    [issue] = issues(raised(at=ago(minutes=9)), raised(tags={"service": "lab"}, server_name="lab1"))
    bind(owner)
    assert [row.service for row in events.events(owner, issue)[0]] == ["lab", "shop"]
    assert [row.service for row in events.events(teammate, issue)[0]] == ["shop"]
    assert events.counts(teammate, [issue.pk], queries.last(3600))[issue.pk].events == 1
    assert Issue.objects.count() == 1
