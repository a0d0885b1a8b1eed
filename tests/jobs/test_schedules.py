"""What becomes of each time at which a schedule is due: once, whoever looks how often; and with whose rights."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from tests.people import actor, person

from quarterdeck.access.models import Role, RoleBinding, User
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound, Stale
from quarterdeck.inventory.actions import create_item
from quarterdeck.jobs.runs import claiming
from quarterdeck.jobs.runs.models import Run, RunState
from quarterdeck.jobs.schedules import actions, firing, queries
from quarterdeck.jobs.schedules.definitions import Plan
from quarterdeck.jobs.schedules.models import Firing, Outcome, Schedule
from quarterdeck.jobs.templates.actions import delete_template, save_template

pytestmark = pytest.mark.django_db
PLAN: dict[str, Any] = {"work": {"command": "uptime"}, "query": "type:host env:lab", "every": "10m"}
START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
Clock = Callable[[float], datetime]


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "later", lambda *_args, **_more: None)


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Set the clock to so many minutes after the start."""
    time = [START]
    for module in (firing, actions, queries):
        monkeypatch.setattr(module, "now", lambda: time[0])

    def move(minutes: float) -> datetime:
        time[0] = START + timedelta(minutes=minutes)
        return time[0]

    return move


@pytest.fixture(autouse=True)
def hosts(db: None) -> None:
    create_item(SYSTEM, "host", "web1", {"env": "lab"})


def saved(who: Actor = SYSTEM, /, **changes: Any) -> Schedule:
    return actions.save_schedule(who, "nightly", {**PLAN, **changes})


def outcomes() -> list[str]:
    return list(Firing.objects.order_by("pk").values_list("outcome", flat=True))


def end(run: Run | None) -> None:
    assert run is not None
    Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED, ended_at=START)


def newest() -> Firing:
    return Firing.objects.order_by("-pk")[0]


def test_it_starts_what_is_due_once(at: Clock) -> None:
    schedule = saved()
    assert schedule.next_run_at == at(10)
    at(9.9)
    assert firing.fire_due() == 0
    at(10.01)
    assert firing.fire_due() == 1
    assert firing.fire_due() == 0
    run = Run.objects.get()
    assert (run.schedule, run.query, run.title) == ("nightly", PLAN["query"], "uptime")
    found = newest()
    assert (found.due_at, found.at, found.run) == (START + timedelta(minutes=10), at(10.01), run)
    schedule.refresh_from_db()
    assert schedule.next_run_at == at(20)
    event = AuditEvent.objects.get(verb="jobs.run.start")
    assert (event.auth_method, '"schedule":"nightly"' in event.after_json) == ("schedule", True)


def test_of_two_that_saw_it_due_one_starts_it(at: Clock) -> None:
    saved()
    at(10)
    first, second = Schedule.objects.get(), Schedule.objects.get()
    assert firing.fire(first, at(10))
    assert not firing.fire(second, at(10))
    assert Run.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgresql
def test_of_many_at_once_one_starts_it(at: Clock) -> None:
    saved()
    at(10)
    barrier = Barrier(8)
    found: list[int] = []

    def look() -> None:
        try:
            barrier.wait()
            found.append(firing.fire_due())
        finally:
            connection.close()

    threads = [Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(found), Run.objects.count(), outcomes()) == (1, 1, [Outcome.STARTED])


