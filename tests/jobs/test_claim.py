"""Shards are claimed once, dead workers are found, and a run ends when its hosts have."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from tests.people import actor, person

from quarterdeck.access.models import Role
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound
from quarterdeck.inventory.actions import create_item
from quarterdeck.inventory.models import TimelineEvent
from quarterdeck.jobs.runs import actions, claiming, queries
from quarterdeck.jobs.runs.models import HostStatus, Run, RunHost, RunState, Shard
from quarterdeck.jobs.runs.planning import Options

pytestmark = pytest.mark.django_db
Announced = list[int]
OK, FAILED, LOST, SKIPPED = HostStatus.OK, HostStatus.FAILED, HostStatus.LOST, HostStatus.SKIPPED


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> Announced:
    """The shards that workers were told of."""
    told: Announced = []
    monkeypatch.setattr(claiming, "later", lambda _task, pk, **_more: told.append(pk))
    return told


def start(hosts: int, **options: Any) -> Run:
    for number in range(hosts):
        create_item(SYSTEM, "host", f"web{number:03}", {"env": "lab"})
    return actions.start_run(SYSTEM, "ssh", {"command": "uptime"}, "type:host env:lab", Options(**options))


def end(shard_id: int, status: HostStatus = OK, hosts: int = 10_000) -> None:
    """Do what a worker does: claim, begin and end hosts, let go."""
    shard = claiming.claim(shard_id, "w1")
    assert shard is not None
    waiting = list(shard.hosts.filter(status=HostStatus.WAITING).order_by("pk").values_list("pk", flat=True)[:hosts])
    RunHost.objects.filter(pk__in=waiting).update(status=status)
    claiming.recount(shard)
    claiming.release(shard_id, "w1")


def state(run: Run) -> str:
    return Run.objects.get(pk=run.pk).state


def statuses(run: Run) -> list[str]:
    return list(run.hosts.order_by("pk").values_list("status", flat=True))


def test_a_shard_is_claimed_once(announced: Announced) -> None:
    run = start(3)
    assert len(announced) == 1
    assert claiming.claim(announced[0], "w1") is not None
    assert claiming.claim(announced[0], "w2") is None
    assert state(run) == RunState.RUNNING
    # Another worker's letting go is none.
    claiming.release(announced[0], "w2")
    assert Shard.objects.get(pk=announced[0]).claimed_by == "w1"


def test_it_ends_when_its_hosts_have(announced: Announced) -> None:
    run = start(2)
    end(announced[0])
    assert state(run) == RunState.SUCCEEDED
    events = TimelineEvent.objects.filter(kind="run.finished")
    assert [(event.item.name if event.item else "", event.severity) for event in events] == [
        ("web000", "info"), ("web001", "info"),
    ]  # fmt: skip
    assert AuditEvent.objects.filter(verb="jobs.run.end", object_id=str(run.pk)).exists()
    assert claiming.claim(announced[0], "w2") is None


def test_batches_come_one_after_the_other(announced: Announced) -> None:
    run = start(6, batch="1,2")
    assert run.batches == [1, 2, 2, 1]
    for number in range(4):
        assert len(announced) == number + 1
        end(announced[number])
    assert state(run) == RunState.SUCCEEDED


def test_a_later_batch_cannot_be_claimed_before_its_time(announced: Announced) -> None:
    run = start(2, batch="1")
    later = run.shards.get(batch=1)
    assert claiming.claim(later.pk, "w1") is None


def test_it_stops_when_too_many_fail(announced: Announced) -> None:
    run = start(10, batch="2", max_fail="50%")
    end(announced[0], FAILED, 1)
    # One of two has failed, and the other still waits: half is not more than half.
    assert state(run) == RunState.RUNNING
    end(announced[0], FAILED)
    assert state(run) == RunState.STOPPED
    assert statuses(run) == [FAILED, FAILED, *[SKIPPED] * 8]
    assert len(set(announced)) == 1


def test_the_first_batch_can_wait_for_a_word(announced: Announced) -> None:
    run = start(3, batch="1", pauses_after_first=True)
    end(announced[0])
    assert state(run) == RunState.PAUSED
    assert len(announced) == 1
    actions.resume_run(SYSTEM, run.pk)
    end(announced[1])
    end(announced[2])
    assert state(run) == RunState.SUCCEEDED


def test_a_paused_run_goes_on_where_it_was(announced: Announced) -> None:
    run = start(4)
    assert claiming.claim(announced[0], "w1") is not None
    actions.pause_run(SYSTEM, run.pk)
    RunHost.objects.filter(pk=run.hosts.earliest("pk").pk).update(status=OK)
    claiming.release(announced[0], "w1")
    assert state(run) == RunState.PAUSED
    assert claiming.claim(announced[0], "w1") is None
    actions.resume_run(SYSTEM, run.pk)
    assert len(announced) == 2
    end(announced[0])
    assert statuses(run) == [OK] * 4
    assert state(run) == RunState.SUCCEEDED


def test_a_cancelled_run_begins_nothing_more(announced: Announced) -> None:
    run = start(3)
    assert claiming.claim(announced[0], "w1") is not None
    first = run.hosts.earliest("pk")
    RunHost.objects.filter(pk=first.pk).update(status=HostStatus.RUNNING)
    actions.cancel_run(SYSTEM, run.pk)
    assert state(run) == RunState.CANCELLING
    # A second person wants the same, and gets it.
    actions.cancel_run(SYSTEM, run.pk)
    RunHost.objects.filter(pk=first.pk).update(status=HostStatus.CANCELLED)
    claiming.release(announced[0], "w1")
    assert state(run) == RunState.CANCELLED
    assert statuses(run) == [HostStatus.CANCELLED, SKIPPED, SKIPPED]
    with pytest.raises(Conflict):
        actions.cancel_run(SYSTEM, run.pk)
    with pytest.raises(Conflict):
        actions.resume_run(SYSTEM, run.pk)


def test_one_that_nobody_claimed_is_cancelled_at_once(announced: Announced) -> None:
    run = start(3, batch="1")
    assert actions.cancel_run(SYSTEM, run.pk).state == RunState.CANCELLED
    assert claiming.claim(announced[0], "w1") is None


def die(run: Run, shard_id: int) -> None:
    """Let a worker begin one host, and say nothing any more."""
    assert claiming.claim(shard_id, "w1") is not None
    first = run.hosts.earliest("pk")
    RunHost.objects.filter(pk=first.pk).update(status=HostStatus.RUNNING)
    Shard.objects.filter(pk=shard_id).update(beat_at=now() - timedelta(seconds=settings.QD["worker_dead_seconds"] + 1))


def test_of_a_dead_worker_what_had_begun_is_not_known_and_the_rest_goes_on(announced: Announced) -> None:
    run = start(3)
    die(run, announced[0])
    assert claiming.sweep() == 1
    assert statuses(run) == [LOST, HostStatus.WAITING, HostStatus.WAITING]
    assert "died" in Run.objects.get(pk=run.pk).note
    assert len(announced) == 2
    end(announced[1])
    assert statuses(run) == [LOST, OK, OK]
    assert state(run) == RunState.FAILED
    assert claiming.sweep() == 0


def test_a_worker_that_fails_leaves_nothing_open(announced: Announced) -> None:
    run = start(2)
    assert claiming.claim(announced[0], "w1") is not None
    run.hosts.update(status=HostStatus.RUNNING)
    claiming.release(announced[0], "w1")
    assert statuses(run) == [LOST, LOST]
    assert state(run) == RunState.FAILED
    assert queries.counts_by_run([run])[run.pk] == {LOST: 2}


def test_what_may_be_repeated_is(announced: Announced) -> None:
    run = start(2, is_repeatable=True)
    die(run, announced[0])
    claiming.sweep()
    assert statuses(run) == [HostStatus.WAITING] * 2


def test_a_dead_workers_cancelled_run_ends(announced: Announced) -> None:
    run = start(2)
    die(run, announced[0])
    actions.cancel_run(SYSTEM, run.pk)
    claiming.sweep()
    assert state(run) == RunState.CANCELLED
    assert statuses(run) == [LOST, SKIPPED]


def test_a_worker_that_comes_back_changes_nothing(announced: Announced) -> None:
    run = start(2)
    die(run, announced[0])
    claiming.sweep()
    claiming.release(announced[0], "w1")
    assert Shard.objects.get(pk=announced[0]).is_done is False
    assert claiming.claim(announced[0], "w2") is not None


def test_a_lost_message_is_sent_again(announced: Announced) -> None:
    run = start(2)
    assert claiming.sweep() == 0
    Shard.objects.filter(run=run).update(queued_at=now() - timedelta(seconds=120))
    assert claiming.sweep() == 1
    assert announced == [announced[0]] * 2


def test_only_what_was_not_done_is_retried(announced: Announced) -> None:
    run = start(3)
    end(announced[0], FAILED, 1)
    end(announced[0])
    again = actions.retry_run(SYSTEM, run.pk)
    assert [host.name for host in again.hosts.all()] == ["web000"]
    # Of two who ask at once, one is served.
    with pytest.raises(Conflict):
        actions.retry_run(SYSTEM, run.pk)
    end(announced[-1])
    with pytest.raises(Conflict):
        actions.retry_run(SYSTEM, again.pk)
    assert Run.objects.filter(retry_of=run).count() == 1


def test_many_hosts_are_in_shards_of_like_size(announced: Announced) -> None:
    run = start(9, at_once=75)
    assert run.shards.count() == 1
    from quarterdeck.jobs.runs import planning

    patched = pytest.MonkeyPatch()
    patched.setattr(planning, "_SHARD_HOSTS", 2)
    with patched.context():
        other = actions.start_run(SYSTEM, "ssh", {"command": "x"}, "type:host", Options(at_once=75))
    sizes = [shard.hosts.count() for shard in other.shards.order_by("number")]
    assert sizes == [3, 3, 3]
    assert [shard.hosts_at_once for shard in other.shards.all()] == [25] * 3
    patched.undo()


@pytest.mark.parametrize("query", ["", "   ", "env:nowhere"])
def test_a_query_without_hosts_is_told(query: str, announced: Announced) -> None:
    with pytest.raises(BadInput) as caught:
        actions.start_run(SYSTEM, "ssh", {"command": "uptime"}, query)
    assert caught.value.field == "query"


def test_only_what_can_be_signed_in_on_is_a_host(announced: Announced) -> None:
    create_item(SYSTEM, "service", "shop", {"env": "lab"})
    run = start(1)
    assert run.hosts.count() == 1


@pytest.fixture
def viewer() -> Actor:
    return actor(person("vera", Role.objects.get(name="viewer")))


def test_a_viewer_runs_nothing(viewer: Actor, announced: Announced) -> None:
    run = start(1)
    with pytest.raises(Denied):
        actions.start_run(viewer, "ssh", {"command": "uptime"}, "type:host")
    for act in (actions.cancel_run, actions.pause_run, actions.retry_run):
        with pytest.raises(Denied):
            act(viewer, run.pk)
    assert AuditEvent.objects.filter(actor_name="vera", result="denied").count() == 4


def test_whose_role_ends_at_a_query_sees_and_runs_no_more(announced: Announced) -> None:
    run = start(2)
    create_item(SYSTEM, "host", "db1", {"env": "prod"})
    other = actions.start_run(SYSTEM, "ssh", {"command": "uptime"}, "env:prod")
    verbs = ["inventory.view", "jobs.view", "jobs.run"]
    ann = actor(person("ann", Role.objects.create(name="lab", verbs=verbs, query="env:lab")))
    assert [found.pk for found in queries.runs(ann)] == [run.pk]
    with pytest.raises(NotFound):
        queries.run_of(ann, other.pk)
    with pytest.raises(BadInput):
        actions.start_run(ann, "ssh", {"command": "uptime"}, "env:prod")
    assert actions.start_run(ann, "ssh", {"command": "uptime"}, "type:host").hosts.count() == 2
