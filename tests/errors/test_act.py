"""What people do with issues, who may, and what is written down of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.errors.making import ago, issues, raised
from tests.telemetry.engines import Engine

from quarterdeck.access.models import Role, User
from quarterdeck.audit.actor import Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Denied, NotFound
from quarterdeck.errors import actions
from quarterdeck.errors.events import get_event
from quarterdeck.errors.models import Activity, Issue, Resolution, State
from quarterdeck.errors.scope import get_issue
from quarterdeck.inventory import actions as inventory
from quarterdeck.inventory.models import Item
from quarterdeck.monitoring.senders.binding import bind

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _empty(errors: Engine) -> None:
    return


def _of(issue: Issue) -> Issue:
    return Issue.objects.get(pk=issue.pk)


def test_resolving_is_audited_and_told(owner: Actor) -> None:
    [issue] = issues(raised(release="shop@1.0.0"), raised(release="shop@1.1.0"))
    assert actions.resolve(owner, [issue.pk], release="next") == 1
    found = _of(issue)
    assert (found.state, found.resolution, found.resolved_in) == ("resolved", Resolution.AFTER_RELEASE, "shop@1.1.0")
    activity = found.activities.get(kind="resolved")
    assert (activity.actor, activity.detail) == ("owner", {"how": "after_release", "release": "shop@1.1.0"})
    event = AuditEvent.objects.filter(verb="errors.resolve").get()
    assert (event.object_kind, event.object_id) == ("issue", str(issue.pk))
    actions.reopen(owner, [issue.pk])
    assert (_of(issue).state, _of(issue).resolved_in) == ("unresolved", "")


def test_next_needs_a_release(owner: Actor) -> None:
    [issue] = issues(raised())
    with pytest.raises(BadInput, match="no release"):
        actions.resolve(owner, [issue.pk], release="next")
    assert _of(issue).state == State.UNRESOLVED


def test_ignoring_counts_from_now(owner: Actor) -> None:
    [issue] = issues(raised(), raised())
    actions.ignore(owner, [issue.pk], events=2, until=now() + timedelta(days=1))
    assert (_of(issue).ignored_count, _of(issue).state) == (4, State.IGNORED)
    [issue] = issues(raised())
    assert issue.state == State.IGNORED
    [issue] = issues(raised())
    assert issue.state == State.UNRESOLVED
    for wrong in ({"events": 0}, {"users": -1}, {"until": now() - timedelta(hours=1)}):
        with pytest.raises(BadInput):
            actions.ignore(owner, [issue.pk], **wrong)  # type: ignore[arg-type]


def test_assigning(owner: Actor, owner_user: User) -> None:
    [issue] = issues(raised())
    actions.assign(owner, [issue.pk], "me")
    assert _of(issue).assignee == owner_user
    with pytest.raises(BadInput) as caught:
        actions.assign(owner, [issue.pk], "ownre")
    assert "owner" in caught.value.hint
    actions.assign(owner, [issue.pk])
    assert _of(issue).assignee is None


def test_merged_issues_are_one_and_come_apart(owner: Actor) -> None:
    [first, second] = issues(
        raised("ValueError", user={"id": 1}, at=ago(hours=2)), raised("KeyError", user={"id": 1}, at=ago(hours=1))
    )
    group = f"{get_event(owner, second).grouping_hash:x}"
    merged = actions.merge(owner, [first.pk, second.pk])
    assert (merged.pk, merged.event_count, merged.user_count) == (first.pk, 2, 1)
    assert merged.type == "KeyError", "what came last"
    assert get_issue(owner, second.pk).pk == first.pk
    [same] = issues(raised("KeyError"))
    assert (same.pk, same.event_count) == (first.pk, 3)
    fresh = actions.split(owner, first.pk, [group])
    assert (fresh.pk, fresh.event_count, fresh.type) == (second.pk, 2, "KeyError")
    assert (_of(first).event_count, _of(first).type) == (1, "ValueError")
    assert {one.kind for one in Activity.objects.filter(issue=first)} == {"first_seen", "merged", "split"}
    for wrong in ([], ["zz"], [group]):
        with pytest.raises(BadInput):
            actions.split(owner, first.pk, wrong)


def test_projects_cannot_be_merged(owner: Actor) -> None:
    [first] = issues(raised())
    second = issues(raised(), project=43)[1]
    with pytest.raises(BadInput):
        actions.merge(owner, [first.pk, second.pk])
    with pytest.raises(BadInput):
        actions.merge(owner, [first.pk])


def test_a_comment(owner: Actor) -> None:
    [issue] = issues(raised())
    actions.comment(owner, issue.pk, " seen <b>twice</b> ")
    assert issue.activities.get(kind="comment").detail == {"text": "seen <b>twice</b>"}
    with pytest.raises(BadInput):
        actions.comment(owner, issue.pk, "  ")


@pytest.fixture
def prod(owner: Actor) -> Item:
    return inventory.create_item(owner, "service", "shop", {"env": "prod"})


def test_others_errors_are_out_of_reach(owner: Actor, teammate: Actor, stranger: Actor, prod: Item) -> None:
    [ours, theirs] = issues(raised(at=ago(hours=1)), raised("KeyError", tags={"service": "lab"}, server_name="lab1"))
    bind(owner)
    assert get_issue(teammate, ours.pk) == ours
    with pytest.raises(NotFound):
        get_issue(teammate, theirs.pk)
    with pytest.raises(Denied):
        actions.resolve(teammate, [ours.pk])
    Role.objects.filter(name="prod-operator").update(verbs=["telemetry.query", "errors.edit"])
    actions.resolve(teammate, [ours.pk])
    with pytest.raises(NotFound):
        actions.resolve(teammate, [ours.pk, theirs.pk])
    with pytest.raises(NotFound):
        actions.merge(teammate, [ours.pk, theirs.pk])
    with pytest.raises(Denied):
        get_issue(stranger, ours.pk)