def test_a_crash_in_the_middle_leaves_it_due(at: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = saved()
    at(10)
    with monkeypatch.context() as broken:
        broken.setattr(Firing, "save", _die)
        with pytest.raises(KeyboardInterrupt):
            firing.fire(schedule, at(10))
    assert (Run.objects.count(), outcomes()) == (0, [])
    assert firing.fire_due() == 1
    assert Run.objects.count() == 1


def _die(*_args: object, **_more: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("missed", "outcome", "runs"), [("skip", Outcome.MISSED, 0), ("run", Outcome.STARTED, 1)])
def test_what_was_missed_is_left_out_or_made_up_for_once(at: Clock, missed: str, outcome: str, runs: int) -> None:
    schedule = saved(missed=missed)
    at(64)
    assert firing.fire_due() == 1
    assert firing.fire_due() == 0
    assert (outcomes(), Run.objects.count()) == ([outcome], runs)
    schedule.refresh_from_db()
    assert schedule.next_run_at == at(70)


def test_a_little_late_is_not_missed(at: Clock) -> None:
    saved()
    at(10.9)
    firing.fire_due()
    assert outcomes() == [Outcome.STARTED]


def test_beside_a_run_that_still_goes_it_is_left_out(at: Clock) -> None:
    saved(overlap="skip")
    for minutes in (10, 20):
        at(minutes)
        firing.fire_due()
    assert (outcomes(), Run.objects.count()) == ([Outcome.STARTED, Outcome.SKIPPED], 1)
    end(Run.objects.get())
    at(30)
    firing.fire_due()
    assert outcomes()[2:] == [Outcome.STARTED]


def test_beside_a_run_that_still_goes_it_waits(at: Clock) -> None:
    saved(overlap="queue")
    for minutes in (10, 20, 30):
        at(minutes)
        firing.fire_due()
    assert outcomes() == [Outcome.STARTED, Outcome.WAITING, Outcome.SKIPPED]
    at(31)
    end(Run.objects.get())
    assert firing.fire_due() == 1
    assert firing.fire_due() == 0
    assert (outcomes(), Run.objects.count()) == ([Outcome.STARTED, Outcome.STARTED, Outcome.SKIPPED], 2)
    assert Firing.objects.get(due_at=at(20)).at == at(31)


def test_what_waits_ends_when_it_is_switched_off(at: Clock) -> None:
    saved(overlap="queue")
    for minutes in (10, 20):
        at(minutes)
        firing.fire_due()
    actions.switch_schedule(SYSTEM, "nightly", is_enabled=False)
    end(Run.objects.get())
    assert firing.fire_due() == 0
    assert outcomes() == [Outcome.STARTED, Outcome.SKIPPED]


def test_what_waits_ends_when_it_is_saved_switched_off(at: Clock) -> None:
    saved(overlap="queue")
    for minutes in (10, 20):
        at(minutes)
        firing.fire_due()
    actions.save_schedule(SYSTEM, "nightly", {**PLAN, "overlap": "queue"}, is_enabled=False)
    end(Run.objects.get())
    assert firing.fire_due() == 0
    assert outcomes() == [Outcome.STARTED, Outcome.SKIPPED]


def test_what_was_seen_waiting_is_looked_at_again(at: Clock) -> None:
    saved(overlap="queue")
    for minutes in (10, 20):
        at(minutes)
        firing.fire_due()
    seen = Firing.objects.get(outcome=Outcome.WAITING)
    assert not firing._begin_waiting(seen), "the run before goes on"
    end(Run.objects.get())
    Schedule.objects.update(is_enabled=False)
    assert firing._begin_waiting(seen)
    assert (outcomes(), Run.objects.count()) == ([Outcome.STARTED, Outcome.SKIPPED], 1)
    assert not firing._begin_waiting(seen)


def test_it_may_begin_beside_the_run_before(at: Clock) -> None:
    saved(overlap="allow")
    for minutes in (10, 20):
        at(minutes)
        firing.fire_due()
    assert (outcomes(), Run.objects.count()) == ([Outcome.STARTED] * 2, 2)


def test_once_is_over_after_it(at: Clock) -> None:
    schedule = saved(every="", at="2026-06-01T12:30")
    at(30)
    assert firing.fire_due() == 1
    schedule.refresh_from_db()
    assert (schedule.next_run_at, queries.upcoming(schedule)) == (None, [])
    with pytest.raises(BadInput, match="passed"):
        saved(every="", at="2026-06-01T12:30")


def test_switched_off_it_is_not_due_and_on_again_from_then(at: Clock) -> None:
    saved()
    assert actions.switch_schedule(SYSTEM, "nightly", is_enabled=False).next_run_at is None
    at(35)
    assert firing.fire_due() == 0
    assert actions.switch_schedule(SYSTEM, "nightly", is_enabled=True).next_run_at == at(40)
    assert [when.minute for when in queries.upcoming(Schedule.objects.get())] == [40, 50, 0, 10, 20]


def test_a_change_that_comes_between_is_not_overrun(at: Clock) -> None:
    seen = saved()
    saved(work={"command": "id"})
    assert not firing.fire(seen, at(10))
    assert firing.fire_due() == 1
    assert Run.objects.get().title == "id"


def test_what_cannot_start_says_why_and_the_next_is_tried(at: Clock) -> None:
    saved(query="env:nowhere")
    at(10)
    firing.fire_due()
    found = newest()
    assert (found.outcome, found.run) == (Outcome.FAILED, None)
    assert "no host" in found.error
    create_item(SYSTEM, "host", "late1", {"env": "nowhere"})
    at(20)
    firing.fire_due()
    assert newest().outcome == Outcome.STARTED


def test_our_own_fault_does_not_stop_the_others(at: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    saved()
    actions.save_schedule(SYSTEM, "other", {**PLAN, "work": {"command": "id"}})
    real = firing.start

    def start(who: Actor, schedule: Schedule, plan: Plan) -> Run:
        if schedule.name == "nightly":
            raise ZeroDivisionError
        return real(who, schedule, plan)

    monkeypatch.setattr(firing, "start", start)
    at(10)
    assert firing.fire_due() == 2
    assert sorted(outcomes()) == [Outcome.FAILED, Outcome.STARTED]


def test_a_time_that_is_due_again_has_been(at: Clock) -> None:
    saved()
    at(10)
    assert firing.fire_due() == 1
    at(9.99)
    actions.switch_schedule(SYSTEM, "nightly", is_enabled=False)
    assert actions.switch_schedule(SYSTEM, "nightly", is_enabled=True).next_run_at == START + timedelta(minutes=10)
    at(10.01)
    assert firing.fire_due() == 0
    assert (outcomes(), Schedule.objects.get().next_run_at) == ([Outcome.STARTED], START + timedelta(minutes=20))


@pytest.mark.parametrize("following", [START + timedelta(minutes=20), None])
def test_what_cannot_be_handled_has_failed_once(
    at: Clock, monkeypatch: pytest.MonkeyPatch, following: datetime | None
) -> None:
    saved(overlap="queue")
    broken = "_is_going" if following else "rhythm_of"
    monkeypatch.setattr(firing, broken, lambda *_args: {}["nothing"])
    at(10)
    assert firing.fire_due() == 1
    assert firing.fire_due() == 0
    assert (newest().outcome, "KeyError" in newest().error, Run.objects.count()) == (Outcome.FAILED, True, 0)
    assert Schedule.objects.get().next_run_at == following


def test_the_audit_log_has_no_values_of_variables(at: Clock) -> None:
    for value in ("hunter2", "hunter3"):
        saved(work={"command": "id", "environment": {"DB": value}})
        work = {"playbook": "- hosts: all", "variables": {"db": value}, "files": {"a.yml": f"- {value}"}}
        save_template(SYSTEM, "site", {"title": "Site", "runner": "ansible", "work": work})
    actions.delete_schedule(SYSTEM, "nightly")
    delete_template(SYSTEM, "site")
    told = "".join(before + after for before, after in AuditEvent.objects.values_list("before_json", "after_json"))
    assert '"environment":{"DB":"********"}' in told
    assert '"variables":{"db":"********"}' in told
    assert '"a.yml":"sha256:' in told
    assert "hunter" not in told


def runner_of(name: str, *verbs: str) -> Actor:
    verbs = verbs or ("jobs.view", "jobs.run", "jobs.schedules", "inventory.view")
    return actor(person(name, Role.objects.create(name=f"role-{name}", title="x", verbs=list(verbs))))


def test_it_runs_with_the_rights_that_its_owner_has_by_then(at: Clock) -> None:
    owner = runner_of("planner")
    saved(owner)
    at(10)
    firing.fire_due()
    assert (Run.objects.get().actor, Run.objects.get().actor_id) == ("planner", owner.id)
    end(Run.objects.get())
    RoleBinding.objects.filter(user_id=int(owner.id)).delete()
    at(20)
    firing.fire_due()
    assert newest().outcome == Outcome.FAILED
    assert "jobs.run" in newest().error
    assert AuditEvent.objects.filter(result="denied", actor_name="planner").exists()
    User.objects.filter(pk=int(owner.id)).delete()
    at(30)
    firing.fire_due()
    assert (newest().outcome, Run.objects.count()) == (Outcome.FAILED, 1)


def test_whoever_changes_it_becomes_its_owner(at: Clock) -> None:
    first, second = runner_of("first"), runner_of("second")
    assert saved(first).owner == "first"
    assert saved(second, every="20m").owner == "second"
    assert actions.switch_schedule(first, "nightly", is_enabled=False).owner == "second"


def test_each_right_lets_do_its_own(at: Clock, stranger: Actor) -> None:
    saved()
    looks, runs, plans = (
        runner_of("looks", "jobs.view"),
        runner_of("runs", "jobs.view", "jobs.run", "inventory.view"),
        runner_of("plans", "jobs.view", "jobs.schedules"),
    )
    assert actions.run_schedule(runs, "nightly").actor == "runs"
    assert newest().is_by_hand
    refused: list[Callable[[], object]] = [
        lambda: saved(plans),
        lambda: saved(runs),
        lambda: actions.run_schedule(looks, "nightly"),
        lambda: actions.run_schedule(plans, "nightly"),
        lambda: actions.switch_schedule(runs, "nightly", is_enabled=False),
        lambda: actions.delete_schedule(runs, "nightly"),
        lambda: queries.schedules(stranger),
        lambda: saved(runner_of("local"), runner="local"),
    ]
    for call in refused:
        with pytest.raises(Denied):
            call()
    actions.delete_schedule(plans, "nightly")
    with pytest.raises(NotFound):
        queries.schedule_of(SYSTEM, "nightly")


def test_a_template_is_started_with_its_answers(at: Clock) -> None:
    survey = [{"name": "service", "required": True}]
    save_template(SYSTEM, "restart", {"title": "Restart", "work": {"command": 'restart "$service"'}, "survey": survey})
    plan = {"template": "restart", "work": {}, "values": {"service": "nginx"}}
    with pytest.raises(BadInput) as error:
        saved(**{**plan, "values": {}})
    assert error.value.field == "service"
    saved(**plan)
    with pytest.raises(Conflict, match="nightly"):
        delete_template(SYSTEM, "restart")
    at(10)
    firing.fire_due()
    run = Run.objects.get()
    assert (run.template, run.answers, run.schedule) == ("restart", {"service": "nginx"}, "nightly")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"query": ""}, "query"),
        ({"query": "nosuch:1"}, ""),
        ({"work": {}}, "template"),
        ({"template": "x"}, "template"),
        ({"work": {"commando": "x"}}, "work"),
        ({"values": {"a": 1}}, "values"),
        ({"options": {"is_check": True}}, "options"),
        ({"options": {"batch": "many"}}, "batch"),
        ({"every": "", "cron": "0 0 30 2 *"}, "cron"),
        ({"not_on": ["mon-sun"]}, "not_on"),
        ({"missed": "perhaps"}, "missed"),
        ({"evry": "1h"}, "definition"),
    ],
)
def test_it_refuses_a_schedule(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as error:
        saved(**changes)
    assert not field or error.value.field == field
    assert not Schedule.objects.exists()


def test_a_schedule_that_moved_on_is_not_overwritten() -> None:
    saved()
    with pytest.raises(Stale):
        actions.save_schedule(SYSTEM, "nightly", PLAN, version=9)


def test_old_history_is_forgotten(at: Clock) -> None:
    saved()
    at(10)
    firing.fire_due()
    assert firing.forget_old() == 0
    at(60 * 24 * 500)
    assert firing.forget_old() == 1
    assert Run.objects.count() == 1
