"""Pages of schedules: the list, the form with its next times, the history, and what buttons do."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.clock import now
from quarterdeck.inventory.actions import create_item
from quarterdeck.jobs.runs import claiming
from quarterdeck.jobs.runs.models import Run
from quarterdeck.jobs.schedules.actions import save_schedule
from quarterdeck.jobs.schedules.models import Firing, Outcome, Schedule
from quarterdeck.jobs.templates.actions import save_template

pytestmark = pytest.mark.django_db
SENT = {
    "name": "nightly", "command": "uptime", "query": "env:lab", "rhythm": "cron", "when": "30 3 * * *",
    "time_zone": "Europe/Berlin", "not_on": "sat,sun\n\n2026-12-24", "missed": "run", "overlap": "queue",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "later", lambda *_args, **_more: None)


@pytest.fixture(autouse=True)
def host(db: None) -> None:
    create_item(SYSTEM, "host", "web1", {"env": "lab"})


def read(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, answer.content
    return answer.content.decode()


def test_an_empty_list_says_what_to_do(as_owner: Client) -> None:
    assert "No schedules yet" in read(as_owner, "/schedules")


def test_a_schedule_is_made_shown_changed_and_deleted(as_owner: Client) -> None:
    assert as_owner.post("/schedules/new", SENT).headers["Location"] == "/schedules/nightly"
    plan = Schedule.objects.get().plan
    assert plan == {
        "work": {"command": "uptime"}, "query": "env:lab", "cron": "30 3 * * *", "time_zone": "Europe/Berlin",
        "not_on": ["sat,sun", "2026-12-24"], "missed": "run", "overlap": "queue",
    }  # fmt: skip
    page = read(as_owner, "/schedules/nightly")
    assert page.count("03:30:00 CE") == 5
    assert "run once, late" in page
    assert "30 3 * * *" in read(as_owner, "/schedules")
    assert "owner" in page
    form = read(as_owner, "/schedules/nightly/edit")
    assert 'value="30 3 * * *"' in form
    changed: dict[str, Any] = {**SENT, "rhythm": "every", "when": "15m", "not_on": "", "version": "1"}
    assert as_owner.post("/schedules/nightly/edit", changed).status_code == 302
    assert Schedule.objects.get().plan["every"] == "15m"
    assert "cron" not in Schedule.objects.get().plan
    assert as_owner.post("/schedules/nightly/edit", changed).status_code == 422, "it has moved on"
    for act, enabled in (("disable", False), ("enable", True)):
        as_owner.post("/schedules/nightly/act", {"act": act})
        assert Schedule.objects.get().is_enabled is enabled
    assert as_owner.post("/schedules/nightly/act", {"act": "explode"}).status_code == 422
    as_owner.post("/schedules/nightly/act", {"act": "delete"})
    assert not Schedule.objects.exists()


def test_what_is_wrong_stands_at_its_field(as_owner: Client) -> None:
    answer = as_owner.post("/schedules/new", {**SENT, "when": "61 * * * *", "not_on": "someday"})
    assert answer.status_code == 422
    assert "is no day and no hours" in answer.content.decode()
    for changes in ({"query": ""}, {"name": "No Name"}, {"command": ""}, {"when": "0 3 * *"}):
        assert as_owner.post("/schedules/new", {**SENT, **changes}).status_code == 422
    assert not Schedule.objects.exists()


def test_the_form_tells_when_that_is(as_owner: Client) -> None:
    asked = "/schedules/new/times?rhythm=cron&time_zone=Europe/Berlin&not_on=sat,sun&when="
    assert read(as_owner, asked + "30+3+*+*+*").count("03:30:00") == 5
    assert "five fields" in read(as_owner, asked + "30+3")
    assert "Say when" in read(as_owner, asked)
    assert "never be due" in read(as_owner, "/schedules/new/times?rhythm=at&when=2020-01-01T12:00")


def test_a_template_is_asked_with_its_questions(as_owner: Client) -> None:
    survey = [{"name": "service", "label": "Which service", "required": True}]
    save_template(SYSTEM, "restart", {"title": "Restart", "work": {"command": 'restart "$service"'}, "survey": survey})
    assert "Schedule it" in read(as_owner, "/templates/restart")
    form = read(as_owner, "/schedules/new?template=restart")
    assert "Which service" in form
    assert 'name="command"' not in form
    sent = {**SENT, "answer_service": "nginx"}
    assert as_owner.post("/schedules/new?template=restart", {**SENT, "answer_service": ""}).status_code == 422
    assert as_owner.post("/schedules/new?template=restart", sent).headers["Location"] == "/schedules/nightly"
    assert Schedule.objects.get().plan["values"] == {"service": "nginx"}
    assert "nginx" in read(as_owner, "/schedules/nightly/edit")
    ran = as_owner.post("/schedules/nightly/act", {"act": "run"})
    run = Run.objects.get()
    assert ran.headers["Location"] == f"/runs/{run.pk}"
    assert 'href="/schedules/nightly"' in read(as_owner, f"/runs/{run.pk}")
    assert "started by hand" in read(as_owner, "/schedules/nightly")
    assert as_owner.post("/templates/restart/delete").status_code == 409


def test_work_that_the_form_does_not_have_stays(as_owner: Client) -> None:
    work = {"operation": "prune", "kind": "images"}
    plan = {"runner": "docker", "work": work, "query": "env:lab", "every": "1d", "options": {"batch": "10%"}}
    save_schedule(SYSTEM, "nightly", plan)
    assert as_owner.post("/schedules/nightly/edit", SENT).status_code == 302
    found = Schedule.objects.get()
    assert (found.plan["work"], found.plan["options"], found.owner) == (work, {"batch": "10%"}, "owner")


def test_the_history_says_what_became_of_each_time(as_owner: Client) -> None:
    schedule = save_schedule(SYSTEM, "nightly", {"work": {"command": "id"}, "query": "env:lab", "every": "1d"})
    Firing.objects.create(schedule=schedule, due_at=now(), at=now(), outcome=Outcome.FAILED, error="no <host> there")
    page = read(as_owner, "/schedules/nightly")
    assert "Could not start" in page
    assert "No &lt;host&gt; there" in page
    assert "Could not start" in read(as_owner, "/schedules")


def test_who_may_not_changes_nothing(as_stranger: Client, as_teammate: Client) -> None:
    save_schedule(SYSTEM, "nightly", {"work": {"command": "id"}, "query": "env:lab", "every": "1d"})
    assert as_stranger.get("/schedules").status_code == 403
    for client in (as_stranger, as_teammate):
        assert client.post("/schedules/nightly/act", {"act": "run"}).status_code == 403
        assert client.post("/schedules/new", SENT).status_code == 403
