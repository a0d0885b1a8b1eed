"""Dashboards are saved, versioned, restored, checked, and told of in the audit log."""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.audit.actor import Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, Denied, NotFound, Stale
from quarterdeck.monitoring.dashboards import actions, queries

pytestmark = pytest.mark.django_db
LOAD = {"expr": 'system_cpu_load_average_1m{host=~"$host"}', "legend": "{{host}}"}


def hosts(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Hosts",
        "variables": [{"name": "host", "kind": "items", "query": "type:host", "multi": True, "all": True}],
        "panels": [{"id": 1, "title": "Load", "queries": [LOAD]}],
        **changes,
    }


def panel(**changes: Any) -> dict[str, Any]:
    return hosts(panels=[{"id": 1, "title": "Load", "queries": [LOAD], **changes}])


def test_a_change_makes_a_version_and_the_same_makes_none(owner: Actor) -> None:
    first = actions.save_dashboard(owner, "hosts", hosts(), note="first")
    assert (first.version, first.changed_by, first.title) == (1, "owner", "Hosts")
    assert actions.save_dashboard(owner, "hosts", hosts()).version == 1
    assert actions.save_dashboard(owner, "hosts", hosts(title="All hosts")).version == 2
    assert [(one.number, one.note) for one in queries.versions(owner, "hosts")] == [(2, ""), (1, "first")]
    told = AuditEvent.objects.filter(verb="monitoring.save_dashboard").order_by("pk")
    assert [event.detail for event in told] == ["hosts version 1: first", "hosts version 2"]


def test_what_is_usual_is_not_kept(owner: Actor) -> None:
    saved = actions.save_dashboard(owner, "hosts", panel(kind="timeseries", draw="line", w=12))
    assert saved.definition["panels"] == [{"id": 1, "title": "Load", "queries": [LOAD]}]


def test_an_earlier_version_becomes_the_newest_again(owner: Actor) -> None:
    actions.save_dashboard(owner, "hosts", hosts())
    actions.save_dashboard(owner, "hosts", hosts(title="Broken", panels=[]))
    restored = actions.restore_dashboard(owner, "hosts", 1)
    assert (restored.version, restored.title) == (3, "Hosts")
    assert restored.definition == queries.version(owner, "hosts", 1).definition
    with pytest.raises(NotFound):
        actions.restore_dashboard(owner, "hosts", 9)


def test_only_the_newest_version_is_changed_where_it_is_named(owner: Actor) -> None:
    actions.save_dashboard(owner, "hosts", hosts(), version=0)
    with pytest.raises(Stale):
        actions.save_dashboard(owner, "hosts", hosts(title="New"), version=0)
    actions.save_dashboard(owner, "hosts", hosts(title="Two"), version=1)
    with pytest.raises(Stale, match="owner"):
        actions.save_dashboard(owner, "hosts", hosts(title="Three"), version=1)
    with pytest.raises(Stale):
        actions.save_dashboard(owner, "gone", hosts(), version=4)


def test_old_versions_go(owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "VERSIONS_MAX", 2)
    for number in range(4):
        actions.save_dashboard(owner, "hosts", hosts(title=f"Hosts {number}"))
    assert [one.number for one in queries.versions(owner, "hosts")] == [4, 3]


def test_it_is_deleted_with_its_versions(owner: Actor) -> None:
    actions.save_dashboard(owner, "hosts", hosts())
    actions.delete_dashboard(owner, "hosts")
    assert not queries.dashboards(owner).exists()
    assert AuditEvent.objects.filter(verb="monitoring.delete_dashboard", detail="hosts").exists()


def test_looking_needs_measurements_and_changing_its_own_right(teammate: Actor, stranger: Actor, owner: Actor) -> None:
    actions.save_dashboard(owner, "hosts", hosts())
    assert queries.dashboard(teammate, "hosts").title == "Hosts"
    for attempt in (
        lambda: actions.save_dashboard(teammate, "hosts", hosts(title="Mine")),
        lambda: actions.checked_dashboard(teammate, "hosts", hosts(title="Mine")),
        lambda: actions.restore_dashboard(teammate, "hosts", 1),
        lambda: actions.delete_dashboard(teammate, "hosts"),
        lambda: queries.dashboard(stranger, "hosts"),
    ):
        with pytest.raises(Denied):
            attempt()
    assert queries.dashboard(owner, "hosts").version == 1


def test_a_check_saves_nothing(owner: Actor) -> None:
    assert actions.checked_dashboard(owner, "hosts", hosts()).version == 1
    assert not queries.dashboards(owner).exists()
    actions.save_dashboard(owner, "hosts", hosts())
    assert actions.checked_dashboard(owner, "hosts", hosts()).version == 1
    assert actions.checked_dashboard(owner, "hosts", hosts(title="New")).version == 2


@pytest.mark.parametrize(
    ("definition", "where"),
    [
        ([], "definition"),
        ({"panels": []}, "definition"),
        (hosts(title=""), "title"),
        (hosts(colour="red"), "definition"),
        (hosts(range="2h"), "range"),
        (hosts(refresh_seconds=-1), "refresh_seconds"),
        (panel(kind="pie"), "panels[0].kind"),
        (panel(x=20), "panels[0].w"),
        (panel(w=0), "panels[0].w"),
        (panel(unit="x" * 30), "panels[0].unit"),
        (panel(queries=[{"expr": "sum("}]), "panels[0].queries[0].expr"),
        (panel(queries=[{"expr": "up", "color": "red"}]), "panels[0].queries[0]"),
        (panel(thresholds=[{"value": "high", "level": "bad"}]), "panels[0].thresholds[0].value"),
        (hosts(panels=[{"id": 1}, {"id": 1}]), "panels"),
        (hosts(panels=[{"id": n} for n in range(1, 400)]), "panels"),
        (hosts(variables=[{"name": "a b"}]), "variables[0].name"),
        (hosts(variables=[{"name": "a"}, {"name": "a"}]), "variables"),
        (hosts(variables=[{"name": "a", "kind": "items", "query": "cpu:>="}]), "variables[0].query"),
        (hosts(variables=[{"name": "a", "kind": "labels"}]), "variables[0].label"),
        (hosts(variables=[{"name": "a", "kind": "interval", "options": ["soon"]}]), "variables[0].options"),
        (hosts(variables=[{"name": "a", "regex": "(("}]), "variables[0].regex"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(owner: Actor, definition: Any, where: str) -> None:
    with pytest.raises(BadInput) as error:
        actions.save_dashboard(owner, "hosts", definition)
    assert error.value.field == where
    assert error.value.hint


@pytest.mark.parametrize("slug", ["", "Hosts", "a b", "../x", "-a", "x" * 61])
def test_a_short_name_is_small_letters(owner: Actor, slug: str) -> None:
    with pytest.raises(BadInput, match="short name"):
        actions.save_dashboard(owner, slug, hosts())


def test_a_title_gets_a_free_short_name(owner: Actor) -> None:
    assert actions.free_slug("All hosts!") == "all-hosts"
    actions.save_dashboard(owner, "all-hosts", hosts())
    assert actions.free_slug("All hosts!") == "all-hosts-2"
    assert actions.free_slug("主机") == "dashboard"
