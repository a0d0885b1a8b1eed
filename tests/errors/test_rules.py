"""Rules of grouping: what they select, what they make one of, and what they leave alone."""

from __future__ import annotations

import pytest
from django.test import Client
from tests.errors.making import ago, frame, issues, raised
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.audit.actor import Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, BadQuery, Denied, NotFound
from quarterdeck.errors import actions, rule_actions, ruling
from quarterdeck.errors.models import FingerprintRule
from quarterdeck.errors.reading import read
from quarterdeck.errors.ruling import Sample


def _sample() -> Sample:
    event = raised("TimeoutError", "no answer", "ask", "wait")
    event["exception"]["values"][0]["stacktrace"]["frames"][1]["module"] = "shop.bank"
    frames = [one for thrown in read(event).thrown for one in thrown.frames]
    fields = {"type": "TimeoutError", "value": "no answer", "message": "TimeoutError: no answer", "service": "shop"}
    return Sample(fields, {"region": "eu"}, frames, 255)


@pytest.mark.parametrize(
    ("query", "is_selected"),
    [
        ("type:TimeoutError", True),
        ("error.type:timeout*", True),
        ("type:(KeyError OR TimeoutError)", True),
        ("-type:TimeoutError", False),
        ("answer", True),
        ('"no answer"', True),
        ("question", False),
        ("stack.module:shop.*", True),
        ("stack.module:shop.bank stack.function:ask", True),
        ("stack.path:/srv/shop/*", True),
        ("tags.region:eu service:shop", True),
        ("tags.region:us", False),
        ("transaction:*", False),
    ],
)
def test_a_query_selects_events(query: str, is_selected: bool) -> None:
    assert ruling.matches(query, _sample()) is is_selected


def test_a_fingerprint_is_filled() -> None:
    parts = ["{{ type }}/{{tags.region}}", "{{ default }}", "{{ function }}", "{{ module }}", "fixed"]
    assert ruling.filled(parts, _sample()) == ["TimeoutError/eu", "ff", "wait", "shop.orders", "fixed"]


@pytest.mark.parametrize(
    ("query", "fingerprint"),
    [("", "x"), ("tipe:x", "x"), ("type:>x", "x"), ("type:x", " , "), ("type:x", "{{ hash }}")],
)
def test_what_cannot_be_a_rule_is_refused(query: str, fingerprint: str) -> None:
    with pytest.raises((BadInput, BadQuery)):
        ruling.check(query, fingerprint)


@pytest.mark.slow
@pytest.mark.django_db
class TestInForce:
    @pytest.fixture(autouse=True)
    def _empty(self, errors: Engine) -> None:
        return

    def test_groups_become_one_issue(self, owner: Actor) -> None:
        rule_actions.set_rule(owner, "late", "stack.module:shop.bank", "late", position=1)
        rule_actions.set_rule(owner, "timeouts", "type:Timeout*", "timeout, {{ service }}")
        found = issues(
            raised("TimeoutError", "one", "ask", at=ago(minutes=9)),
            raised("TimeoutExpired", "two", "wait", at=ago(minutes=8)),
            raised("TimeoutError", "three", tags={"service": "stock"}, at=ago(minutes=7)),
            raised("KeyError", at=ago(minutes=6)),
        )
        assert [(one.event_count, one.service) for one in found] == [(2, "shop"), (1, "stock"), (1, "shop")]
        bank = raised("KeyError", at=ago(minutes=1))
        bank["exception"]["values"][0]["stacktrace"]["frames"].append(frame("pay", "shop.bank"))
        assert len(issues(bank)) == 4
        actions.merge(owner, [found[2].pk, found[0].pk])
        issues(raised("TimeoutAgain", "four", "call"))
        assert actions.merge(owner, [found[2].pk, found[1].pk]).event_count == 5, "the key follows a merge"
        assert AuditEvent.objects.filter(verb="errors.set_rule").count() == 2

    def test_what_is_there_stays(self, owner: Actor, teammate: Actor) -> None:
        issues(raised("TimeoutError", "one", "ask"), raised("TimeoutError", "two", "wait"))
        rule_actions.set_rule(owner, "timeouts", "type:Timeout*", "timeout", is_enabled=False)
        assert len(issues(raised("TimeoutError", "three", "call"))) == 3
        with pytest.raises(Denied):
            rule_actions.set_rule(teammate, "mine", "type:x", "x")
        with pytest.raises(NotFound):
            rule_actions.delete_rule(owner, "nobody")

    def test_page_and_api(self, owner_user: User) -> None:
        browser: Client = signed_in(owner_user)
        sent = {"name": "timeouts", "query": "type:Timeout*", "fingerprint": "timeout", "position": "3"}
        assert browser.post("/errors/rules", {**sent, "query": "tipe:x"}).status_code == 422
        assert browser.post("/errors/rules", sent).status_code == 302
        page = browser.get("/errors/rules?rule=timeouts").content.decode()
        assert "type:Timeout*" in page
        [row] = browser.get("/api/v1/errors/rules").json()["items"]
        assert row == {**sent, "position": 3, "enabled": False}
        body = {"query": "type:X", "fingerprint": "x, {{ type }}"}
        answer = browser.put("/api/v1/errors/rules/other", body, content_type="application/json")
        assert answer.json()["enabled"] is True
        wrong = browser.put("/api/v1/errors/rules/Other", body, content_type="application/json")
        assert wrong.status_code == 422
        assert browser.delete("/api/v1/errors/rules/other").status_code == 204
        assert browser.post("/errors/rules/timeouts/delete").status_code == 302
        assert not FingerprintRule.objects.exists()
