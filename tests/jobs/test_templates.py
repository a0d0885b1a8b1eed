"""Job templates: what is asked, what is taken for an answer, where answers go, and who may do what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import translation
from tests.people import actor, person

from quarterdeck.access.models import Role
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, Denied, NotFound, Stale
from quarterdeck.inventory.actions import create_item
from quarterdeck.jobs.runners import runner_named, runners
from quarterdeck.jobs.runs import claiming
from quarterdeck.jobs.runs.actions import retry_run
from quarterdeck.jobs.runs.models import HostStatus, Run, RunHost, RunState
from quarterdeck.jobs.templates import actions, queries
from quarterdeck.jobs.templates.definitions import Field, read, shown
from quarterdeck.jobs.templates.models import Template
from quarterdeck.jobs.templates.rendering import check_places, rendered_query, rendered_work
from quarterdeck.jobs.templates.surveys import answer, answered

pytestmark = pytest.mark.django_db
RESTART = {
    "title": {"en": "Restart a service", "zh-hans": "重启服务"},
    "work": {"command": 'systemctl restart -- "$service"'},
    "query": "type:host env:lab",
    "options": {"batch": "1,50%", "becomes": True},
    "survey": [{"name": "service", "required": True, "regex": r"[\w.@-]+"}],
}
HOSTILE = ["$(touch /tmp/x)", "`id`", "'; id; '", '"; id; "', "a\\", "${IFS}", "-rf", "*", "|| id", "%s%n", "é 漢"]


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "later", lambda *_args, **_more: None)


@pytest.fixture
def hosts() -> None:
    for name, env in (("web1", "lab"), ("web2", "lab"), ("db1", "prod")):
        create_item(SYSTEM, "host", name, {"env": env})


def saved(name: str = "restart", **changes: Any) -> Template:
    return actions.save_template(SYSTEM, name, {**RESTART, **changes})


def asked(kind: Any, given: Any, **more: Any) -> Any:
    return answer(SYSTEM, Field(name="x", kind=kind, **more), given)


@pytest.mark.parametrize(
    ("kind", "given", "more", "value"),
    [
        ("text", "nginx", {"regex": "[a-z]+", "min": 1, "max": 5}, "nginx"),
        ("text", None, {"default": "nginx"}, "nginx"),
        ("text", "", {"default": "nginx"}, None),
        ("lines", "a\r\nb\tc", {}, "a\nb\tc"),
        ("integer", "5", {"min": 5, "max": 5}, 5),
        ("integer", -3, {}, -3),
        ("number", "1.5", {}, 1.5),
        ("number", 2, {}, 2),
        ("boolean", "yes", {}, True),
        ("boolean", False, {"required": True}, False),
        ("choice", "a", {"choices": ["a", "b"]}, "a"),
        ("choices", "b, a,b", {"choices": ["a", "b"]}, ["b", "a"]),
        ("choices", ["a"], {"choices": ["a", "b"]}, ["a"]),
        ("choices", [], {"choices": ["a"]}, None),
        ("date", "2026-12-31", {"min": "2026-01-01"}, "2026-12-31"),
    ],
)
def test_it_takes_an_answer(kind: str, given: Any, more: dict[str, Any], value: Any) -> None:
    assert asked(kind, given, **more) == value


@pytest.mark.parametrize(
    ("kind", "given", "more"),
    [
        ("text", "", {"required": True}),
        ("text", None, {"required": True}),
        ("text", "a\nb", {}),
        ("text", "a\0b", {}),
        ("text", "a\x1b[31m", {}),
        ("text", 5, {}),
        ("text", "nginx;id", {"regex": "[a-z]+"}),
        ("text", "abc", {"max": 2}),
        ("text", "a", {"min": 2}),
        ("text", "x" * 40_000, {}),
        ("lines", "a\0", {}),
        ("integer", "1.5", {}),
        ("integer", True, {}),
        ("integer", "9" * 5000, {}),
        ("integer", 4, {"min": 5}),
        ("integer", 6, {"max": 5}),
        ("number", "nan", {}),
        ("number", "inf", {}),
        ("number", [], {"required": True}),
        ("boolean", "perhaps", {}),
        ("choice", "c", {"choices": ["a", "b"]}),
        ("choices", "a,c", {"choices": ["a", "b"]}),
        ("choices", "a", {"choices": ["a", "b"], "min": 2}),
        ("choices", 5, {"choices": ["a"]}),
        ("date", "31.12.2026", {}),
        ("date", "2026-02-30", {}),
        ("date", "2025-12-31", {"min": "2026-01-01"}),
    ],
)
def test_it_refuses_an_answer(kind: str, given: Any, more: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as error:
        asked(kind, given, **more)
    assert error.value.field == "x"


def test_an_item_is_one_that_the_actor_sees(hosts: None, teammate: Actor) -> None:
    field = Field(name="host", kind="item", query="type:host")
    assert answer(SYSTEM, field, "web1") == "web1"
    assert answer(teammate, field, "db1") == "db1"
    with pytest.raises(BadInput, match="web1"):
        answer(teammate, field, "web1")


def test_a_question_that_nobody_asks_is_named() -> None:
    with pytest.raises(BadInput) as error:
        answered(SYSTEM, read(RESTART).survey, {"servise": "nginx"})
    assert '"service"' in error.value.hint


@pytest.mark.parametrize("value", HOSTILE)
def test_a_shell_gets_an_answer_as_a_variable_only(value: str) -> None:
    for runner, code in (("ssh", "command"), ("ssh", "script"), ("local", "command")):
        work = {code: 'echo "$x"'}
        found = rendered_work(runner_named(runner), work, {"x": value}, ["x", "y"])
        assert found == {code: 'echo "$x"', "environment": {"x": value, "y": ""}}


def test_other_parts_get_values_of_their_kind() -> None:
    work = {
        "operation": "logs",
        "container": "{{ name }}",
        "tail": "{{tail}}",
        "labels": ["{{ more }}", "v={{ tail }}", "{{ name }}"],
    }
    found = rendered_work(runner_named("docker"), work, {"name": "$(id)", "tail": 5}, ["name", "tail", "more"])
    assert found == {"operation": "logs", "container": "$(id)", "tail": 5, "labels": ["v=5", "$(id)"]}


@pytest.mark.parametrize("value", [*HOSTILE, "x OR type:host", '" OR type:host OR name:"', "web1 -env:lab", "*"])
def test_a_query_takes_an_answer_as_one_value(hosts: None, value: str) -> None:
    from quarterdeck.jobs.runs.planning import chosen

    with pytest.raises(BadInput, match="no host"):
        chosen(SYSTEM, rendered_query("name:{{ host }}", {"host": value}))
    found = chosen(SYSTEM, rendered_query("name:{{ hosts }}", {"hosts": ["web1", value, "db1"]}))
    assert [item.name for item in found] == ["db1", "web1"]


def test_what_a_query_depends_on_must_be_answered(hosts: None) -> None:
    saved(query="name:{{ service }}", survey=[{"name": "service"}])
    with pytest.raises(BadInput) as error:
        actions.start_template(SYSTEM, "restart", {})
    assert error.value.field == "service"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"),
        ({"tittle": "x"}, "definition"),
        ({"work": {"command": "echo {{ service }}"}}, "work"),
        ({"work": {"script": "echo {{service}}"}}, "work"),
        ({"work": {"command": "true", "directory": "/srv/{{ nobody }}"}}, "work"),
        ({"work": {"command": "true", "environment": {"service": "x"}}}, "work"),
        ({"work": {"commando": "true"}}, "work"),
        ({"runner": "sssh"}, "runner"),
        ({"runner": "docker", "work": {"operation": "exec", "container": "a", "command": ["{{ service }}"]}}, "work"),
        ({"query": 'name:"{{ service }}"'}, "query"),
        ({"query": "name:{{ nobody }}"}, "query"),
        ({"options": {"batch": "many"}}, "batch"),
        ({"options": {"is_check": True}}, "options"),
        ({"survey": [{"name": "a"}, {"name": "a"}]}, "survey"),
        ({"survey": [{"name": "PATH"}]}, "survey[0].name"),
        ({"survey": [{"name": "a", "kind": "choice"}]}, "a"),
        ({"survey": [{"name": "a", "regex": "("}]}, "survey"),
        ({"survey": [{"name": "a", "regex": "(?=x)"}]}, "survey"),
        ({"survey": [{"name": "a", "kind": "integer", "default": "x"}]}, "survey"),
        ({"survey": [{"name": "a", "kind": "integer", "min": "x"}]}, "a"),
        ({"survey": [{"name": "a", "kind": "date", "max": "soon"}]}, "date"),
        ({"survey": [{"name": "a", "kind": "item"}]}, "a"),
        ({"survey": [{"name": "a", "kind": "secret"}]}, "survey[0].kind"),
    ],
)
def test_it_refuses_a_template(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as error:
        saved(**changes)
    assert error.value.field == ("a" if field == "date" else field)
    assert not Template.objects.exists()


def test_it_is_changed_with_a_version_and_is_in_the_log() -> None:
    assert saved().version == 1
    assert saved().version == 1, "the same is left alone"
    assert actions.save_template(SYSTEM, "restart", {**RESTART, "query": "env:prod"}, version=1).version == 2
    with pytest.raises(Stale):
        actions.save_template(SYSTEM, "restart", RESTART, version=1)
    events = AuditEvent.objects.filter(verb="jobs.template.save").order_by("seq")
    assert [event.detail for event in events] == ["version 1", "version 2"]
    actions.delete_template(SYSTEM, "restart")
    with pytest.raises(NotFound):
        queries.template_of(SYSTEM, "restart")


def test_a_run_remembers_its_template_and_the_answers(hosts: None) -> None:
    saved()
    run = actions.start_template(SYSTEM, "restart", {"service": "nginx"}, query="name:web1", reason="CHG-1")
    assert (run.template, run.template_version, run.answers) == ("restart", 1, {"service": "nginx"})
    assert (run.title, run.query, run.becomes) == ("Restart a service", "(type:host env:lab) (name:web1)", True)
    assert run.work["environment"] == {"service": "nginx"}
    assert [host.name for host in run.hosts.all()] == ["web1"]
    after = AuditEvent.objects.get(verb="jobs.run.start").after_json
    assert '"answers":{"service":"nginx"}' in after
    RunHost.objects.filter(run=run).update(status=HostStatus.FAILED)
    Run.objects.filter(pk=run.pk).update(state=RunState.FAILED, ended_at=run.created_at)
    again = retry_run(SYSTEM, run.pk)
    assert (again.template, again.answers, again.title) == ("restart", {"service": "nginx"}, run.title)


def test_a_check_is_asked_for_where_the_runner_can(hosts: None) -> None:
    saved()
    with pytest.raises(BadInput):
        actions.start_template(SYSTEM, "restart", {"service": "nginx"}, is_check=True)
    saved("pip", runner="pip", work={"operation": "install", "packages": ["{{ service }}"], "venv": "/srv/v"})
    assert actions.start_template(SYSTEM, "pip", {"service": "django"}, is_check=True).is_check
    assert not actions.start_template(SYSTEM, "pip", {"service": "django"}).is_check


def with_verbs(*verbs: str) -> Actor:
    role = Role.objects.create(name="-".join(verbs).replace(".", ""), title="x", verbs=list(verbs))
    return actor(person(role.name, role))


def test_each_right_lets_do_its_own(hosts: None, stranger: Actor) -> None:
    saved()
    starts, edits = with_verbs("jobs.view", "jobs.run", "inventory.view"), with_verbs("jobs.view", "jobs.templates")
    assert actions.start_template(starts, "restart", {"service": "nginx"}).actor == starts.name
    with pytest.raises(Denied):
        actions.save_template(starts, "restart", {**RESTART, "query": "env:prod"})
    with pytest.raises(Denied):
        actions.delete_template(starts, "restart")
    assert actions.save_template(edits, "restart", {**RESTART, "query": "env:prod"}).version == 2
    with pytest.raises(Denied):
        actions.start_template(edits, "restart", {"service": "nginx"})
    refused: list[Callable[[], object]] = [
        lambda: actions.start_template(stranger, "restart", {"service": "nginx"}),
        lambda: actions.save_template(stranger, "x", RESTART),
        lambda: queries.templates(stranger),
        lambda: queries.library(stranger),
    ]
    for call in refused:
        with pytest.raises(Denied):
            call()


def test_the_local_runner_still_takes_its_own_right(hosts: None) -> None:
    saved(runner="local")
    with pytest.raises(Denied, match="run_local"):
        actions.start_template(with_verbs("jobs.view", "jobs.run", "inventory.view"), "restart", {"service": "x"})


def test_the_library_is_whole_and_speaks_both_languages() -> None:
    names = [one.name for one in queries.library(SYSTEM)]
    assert names == ["add-user", "collect-diagnostics", "disk-cleanup", "patch", "restart-service", "rotate-logs"]
    for name in names:
        template = actions.take_from_library(SYSTEM, name)
        assert actions.take_from_library(SYSTEM, name).version == template.version == 1
        definition = read(template.definition)
        words = [definition.title, definition.description, *(field.label for field in definition.survey)]
        words += [field.help for field in definition.survey if field.help]
        for one in words:
            assert isinstance(one, dict)
            assert set(one) == {"en", "zh-hans"}, (name, one)


def test_words_are_those_of_the_language_that_is_spoken() -> None:
    title = read(RESTART).title
    with translation.override("zh-hans"):
        assert shown(title) == "重启服务"
    assert shown(title) == "Restart a service"
    assert shown({"fr": "Redémarrer"}) == "Redémarrer"


def test_what_runners_call_code_takes_variables() -> None:
    found = {name: runner.answers for name, runner in runners().items() if runner.code}
    usual = dict.fromkeys(("ssh", "local", "docker"), "environment")
    assert found == {**usual, "ansible": "variables"}


def test_answers_are_variables_of_a_playbook() -> None:
    ansible = runners()["ansible"]
    playbook = "- hosts: all\n  vars: {a: '{{ inventory_hostname }} {{ version }}'}\n"
    work = {"playbook": playbook, "variables": {"b": "1"}}
    check_places(ansible, work, "", ["version"])
    found = rendered_work(ansible, work, {"version": "{{ x }}"}, ["version"])
    assert found == {**work, "variables": {"b": "1", "version": "{{ x }}"}}
