"""Passes over sources: what they find becomes items, what ends is told, and one that fails harms no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.errors import NotFound, Unavailable
from quarterdeck.inventory.connectors import passes, this_machine
from quarterdeck.inventory.connectors.connector import Connector, PartOfPass, Session
from quarterdeck.inventory.found import Found
from quarterdeck.inventory.models import Change, Item, Lifecycle, Relation, SyncRun

pytestmark = pytest.mark.django_db


class Source:
    """A source whose world is a list of names per scope; "!" fails, "?" is a part of a pass, "bug" is a bug."""

    def __init__(self) -> None:
        self.world: dict[str, list[str]] = {"a": ["a1", "a2"], "b": ["b1"]}
        self.plugin = Connector("Test", lambda: list(self.world), self.pages, self.found)

    def pages(self, session: Session) -> Iterator[dict[str, Any]]:
        for name in self.world[session.scope]:
            if name == "!":
                raise Unavailable("the API is down")
            if name == "?":
                raise PartOfPass("no right to list volumes")
            yield {"name": name}

    def found(self, page: Any) -> Iterator[Found]:
        if page["name"] == "bug":
            raise KeyError("name")
        gone = page["name"].startswith("-")
        yield Found(type="host", external_id=page["name"].lstrip("-"), name=page["name"].lstrip("-"), gone=gone)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    made = Source()
    monkeypatch.setattr(passes, "connectors", lambda: {"test": made.plugin})
    return made


def outcomes() -> dict[str, str]:
    return {run.scope: run.outcome for run in SyncRun.objects.order_by("pk")}


def lifecycles() -> dict[str, str]:
    return dict(Item.objects.values_list("name", "lifecycle"))


def test_it_notes_a_complete_pass_of_every_scope(source: Source) -> None:
    passes.sync_all(SYSTEM)
    assert outcomes() == {"a": "complete", "b": "complete"}
    assert set(lifecycles()) == {"a1", "a2", "b1"}


@pytest.mark.parametrize(("trouble", "outcome"), [("!", "failed"), ("?", "partial"), ("bug", "failed")])
def test_a_scope_that_fails_leaves_the_others_and_loses_nothing(source: Source, trouble: str, outcome: str) -> None:
    passes.sync_all(SYSTEM)
    source.world["a"] = ["a1", trouble]
    for _again in range(3):
        passes.sync_all(SYSTEM)
    assert outcomes() == {"a": outcome, "b": "complete"}
    assert set(lifecycles().values()) == {Lifecycle.ACTIVE}
    assert SyncRun.objects.filter(scope="a").latest("pk").message


def test_what_is_not_there_any_more_goes_missing_then_absent(source: Source) -> None:
    passes.sync_all(SYSTEM)
    source.world["a"] = ["a1"]
    passes.sync_all(SYSTEM)
    assert lifecycles()["a2"] == Lifecycle.MISSING
    passes.sync_all(SYSTEM)
    assert lifecycles() == {"a1": "active", "a2": "absent", "b1": "active"}


def test_an_explicit_end_counts_at_once_unless_the_thing_is_there_again(source: Source) -> None:
    passes.sync_all(SYSTEM)
    source.world["a"] = ["-a1", "a1", "-a2"]
    passes.sync_all(SYSTEM)
    assert lifecycles() == {"a1": "active", "a2": "absent", "b1": "active"}


def test_a_sudden_loss_is_held(source: Source) -> None:
    source.world = {"a": [f"h{n}" for n in range(20)]}
    passes.sync_all(SYSTEM)
    source.world = {"a": ["h0"]}
    passes.sync_all(SYSTEM)
    assert outcomes() == {"a": "held"}
    assert set(lifecycles().values()) == {Lifecycle.ACTIVE}


def test_it_refuses_a_source_that_does_not_exist() -> None:
    with pytest.raises(NotFound) as caught:
        passes.sync(SYSTEM, "this_machin", "local")
    assert "this_machine" in caught.value.hint


def test_this_machine_becomes_an_item_and_a_second_pass_is_no_news() -> None:
    run = passes.sync(SYSTEM, "this_machine", this_machine.SCOPE)
    assert run.outcome == SyncRun.Outcome.COMPLETE
    host = Item.objects.get(type__code="host")
    assert host.state == "running"
    assert host.attributes["memory_bytes"] > 0
    assert host.attributes["kernel"]
    assert not [warning for warning in run.counts if warning == "errors" and run.counts[warning]]
    services = Item.objects.filter(type__code="service")
    assert Relation.objects.filter(type="runs_on", dst=host).count() == services.count()
    before = Change.objects.filter(item=host).count()
    passes.sync(SYSTEM, "this_machine", this_machine.SCOPE)
    noisy = set(Change.objects.filter(item=host)[before:].values_list("field", flat=True))
    # Other programs of this machine may begin to listen between two passes.
    assert noisy <= {"listening_ports"}
