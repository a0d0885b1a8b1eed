"""Pages of guard rules, and the second person's word on a run's page. No engine runs here."""

from __future__ import annotations

import pytest
from django.test import Client
from tests.people import person
from tests.web.conftest import signed_in
from tests.web.test_runs import read

from quarterdeck.access.models import Role
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory.actions import create_item
from quarterdeck.jobs.guards.models import GuardRule
from quarterdeck.jobs.runs import claiming
from quarterdeck.jobs.runs.models import Run, RunState

pytestmark = pytest.mark.django_db
NEW = {
    "name": "No reboot",
    "asks": "approval",
    "commands": "reboot",
    "applies": "always",
    "zone": "UTC",
    "is_enabled": "on",
}


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "later", lambda *_args, **_more: None)
    create_item(SYSTEM, "host", "web1", {"env": "lab"})


def test_the_usual_rule_is_there_in_both_languages(as_owner: Client) -> None:
    assert "Hard to undo" in read(as_owner, "/guards")
    as_owner.cookies["django_language"] = "zh-hans"
    assert "难以撤销的命令" in read(as_owner, "/guards")


def test_an_empty_list_says_what_to_do(as_owner: Client) -> None:
    GuardRule.objects.all().delete()
    assert "/guards/new" in read(as_owner, "/guards")


def test_a_rule_is_made_changed_and_deleted(as_owner: Client) -> None:
    assert as_owner.post("/guards/new", NEW).status_code == 302
    made = GuardRule.objects.get(name="No reboot")
    assert "No reboot" in read(as_owner, f"/guards/{made.pk}")
    wrong = as_owner.post(f"/guards/{made.pk}", NEW | {"commands": "rm 'x"})
    assert wrong.status_code == 422
    assert "do not match" in wrong.content.decode()
    as_owner.post(f"/guards/{made.pk}", NEW | {"commands": "halt", "runners": ["ssh"]})
    made.refresh_from_db()
    assert (made.commands, made.runners) == ("halt", ["ssh"])
    as_owner.post(f"/guards/{made.pk}/delete")
    assert not GuardRule.objects.filter(pk=made.pk).exists()


def test_only_who_may_edits(as_owner: Client) -> None:
    bob = signed_in(person("bob", Role.objects.get(name="operator")))
    assert "/guards/new" not in read(bob, "/guards")
    assert bob.post("/guards/new", NEW).status_code == 403
    assert signed_in(person("eve")).get("/guards").status_code == 403


def test_the_form_of_a_run_tells_while_it_is_typed(as_owner: Client) -> None:
    as_owner.post("/guards/new", NEW)
    typed = {"command": "sudo /sbin/reboot", "query": "env:lab"}
    assert "second person and a reason" in as_owner.post("/guards/met", typed).content.decode()
    for unfinished in ({"command": "uptime"}, {"command": ""}, {"command": "reboot", "query": "env:"}):
        assert "guard rule" not in as_owner.post("/guards/met", unfinished).content.decode()


def test_the_form_of_a_run_asks_for_the_reason(as_owner: Client) -> None:
    answer = as_owner.post("/runs/new", {"query": "env:lab", "command": "reboot", "at_once": "7"})
    assert answer.status_code == 422
    assert "asks for a reason" in answer.content.decode()
    assert not Run.objects.exists()


def test_a_second_person_decides_on_the_page(as_owner: Client) -> None:
    as_owner.post("/guards/new", NEW)
    as_owner.post("/runs/new", {"query": "env:lab", "command": "reboot", "at_once": "7", "reason": "kernel"})
    run = Run.objects.get()
    assert run.state == RunState.APPROVAL
    assert "/decide" not in read(as_owner, f"/runs/{run.pk}")
    assert "somebody else" in read(as_owner, f"/runs/{run.pk}")
    bob = signed_in(person("bob", Role.objects.get(name="operator")))
    assert f"/runs/{run.pk}/decide" in read(bob, f"/runs/{run.pk}")
    assert f'href="/runs/{run.pk}"' in read(bob, "/runs?state=paused,approval")
    assert as_owner.post(f"/runs/{run.pk}/decide", {"act": "approve"}).status_code == 403
    assert bob.post(f"/runs/{run.pk}/decide", {"act": "nothing"}).status_code == 422
    bob.post(f"/runs/{run.pk}/decide", {"act": "approve", "decision": "agreed <b>"})
    run.refresh_from_db()
    assert (run.state, run.decided_by) == (RunState.QUEUED, "bob")
    assert "agreed &lt;b&gt;" in read(bob, f"/runs/{run.pk}")
