"""Rules of redaction: tried by the engine that applies them; one that it does not take is never kept."""

from __future__ import annotations

import pytest
from tests.telemetry.engines import Engine

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound
from quarterdeck.telemetry.builtin import load
from quarterdeck.telemetry.mapping import Rule
from quarterdeck.telemetry.models import RedactionRule
from quarterdeck.telemetry.redaction_rules import (
    delete_rule,
    redact,
    rules_with_hits,
    set_rule,
    switch_rule,
    try_rules,
)

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _built_in(telemetry: Engine) -> None:
    load()


@pytest.mark.parametrize(
    ("text", "stored", "hits"),
    [
        ("card 4111 1111 1111 1111.", "card [card].", ["card"]),
        ("password=hunter2 and more", "password=*** and more", ["password"]),
        ("two\nlines ' \\ \t quoted \x00 end", "two\nlines ' \\ \t quoted \x00 end", []),
        ("密码 secret: 中文密码", "密码 secret: ***", ["password"]),
        ("", "", []),
    ],
)
def test_it_tells_what_would_be_stored(text: str, stored: str, hits: list[str]) -> None:
    found = try_rules(SYSTEM, text)
    assert (found.text, found.hits) == (stored, hits)


def test_a_draft_is_tried_beside_those_in_force_and_not_kept() -> None:
    found = try_rules(SYSTEM, "E123456 password=hunter2", Rule("draft", "E[0-9]{6}", "[staff]"))
    assert (found.text, sorted(found.hits)) == ("[staff] password=***", ["draft", "password"])
    assert not RedactionRule.objects.filter(name="draft").exists()


@pytest.mark.parametrize("pattern", ["(x", "x*", "(?=x)", r"(x)\1", "", "x" * 1001, "a{1001}"])
def test_a_pattern_that_would_stop_the_intake_is_refused(pattern: str) -> None:
    with pytest.raises(BadInput) as caught:
        set_rule(SYSTEM, "mine", pattern=pattern)
    assert caught.value.field == "pattern"
    assert not RedactionRule.objects.filter(name="mine").exists()


def test_a_replacement_that_names_no_group_is_refused() -> None:
    with pytest.raises(BadInput):
        set_rule(SYSTEM, "mine", pattern="(x)y", replacement="\\2")


def test_a_rule_is_made_changed_switched_and_deleted() -> None:
    set_rule(SYSTEM, "mine", pattern="E[0-9]{6}", replacement="[staff]")
    assert redact(["by E123456"])[0] == ("by [staff]", ["mine"])
    set_rule(SYSTEM, "mine", pattern="E[0-9]{6}", replacement="[id]")
    switch_rule(SYSTEM, "mine", is_enabled=False)
    assert redact(["by E123456"])[0] == ("by E123456", [])
    switch_rule(SYSTEM, "mine", is_enabled=True)
    assert redact(["by E123456"])[0] == ("by [id]", ["mine"])
    delete_rule(SYSTEM, "mine")
    with pytest.raises(NotFound):
        delete_rule(SYSTEM, "mine")
    assert AuditEvent.objects.filter(verb="telemetry.set_rule").count() == 4


def test_a_built_in_rule_is_only_switched() -> None:
    with pytest.raises(Conflict):
        set_rule(SYSTEM, "card", pattern="x")
    with pytest.raises(Conflict):
        delete_rule(SYSTEM, "card")
    switch_rule(SYSTEM, "card", is_enabled=False)
    load()
    assert RedactionRule.objects.get(name="card").is_enabled is False


def test_hits_are_counted(telemetry: Engine) -> None:
    from quarterdeck.telemetry import client

    client.command("TRUNCATE TABLE redactions")
    client.command("INSERT INTO redactions SELECT now(), 'card', 'otlp', 3 UNION ALL SELECT now(), 'card', 'syslog', 2")
    client.command("INSERT INTO redactions SELECT now() - INTERVAL 2 DAY, 'card', 'otlp', 100")
    hits = {one.rule.name: one.hits for one in rules_with_hits(SYSTEM)}
    assert (hits["card"], hits["jwt"]) == (5, 0)


def test_who_lacks_the_right_sees_and_tries_nothing(teammate: Actor) -> None:
    for call in (
        lambda: rules_with_hits(teammate),
        lambda: try_rules(teammate, "x"),
        lambda: set_rule(teammate, "mine", pattern="x"),
        lambda: switch_rule(teammate, "card", is_enabled=False),
        lambda: delete_rule(teammate, "card"),
    ):
        with pytest.raises(Denied):
            call()
