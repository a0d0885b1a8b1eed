"""Pages of job templates: the list with the library, the form of the questions, the file."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from tests.people import person
from tests.web.conftest import signed_in

from quarterdeck.access.models import Role
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory.actions import create_item
from quarterdeck.jobs.runs import claiming
from quarterdeck.jobs.runs.models import Run
from quarterdeck.jobs.templates import actions
from quarterdeck.jobs.templates.models import Template

pytestmark = pytest.mark.django_db
ASKING: dict[str, Any] = {
    "title": {"en": "Ask <everything>", "zh-hans": "全部"},
    "work": {"command": 'echo "$service"'},
    "survey": [
        {"name": "service", "label": "Service", "required": True, "regex": "[a-z]+", "default": "nginx"},
        {"name": "notes", "kind": "lines"},
        {"name": "count", "kind": "integer", "min": 1, "max": 9},
        {"name": "gently", "kind": "boolean", "default": True},
        {"name": "how", "kind": "choice", "choices": [{"value": "a", "label": "First"}, "b"]},
        {"name": "parts", "kind": "choices", "choices": ["x", "y"], "default": ["x"]},
        {"name": "host", "kind": "item", "query": "type:host"},
        {"name": "day", "kind": "date", "min": "2026-01-01"},
    ],
}


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "later", lambda *_args, **_more: None)


@pytest.fixture
def asking() -> Template:
    create_item(SYSTEM, "host", "web1", {"env": "lab"})
    return actions.save_template(SYSTEM, "ask", ASKING)


def read(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, answer.content
    return answer.content.decode()


def test_an_empty_list_has_the_library_to_take_from(as_owner: Client) -> None:
    page = read(as_owner, "/templates")
    assert "No templates yet" in page
    assert "Collect diagnostics" in page
    assert as_owner.post("/templates/library/patch").headers["Location"] == "/templates/patch"
    assert 'href="/templates/patch"' in read(as_owner, "/templates")
    assert "/templates/library/patch" not in read(as_owner, "/templates")


def test_each_question_has_the_control_of_its_kind(as_owner: Client, asking: Template) -> None:
    page = read(as_owner, "/templates/ask?q=env:lab")
    assert "Ask &lt;everything&gt;" in page
    for part in (
        'name="answer_service" value="nginx"',
        '<textarea name="answer_notes"',
        'type="number" name="answer_count" min="1" max="9" step="1"',
        'type="checkbox" name="answer_gently"',
        '<option value="a">First</option>',
        'type="checkbox" name="answer_parts" value="x"',
        '<option value="web1">web1</option>',
        'type="date"',
        'value="env:lab"',
    ):
        assert part in page, part


def test_the_form_starts_a_run_that_can_be_had_again(as_owner: Client, asking: Template) -> None:
    sent = {"query": "env:lab", "answer_service": "cron", "answer_count": "3", "answer_parts": ["y"], "reason": "CHG-1"}
    answer = as_owner.post("/templates/ask", {**sent, "answer_notes": " a\r\nb"})
    run = Run.objects.get()
    assert answer.headers["Location"] == f"/runs/{run.pk}"
    wanted = {"service": "cron", "notes": " a\nb", "count": 3, "gently": False, "parts": ["y"]}
    assert (run.answers, run.reason) == (wanted, "CHG-1")
    page = read(as_owner, f"/runs/{run.pk}")
    assert f"/templates/ask?again={run.pk}" in page
    assert "cron" in page
    again = read(as_owner, f"/templates/ask?again={run.pk}")
    assert 'name="answer_service" value="cron"' in again
    assert f"Run {run.pk}" in again


def test_what_is_wrong_stands_at_its_question(as_owner: Client, asking: Template) -> None:
    answer = as_owner.post("/templates/ask", {"query": "env:lab", "answer_service": "$(id)", "answer_count": "99"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "9 at most" in page
    assert "does not match" in page
    assert 'value="$(id)"' in page
    nothing = as_owner.post("/templates/ask", {"query": "", "answer_service": "cron"})
    assert (nothing.status_code, Run.objects.count()) == (422, 0)


def test_a_template_is_written_changed_and_deleted(as_owner: Client) -> None:
    made = as_owner.post("/templates/new", {"name": "up", "definition": "title: Up\nwork: {command: uptime}\n"})
    assert made.headers["Location"] == "/templates/up"
    wrong = as_owner.post("/templates/up/edit", {"definition": "title: [", "version": "1"})
    assert wrong.status_code == 422
    wrong = as_owner.post("/templates/up/edit", {"definition": "title: Up\nwork: {}", "version": "1"})
    assert (wrong.status_code, "Give a command or a script" in wrong.content.decode()) == (422, True)
    late = as_owner.post("/templates/up/edit", {"definition": "title: Up\nwork: {command: id}", "version": "9"})
    assert late.status_code == 422
    done = as_owner.post("/templates/up/edit", {"definition": "title: Up\nwork: {command: id}", "version": "1"})
    assert done.status_code == 302
    assert read(as_owner, "/templates/up/export") == "name: up\ntitle: Up\nwork:\n  command: id\n"
    as_owner.post("/templates/up/delete")
    assert not Template.objects.exists()


def test_who_may_not_run_sees_it_and_starts_nothing(as_stranger: Client, as_teammate: Client, asking: Template) -> None:
    assert as_stranger.get("/templates").status_code == 403
    assert as_teammate.post("/templates/ask", {"answer_service": "x"}).status_code == 403


def test_only_who_may_change_it_sees_values_of_variables(as_owner: Client) -> None:
    work = {"command": "id", "environment": {"DB": "hunter2"}}
    actions.save_template(SYSTEM, "backup", {"title": "Backup", "work": work})
    looks = signed_in(person("looks", Role.objects.create(name="looks", title="x", verbs=["jobs.view"])))
    for address in ("/templates/backup", "/templates/backup/export"):
        assert "hunter2" in read(as_owner, address)
        page = read(looks, address)
        assert "hunter2" not in page
        assert "DB: " in page
