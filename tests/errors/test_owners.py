"""Whose errors are: what rules match, what is no rule, and who gets what is new."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from tests.errors.making import issues, raised
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.audit.actor import Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, Denied
from quarterdeck.errors import owner_actions, owning
from quarterdeck.errors.models import Issue, Ownership

RULES = """\
# Everything is somebody's.
path:* ann

path:src/payments/*  bob #web
module:shop.stock.*  carl
url:https://shop.example/checkout*  #web
tags.region:eu dora
path:"src/my files/*.py" eve
"""


@pytest.mark.parametrize(
    ("described", "line", "owners"),
    [
        ("path:README.md", 2, ("ann",)),
        ("path:src/payments/refund.py", 4, ("bob", "#web")),
        ("path:/srv/app/src/payments/deep/refund.py", 4, ("bob", "#web")),
        ("path:C:\\app\\SRC\\Payments\\refund.py", 4, ("bob", "#web")),
        ("path:mysrc/payments/refund.py", 2, ("ann",)),
        ("path:src/payments/x.py module:shop.stock.count", 5, ("carl",)),
        ("module:shop.stock", 0, ()),
        ("url:https://shop.example/checkout?step=2", 6, ("#web",)),
        ("path:src/payments/x.py tags.region:eu", 7, ("dora",)),
        ("tags.region:us", 0, ()),
        ('path:"src/my files/a.py"', 8, ("eve",)),
    ],
)
def test_the_last_line_that_matches_counts(described: str, line: int, owners: tuple[str, ...]) -> None:
    found = owning.match(owning.parse(RULES), owning.subject_of(described))
    assert (found.line if found else 0, found.owners if found else ()) == (line, owners)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path:*", "Line 1: a rule has 1 to 20 owners"),
        ("\n\nsrc/* ann", "Line 3: a rule is a pattern"),
        ("pth:src/* ann", 'Line 1: there is no "pth"'),
        ("tags.:x ann", 'Line 1: there is no "tags."'),
        ("path:x " + "ann " * 21, "1 to 20"),
        ("path:x ann\n" * 1001, "more than 1000"),
        ("x" * 100_001, "longer than"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        owning.parse(text)


def test_many_stars_cost_no_time() -> None:
    rules = owning.parse("path:" + "*a" * 200 + "b ann")
    assert owning.match(rules, owning.subject_of("path:" + "a" * 1000)) is None


@pytest.mark.django_db
class TestWritten:
    def test_by_page_and_api(self, owner_user: User, owner: Actor, teammate: Actor) -> None:
        Group.objects.create(name="web")
        browser = signed_in(owner_user)
        sent = {"project": "42", "text": "path:src/* owner #web\r\n", "assigns": "on"}
        wrong = browser.post("/errors/owners", {**sent, "text": "path:x ownr"})
        assert (wrong.status_code, "nobody called" in wrong.content.decode()) == (422, True)
        assert browser.post("/errors/owners", sent).status_code == 302
        page = browser.get("/errors/owners?project=42&try=path:/srv/src/a.py").content.decode()
        assert "owner, #web" in page
        assert "No rule matches" in browser.get("/errors/owners?project=42&try=path:a.py").content.decode()
        assert browser.get("/errors/owners?project=x&try=x").status_code == 200
        [row] = browser.get("/api/v1/errors/owners").json()["items"]
        assert row == {"project": 42, "text": "path:src/* owner #web\n", "assigns": True}
        tried = browser.get("/api/v1/errors/owners/42/try?q=path:src/x.py").json()
        assert tried == {"line": 1, "rule": "path:src/*", "owners": ["owner", "#web"]}
        body = {"text": "tags.x:1 owner@example.com", "assigns": False}
        assert browser.put("/api/v1/errors/owners/42", body, content_type="application/json").json()["assigns"] is False
        assert owner_actions.assigning_projects() == set()
        owner_actions.set_owners(owner, 42, "# nothing")
        assert not Ownership.objects.exists()
        assert AuditEvent.objects.filter(verb="errors.set_owners", result="ok").count() == 3
        with pytest.raises(Denied):
            owner_actions.set_owners(teammate, 42, "")


@pytest.mark.slow
@pytest.mark.django_db
def test_new_issues_are_assigned(owner: Actor, owner_user: User, teammate_user: User, errors: Engine) -> None:
    Group.objects.create(name="web")
    owner_actions.set_owners(owner, 42, "path:shop/* #web teammate\ntags.service:stock #web")
    issues(raised("KeyError"), raised("TypeError", tags={"service": "stock"}), raised("OSError"))
    by_type = {issue.type: issue for issue in Issue.objects.select_related("assignee")}
    assert by_type["KeyError"].assignee == teammate_user
    assert by_type["TypeError"].assignee is None, "a group is nobody's desk"
    issue = by_type["KeyError"]
    Issue.objects.filter(pk=issue.pk).update(assignee=None)
    issues(raised("KeyError"))
    issue.refresh_from_db()
    assert (issue.event_count, issue.assignee) == (2, None), "only what is new is assigned"
    page = signed_in(owner_user).get(f"/errors/{issue.pk}").content.decode()
    assert "#web, teammate" in page
    assert "Assigned to teammate by the rule path:shop/*" in page
    owned = signed_in(owner_user).get(f"/api/v1/errors/issues/{issue.pk}/origin").json()["owned"]
    assert owned["owners"] == ["#web", "teammate"]
    owner_actions.set_owners(owner, 42, "path:* teammate", assigns=False)
    issues(raised("LookupError"))
    assert Issue.objects.get(type="LookupError").assignee is None
    assert AuditEvent.objects.filter(verb="errors.assign", actor_name="system:owners").count() == 2
