"""Events become issues, however often and in whichever order they come; what was resolved or ignored comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.errors.making import ago, frame, issues, raised, send
from tests.telemetry.engines import Engine

from quarterdeck.core.clock import now
from quarterdeck.errors import digesting
from quarterdeck.errors.models import Activity, Issue, Progress, Release, Resolution, State, Trait
from quarterdeck.telemetry import client

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _empty(errors: Engine) -> None:
    return


def test_it_makes_one_issue_of_the_same_error() -> None:
    first = raised("ValueError", "no order 17", at=ago(hours=2), release="shop@1.0", environment="prod", user={"id": 1})
    again = raised("ValueError", "no order 99", at=ago(hours=1), release="shop@1.1", environment="prod", user={"id": 2})
    other = raised("KeyError", "'sku'", "count")
    [issue, key_error] = issues(first, again, other)
    assert (issue.title, issue.event_count, issue.user_count) == ("ValueError: no order 99", 2, 2)
    assert (issue.first_release, issue.last_release) == ("shop@1.0", "shop@1.1")
    assert (issue.service, issue.level, issue.culprit) == ("shop", "error", "shop.orders in place")
    assert (issue.latest_event, issue.state) == (again["event_id"], State.UNRESOLVED)
    assert abs(issue.first_seen.timestamp() - first["timestamp"]) < 0.001
    assert (key_error.type, key_error.user_count) == ("KeyError", 0)
    traits = set(Trait.objects.filter(issue=issue).values_list("name", "value"))
    assert {("release", "shop@1.0"), ("release", "shop@1.1"), ("environment", "prod"), ("service", "shop")} <= traits
    assert sum(name == "sender" for name, _value in traits) == 1
    assert set(Release.objects.values_list("version", flat=True)) == {"shop@1.0", "shop@1.1"}
    assert [one.kind for one in issue.activities.all()] == ["first_seen"]


def test_what_comes_twice_counts_once() -> None:
    event = raised(user={"id": 1})
    [issue] = issues(event)
    [same] = issues(event)
    Progress.objects.all().delete()
    [again] = issues()
    assert (issue.pk, issue.event_count, issue.user_count) == (same.pk, same.event_count, same.user_count)
    assert (again.pk, again.event_count) == (issue.pk, 1)
    assert Activity.objects.count() == 1


def test_it_looks_only_at_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    issues(raised())
    Progress.objects.update(at=now() + timedelta(minutes=5))
    assert digesting.digest() == 0
    [issue] = issues(raised())
    assert issue.event_count == 1, "the engine's time is behind what was looked at"
    Progress.objects.update(at=now())
    [issue] = issues()
    assert issue.event_count == 2


def test_projects_do_not_mix() -> None:
    issues(raised())
    assert len(issues(raised(), project=10**18 - 1)) == 2
    assert set(Issue.objects.values_list("project", flat=True)) == {42, 10**18 - 1}


def test_a_resolved_issue_comes_back_with_a_later_event_only() -> None:
    [issue] = issues(raised(at=ago(hours=1)))
    Issue.objects.update(state=State.RESOLVED, resolution=Resolution.NOW, resolved_at=now() - timedelta(minutes=10))
    [issue] = issues(raised(at=ago(minutes=30)))
    assert issue.state == State.RESOLVED, "it happened before that"
    [issue] = issues(raised(at=ago(minutes=1), release="shop@2"))
    assert (issue.state, issue.is_regressed, issue.resolved_at) == (State.UNRESOLVED, True, None)
    regression = issue.activities.get(kind="regressed")
    assert regression.detail == {"release": "shop@2"}


@pytest.mark.parametrize(
    ("resolution", "release", "is_back"),
    [
        (Resolution.AFTER_RELEASE, "shop@1.2.0", False),
        (Resolution.AFTER_RELEASE, "shop@1.10.0", True),
        (Resolution.AFTER_RELEASE, "shop@1.1.9", False),
        (Resolution.IN_RELEASE, "shop@1.2.0", True),
        (Resolution.IN_RELEASE, "shop@1.2.0-rc1", False),
        (Resolution.IN_RELEASE, None, True),
    ],
)
def test_releases_tell_a_regression(resolution: str, release: str | None, is_back: bool) -> None:
    issues(raised(at=ago(hours=2), release="shop@1.2.0"))
    Issue.objects.update(
        state=State.RESOLVED, resolution=resolution, resolved_in="shop@1.2.0", resolved_at=now() - timedelta(hours=1)
    )
    [issue] = issues(raised(at=ago(minutes=1), release=release))
    assert issue.is_regressed is is_back


def test_commits_are_in_the_order_in_which_they_came() -> None:
    issues(raised(at=ago(hours=5), release="fffa"), raised(at=ago(hours=3), release="0001"))
    Issue.objects.update(
        state=State.RESOLVED, resolution=Resolution.AFTER_RELEASE, resolved_in="0001",
        resolved_at=now() - timedelta(hours=1),
    )  # fmt: skip
    [issue] = issues(raised(at=ago(minutes=3), release="fffa"))
    assert issue.state == State.RESOLVED
    [issue] = issues(raised(at=ago(minutes=2), release="abcd"))
    assert issue.is_regressed


def test_ignoring_ends_by_count_users_and_time() -> None:
    [issue] = issues(raised(user={"id": 1}))
    Issue.objects.update(state=State.IGNORED, ignored_count=3)
    [issue] = issues(raised(user={"id": 1}))
    assert issue.state == State.IGNORED
    [issue] = issues(raised(user={"id": 1}))
    assert (issue.state, issue.ignored_count, issue.is_regressed) == (State.UNRESOLVED, None, False)
    Issue.objects.update(state=State.IGNORED, ignored_users=2)
    [issue] = issues(raised(user={"id": 2}))
    assert issue.state == State.UNRESOLVED
    Issue.objects.update(state=State.IGNORED, ignored_until=now() - timedelta(seconds=1))
    [issue] = issues()
    assert issue.state == State.UNRESOLVED
    Issue.objects.update(state=State.IGNORED)
    [issue] = issues(raised())
    assert issue.state == State.IGNORED, "for ever"


def test_chinese_messages_use_their_index() -> None:
    send(raised("错误", "数据库连接超时"))
    characters = "extractAll(message, '[⺀-鿿가-힯豈-﫿]')"
    rows = client.query(
        f"EXPLAIN indexes = 1 SELECT count() FROM error_events WHERE hasAllTokens({characters}, ['库'])"
    )
    assert any("cjk" in line for (line,) in rows)


def test_frames_of_libraries_do_not_split() -> None:
    one, other = raised(), raised()
    other["exception"]["values"][0]["stacktrace"]["frames"].insert(0, frame("serve", "wsgi", in_app=False))
    assert len(issues(one, other)) == 1
