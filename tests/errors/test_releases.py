"""Releases: which is newer, how many sessions did not crash, how far a release spread, what it brought."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.errors.making import PROJECT, ago, issues, raised
from tests.receivers.sentry.requests import envelope, take
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import BadQuery, NotFound
from quarterdeck.errors import health, queries
from quarterdeck.errors.digesting import digest
from quarterdeck.errors.models import Release
from quarterdeck.errors.releases import is_newer, newest, semantic
from quarterdeck.inventory import actions as inventory
from quarterdeck.monitoring.senders.binding import bind
from quarterdeck.telemetry import loading
from quarterdeck.telemetry.loading import Origin

NOWHERE: dict[str, datetime] = {}


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ("1.10.0", "1.9.9"),
        ("shop@1.2.3", "shop@1.2.3-rc.2"),
        ("shop@1.2.3-rc.10", "shop@1.2.3-rc.9"),
        ("shop@1.2.3-rc.1.1", "shop@1.2.3-rc.1"),
        ("shop@1.2.3-beta", "shop@1.2.3-7"),
        ("v2.0", "v1.99.1"),
        ("1.2.3.4", "1.2.3"),
    ],
)
def test_numbers_give_the_order(newer: str, older: str) -> None:
    assert is_newer(newer, older, NOWHERE)
    assert not is_newer(older, newer, NOWHERE)


def test_without_numbers_time_gives_it() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    seen = {"abc": early, "0ff": late, "shop@9.0": early, "cart@1.0": late}
    assert is_newer("0ff", "abc", seen)
    assert is_newer("cart@1.0", "shop@9.0", seen), "numbers of two packages say nothing"
    assert not is_newer("unknown", "abc", seen)
    assert newest(seen) == "0ff"
    assert newest({}) == ""
    assert semantic("2026-05-01") is None


@settings(max_examples=150, deadline=None)
@given(one=st.text(max_size=40), other=st.text(max_size=40))
def test_any_text_is_a_release(one: str, other: str) -> None:
    assert not (is_newer(one, other, NOWHERE) and is_newer(other, one, NOWHERE))


def send(*sessions: dict[str, Any], project: int = PROJECT) -> None:
    items = [("session" if "sid" in one else "sessions", one) for one in sessions]
    taken = take(envelope(*items), project=str(project))
    frames = [frame for frame in taken.frames if frame.stream == "sentry.sessions"]
    loading.load(frames, Origin("sentry", 0, time.time_ns() // 1_000_000, {"service": "shop"}), f"{time.time_ns()}")


def session(release: str, status: str, user: str = "", **more: Any) -> dict[str, Any]:
    return {
        "sid": uuid4().hex,
        "did": user or None,
        "seq": 1,
        "started": ago(minutes=10).isoformat(),
        "status": status,
        "errors": 0,
        "attrs": {"release": release, "environment": "prod"},
        **more,
    }


@pytest.fixture
def sessions(errors: Engine) -> None:
    first = session("shop@1.0", "ok", "ann")
    send(
        first,
        {**first, "seq": 2, "status": "crashed"},
        session("shop@1.0", "exited", "bob"),
        session("shop@1.0", "exited", "cem", errors=2),
        {"attrs": {"release": "shop@1.1", "environment": "prod"},
         "aggregates": [{"started": ago(minutes=5).isoformat(), "exited": 94, "crashed": 2}]},
    )  # fmt: skip
    digest()


@pytest.mark.slow
@pytest.mark.django_db
def test_sessions_are_counted_as_they_ended(sessions: None) -> None:
    issues(raised(release="shop@1.1"))
    newest_, first = health.releases(SYSTEM, "", queries.last(3600))
    assert (first.version, first.sessions, first.crashed, first.errored) == ("shop@1.0", 3, 1, 1)
    assert (first.users, first.crashed_users, first.adoption) == (3, 1, 3 / 99)
    assert first.crash_free_sessions == pytest.approx(2 / 3)
    assert (newest_.version, newest_.crash_free_sessions) == ("shop@1.1", pytest.approx(94 / 96))
    assert (newest_.crash_free_users, newest_.events, newest_.new_issues) == (None, 1, 1)
    assert [one.version for one in health.releases(SYSTEM, "release:*1.0", queries.last(3600))] == ["shop@1.0"]
    assert health.releases(SYSTEM, "environment:lab", queries.last(3600)) == []
    assert health.releases(SYSTEM, "", queries.last(60)) == []
    with pytest.raises(BadQuery):
        health.releases(SYSTEM, "colour:red", queries.last(3600))
    suspect = health.suspect_release(PROJECT, "shop@1.1")
    assert suspect
    assert health.suspect_release(PROJECT, "shop@1.0") is None


@pytest.mark.slow
@pytest.mark.django_db
def test_others_releases_are_out_of_reach(sessions: None, owner: Actor, teammate: Actor) -> None:
    own = Release.objects.get(version="shop@1.0")
    assert health.releases(teammate, "", queries.last(3600)) == []
    with pytest.raises(NotFound):
        health.get_release(teammate, own.pk, queries.last(3600))
    inventory.create_item(owner, "service", "shop", {"env": "prod"})
    bind(owner)
    found = health.get_release(teammate, own.pk, queries.last(3600), bars=6)
    assert (found.sessions, sum(n for n, _crashed in found.bars), sum(n for _all, n in found.bars)) == (3, 3, 1)


@pytest.mark.slow
@pytest.mark.django_db
def test_pages_and_api(sessions: None, owner_user: User) -> None:
    browser: Client = signed_in(owner_user)
    [issue] = issues(raised(release="shop@1.1"))
    page = browser.get("/errors/releases").content.decode()
    assert "shop@1.1" in page
    assert "97.91 %" in page, "rounded down"
    own = Release.objects.get(version="shop@1.1")
    page = browser.get(f"/errors/releases/{own.pk}").content.decode()
    assert issue.title in page
    assert browser.get("/errors/releases/999999").status_code == 404
    assert browser.get("/errors/releases?q=colour:red").status_code == 400
    rows = browser.get("/api/v1/errors/releases").json()["items"]
    assert [row["version"] for row in rows] == ["shop@1.1", "shop@1.0"]
    one = browser.get(f"/api/v1/errors/releases/{own.pk}").json()
    assert (one["sessions"], one["new_issues"], one["adoption"]) == (96, 1, 96 / 99)
    assert "It came with a release" in browser.get(f"/errors/{issue.pk}").content.decode()
