"""What a source no longer sees: missing, absent, retired; never too much at once, never across scopes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.inventory.conftest import Sync, host

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core import clock
from quarterdeck.inventory.actions import note_sync, retire_absent, update_item
from quarterdeck.inventory.models import Identity, Item, Observation, SyncRun, TimelineEvent

pytestmark = pytest.mark.django_db


def stage(name: str) -> str:
    return Item.objects.get(name=name).lifecycle


def test_it_goes_missing_then_absent_and_comes_back(sync: Sync) -> None:
    sync(host("a"), host("b"), complete=True)
    assert sync(host("a"), complete=True).missing == 1
    assert stage("b") == "missing"
    assert sync(host("a"), complete=True).gone == 1
    assert stage("b") == "absent"
    sync(host("a"), host("b"), complete=True)
    assert (stage("a"), stage("b")) == ("active", "active")
    assert Item.objects.count() == 2


def test_each_step_is_on_the_timeline(sync: Sync) -> None:
    sync(host("a"), host("b"), complete=True)
    for _pass in range(3):
        sync(host("a"), complete=True)
    kinds = TimelineEvent.objects.filter(item__name="b").order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["lifecycle.missing", "lifecycle.absent"]


def test_an_incomplete_pass_makes_nothing_missing(sync: Sync) -> None:
    sync(host("a"), host("b"), complete=True)
    sync(host("a"))
    note_sync(SYSTEM, "cloud", "", clock.now(), failed="no route to host")
    assert stage("b") == "active"
    assert SyncRun.objects.get(outcome="failed").message == "no route to host"


def test_another_scope_or_source_makes_nothing_missing(sync: Sync) -> None:
    sync(host("a"), scope="acc1", complete=True)
    sync(host("b"), scope="acc2", complete=True)
    sync(host("b"), source="ssh", complete=True)
    assert stage("a") == "active"


def test_an_item_that_another_source_sees_stays(sync: Sync) -> None:
    sync(host("a", identities=[("serial", "s")]), host("z"), source="cloud", complete=True)
    sync(host("a", identities=[("serial", "s")]), source="ssh", complete=True)
    for _pass in range(3):
        sync(host("z"), source="cloud", complete=True)
    assert stage("a") == "active"
    assert Observation.objects.get(source="cloud", external_id="a").gone_at is not None


def test_an_empty_answer_is_not_believed(sync: Sync) -> None:
    sync(host("a"), complete=True)
    done = sync(complete=True)
    assert done.held
    assert stage("a") == "active"
    assert SyncRun.objects.order_by("pk").last().outcome == "held"  # type: ignore[union-attr]
    assert TimelineEvent.objects.get(kind="inventory.held").item is None


def test_a_sudden_loss_of_many_is_not_believed(sync: Sync) -> None:
    rows = [host(f"h{n}") for n in range(20)]
    sync(*rows, complete=True)
    assert sync(*rows[:10], complete=True).held
    assert not sync(*rows[:16], complete=True).held
    assert Item.objects.filter(lifecycle="missing").count() == 4


def test_an_explicit_end_counts_at_once(sync: Sync) -> None:
    sync(host("a"))
    done = sync(host("a", gone=True))
    assert (done.gone, stage("a")) == (1, "absent")
    sync(host("a"))
    assert stage("a") == "active"


def test_an_end_of_something_unknown_makes_nothing(sync: Sync) -> None:
    assert sync(host("never-seen", gone=True)).errors == []
    assert not Item.objects.exists()


def test_the_long_absent_retire_and_give_their_identities_back(sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(host("a", identities=[("serial", "s")]))
    sync(host("a", identities=[("serial", "s")], gone=True))
    assert retire_absent(SYSTEM) == 0
    Item.objects.update(lifecycle_at=clock.now() - timedelta(days=91))
    assert retire_absent(SYSTEM) == 1
    assert stage("a") == "retired"
    assert not Identity.objects.exists()


def test_a_wish_on_an_absent_item_is_kept(sync: Sync) -> None:
    sync(host("a", {"cpu_count": 2}))
    update_item(SYSTEM, Item.objects.get(), {"owner": "ops"})
    sync(host("a", {"cpu_count": 2}, gone=True))
    sync(host("a", {"cpu_count": 2}))
    assert Item.objects.get().owner == "ops"
