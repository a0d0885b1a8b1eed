"""Runs meet guard rules: a reason, a second person, a refusal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from tests.people import actor, person

from quarterdeck.access.actions import create_token
from quarterdeck.access.models import Role
from quarterdeck.audit.actor import SYSTEM, Actor, ActorKind
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, BadQuery, Conflict, Denied, NotFound
from quarterdeck.inventory.actions import create_item
from quarterdeck.jobs.guards import actions as guards
from quarterdeck.jobs.guards import queries
from quarterdeck.jobs.guards.models import GuardRule
from quarterdeck.jobs.runs import actions, approving, claiming
from quarterdeck.jobs.runs.models import HostStatus, Run, RunState
from quarterdeck.jobs.runs.planning import Options

pytestmark = pytest.mark.django_db
Announced = list[int]


@pytest.fixture(autouse=True)
def announced(monkeypatch: pytest.MonkeyPatch) -> Announced:
    """The shards that workers were told of. There are two hosts, and no rule."""
    told: Announced = []
    monkeypatch.setattr(claiming, "later", lambda _task, pk, **_more: told.append(pk))
    GuardRule.objects.all().delete()
    for name, env in (("web1", "lab"), ("db1", "prod")):
        create_item(SYSTEM, "host", name, {"env": env})
    return told


def operator(name: str) -> Actor:
    return actor(person(name, Role.objects.get(name="operator")))


def rule(**values: Any) -> GuardRule:
    return guards.add_rule(SYSTEM, guards.Rule(**{"name": "careful", **values}))


def start(
    who: Actor, command: str, query: str = "type:host", *, work: dict[str, Any] | None = None, **options: Any
) -> Run:
    return actions.start_run(who, "ssh", {"command": command}, query, Options(**options))


def test_a_rule_asks_for_a_reason(announced: Announced) -> None:
    rule(commands="reboot\nrm -r /*")
    ann = operator("ann")
    with pytest.raises(BadInput) as caught:
        start(ann, "sudo rm -rf /srv/x")
    assert caught.value.field == "reason"
    assert "careful" in caught.value.message
    assert "rm -r /*" in caught.value.message
    assert not Run.objects.exists()
    assert not announced
    run = start(ann, "sudo rm -rf /srv/x", reason="the disk is full")
    assert run.asked == [{"rule": "careful", "description": "", "asks": "reason", "why": "rm -r /*"}]
    assert run.state == RunState.QUEUED
    started = AuditEvent.objects.get(verb="jobs.run.start", object_id=str(run.pk))
    assert started.after["guards"] == {"careful": "reason"}
    assert start(ann, "uptime").asked == []


def test_a_rule_protects_hosts(announced: Announced) -> None:
    rule(query="env:prod", asks="refusal", description="Production is changed by the pipeline.")
    ann = operator("ann")
    with pytest.raises(Denied) as caught:
        start(ann, "uptime")
    assert "db1" in caught.value.message
    assert caught.value.hint == "Production is changed by the pipeline."
    assert start(ann, "uptime", "type:host env:lab").state == RunState.QUEUED


def test_the_strictest_of_several_rules_counts() -> None:
    rule(name="a", commands="reboot")
    rule(name="b", query="env:prod", asks="approval")
    rule(name="c", commands="reboot", query="env:prod", asks="refusal")
    rule(name="d", commands="halt", asks="refusal")
    rule(name="e", asks="refusal", is_enabled=False)
    rule(name="f", asks="refusal", runners=("docker", "pip"))
    met = queries.tried(SYSTEM, "ssh", {"command": "reboot"}, "type:host")
    assert [(one.rule, one.asks) for one in met] == [("c", "refusal"), ("b", "approval"), ("a", "reason")]
    assert met[0].why == "reboot; db1"
    assert [one.rule for one in queries.tried(SYSTEM, "ssh", {"command": "uptime"}, "")] == []


def test_windows_freeze(monkeypatch: pytest.MonkeyPatch) -> None:
    day = now().strftime("%a")
    rule(name="inside", applies="inside", windows=day)
    rule(name="outside", applies="outside", windows=day)
    assert [one.rule for one in queries.tried(SYSTEM, "ssh", {"command": "uptime"}, "")] == ["inside"]


def test_scripts_are_read_by_their_interpreter() -> None:
    rule(name="reboots", commands="reboot")
    rule(name="not known", commands="$")
    for work, expected in (
        ({"script": "uptime\nreboot"}, ["reboots"]),
        ({"script": "#!/bin/bash\n[ -e x ] && /sbin/reboot"}, ["reboots"]),
        ({"script": "echo hi", "interpreter": "/bin/sh -e"}, []),
        ({"script": '"$@"', "arguments": ["reboot"]}, ["not known", "reboots"]),
        # Of another language nothing is known.
        ({"script": "#!/usr/bin/env -S python3 -u\nimport os"}, ["not known"]),
        ({"script": "import os", "interpreter": "python3"}, ["not known"]),
    ):
        assert [one.rule for one in queries.tried(SYSTEM, "ssh", work, "")] == expected, work
    met = queries.tried(SYSTEM, "docker", {"operation": "exec", "container": "x", "command": ["reboot"]}, "")
    assert [one.rule for one in met] == ["reboots"]


def test_what_only_tells_is_not_guarded() -> None:
    rule(asks="refusal")
    work = {"operation": "install", "packages": ["six"], "venv": "/opt/x"}
    run = actions.start_run(operator("ann"), "pip", work, "type:host", Options(is_check=True))
    assert run.asked == []


def test_a_check_that_may_change_something_is_guarded() -> None:
    rule(asks="refusal")
    work = {"playbook": "- hosts: all\n  tasks: [{ping: , check_mode: false}]\n"}
    with pytest.raises(Denied, match="careful"):
        actions.start_run(SYSTEM, "ansible", work, "type:host", Options(is_check=True))


def test_what_one_may_not_run_is_not_tried_either() -> None:
    with pytest.raises(Denied):
        queries.tried(operator("ann"), "local", {"command": "uptime"}, "")


def test_a_second_person_lets_it_begin(announced: Announced) -> None:
    rule(query="env:prod", asks="approval")
    ann, bob = operator("ann"), operator("bob")
    with pytest.raises(BadInput):
        start(ann, "uptime")
    run = start(ann, "uptime", reason="patch day")
    assert run.state == RunState.APPROVAL
    assert not announced
    claiming.advance(run.pk)
    assert claiming.claim(run.shards.get().pk, "w1") is None
    with pytest.raises(Denied, match="second person"):
        approving.approve_run(ann, run.pk)
    assert not approving.may_decide(ann, run)
    assert approving.may_decide(bob, run)
    done = approving.approve_run(bob, run.pk, decision="agreed")
    assert (done.state, done.decided_by, done.decision) == (RunState.QUEUED, "bob", "agreed")
    assert announced == [run.shards.get().pk]
    event = AuditEvent.objects.get(verb="jobs.run.approve")
    assert (event.actor_name, event.reason) == ("bob", "agreed")
    with pytest.raises(Conflict):
        approving.refuse_run(bob, run.pk)


def test_a_token_is_no_second_person() -> None:
    rule(asks="approval")
    ann = person("ann", Role.objects.get(name="operator"))
    token, _secret = create_token(actor(ann), "ci", ["operator"])
    run = start(actor(ann), "uptime", reason="x")
    by_token = Actor(ActorKind.TOKEN, token.name, str(token.pk))
    with pytest.raises(Denied, match="second person"):
        approving.approve_run(by_token, run.pk)


def test_a_second_person_refuses() -> None:
    rule(asks="approval")
    run = start(operator("ann"), "uptime", reason="x")
    done = approving.refuse_run(operator("bob"), run.pk, decision="not today")
    assert (done.state, done.decision) == (RunState.REFUSED, "not today")
    assert done.ended_at is not None
    assert set(run.hosts.values_list("status", flat=True)) == {HostStatus.SKIPPED}
    assert set(run.shards.values_list("is_done", flat=True)) == {True}
    # It may be asked for again, and waits again.
    again = actions.retry_run(operator("cyd"), run.pk, reason="now?")
    assert again.state == RunState.APPROVAL


def test_who_wanted_it_may_cancel_it() -> None:
    rule(asks="approval")
    ann = operator("ann")
    run = start(ann, "uptime", reason="x")
    assert actions.cancel_run(ann, run.pk).state == RunState.CANCELLED


def test_it_needs_the_right_on_all_hosts() -> None:
    rule(asks="approval")
    run = start(operator("ann"), "uptime", reason="x")
    role = Role.objects.create(name="lab", verbs=["jobs.approve", "jobs.view", "inventory.view"], query="env:lab")
    with pytest.raises(Denied):
        approving.approve_run(actor(person("bob", role)), run.pk)
    with pytest.raises(Denied):
        approving.approve_run(actor(person("eve", Role.objects.get(name="viewer"))), run.pk)


def test_one_that_nobody_decides_on_is_refused() -> None:
    rule(asks="approval")
    run = start(operator("ann"), "uptime", reason="x")
    approving.refuse_old()
    assert Run.objects.get(pk=run.pk).state == RunState.APPROVAL
    old = now() - timedelta(hours=settings.QD["approval_hours"], minutes=1)
    Run.objects.filter(pk=run.pk).update(created_at=old)
    approving.refuse_old()
    run.refresh_from_db()
    assert run.state == RunState.REFUSED
    assert run.note
    assert AuditEvent.objects.filter(verb="jobs.run.refuse", object_id=str(run.pk)).exists()


def test_rules_are_added_changed_and_deleted() -> None:
    made = rule(commands="reboot", query="env:prod")
    with pytest.raises(Conflict):
        rule()
    same = guards.change_rule(SYSTEM, made.pk, guards.rule_from(guards.values_of(made)))
    assert AuditEvent.objects.filter(verb="jobs.guard.change").count() == 0
    guards.change_rule(SYSTEM, same.pk, guards.Rule(name="careful", commands="halt"))
    event = AuditEvent.objects.get(verb="jobs.guard.change")
    assert (event.before["commands"], event.after["commands"]) == ("reboot", "halt")
    guards.delete_rule(SYSTEM, made.pk)
    with pytest.raises(NotFound):
        guards.delete_rule(SYSTEM, made.pk)
    with pytest.raises(Denied):
        guards.add_rule(operator("ann"), guards.Rule(name="mine"))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": " "}, "name"),
        ({"asks": "nothing"}, "asks"),
        ({"applies": "sometimes"}, "applies"),
        ({"commands": "rm 'x"}, "commands"),
        ({"runners": ("shh",)}, "runner"),
        ({"windows": "Mon"}, "windows"),
        ({"applies": "inside"}, "windows"),
        ({"zone": "Asia/Shanghia"}, "zone"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_told(values: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        rule(**values)
    assert caught.value.field == field


def test_a_query_that_cannot_be_read_is_told_and_protects_more_never_less() -> None:
    with pytest.raises(BadQuery):
        rule(query="nofield:x")
    made = rule(query="env:prod", asks="refusal")
    GuardRule.objects.filter(pk=made.pk).update(query="gone:x")
    with pytest.raises(Denied, match="gone:x"):
        start(SYSTEM, "uptime", "type:host env:lab")
