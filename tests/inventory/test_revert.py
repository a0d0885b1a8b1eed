"""Taking back what people did: exactly, once, never over what others did since, and as one more change."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.inventory.conftest import Sync, host

from quarterdeck.audit.actor import Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import Conflict, Denied, NotFound
from quarterdeck.inventory.actions import (
    bulk_update,
    create_item,
    merge,
    purge,
    restore,
    reveal_secret,
    revert,
    set_attribute,
    trash,
    update_item,
)
from quarterdeck.inventory.exchange.importing import import_file
from quarterdeck.inventory.models import BeforeImage, Change, ChangeSet, Item, Observation, Relation, Sighting
from quarterdeck.inventory.queries import change_sets, items, touched

pytestmark = pytest.mark.django_db


def fleet(sync: Sync, count: int, **fields: str) -> list[Item]:
    sync(*(host(f"h{n:04}", {"cpu_count": 4}, labels={"role": "web"}, **fields) for n in range(count)))
    return list(Item.objects.order_by("name"))


def last() -> int:
    return ChangeSet.objects.latest("pk").pk


def test_a_bulk_edit_is_taken_back_to_what_each_item_had(owner: Actor, sync: Sync) -> None:
    first, second, third = fleet(sync, 3, env="prod")
    update_item(owner, first, {"owner": "ann"})
    update_item(owner, second, {"label.role": None})
    before = list(Item.objects.order_by("pk").values("owner", "labels", "attributes", "desired"))
    done = bulk_update(owner, "type:host", {"owner": "ops", "label.role": "db", "cpu_count": 8}, reason="CHG-1")
    assert done.change_set_id is not None
    undone = revert(owner, done.change_set_id, reason="wrong")
    assert list(Item.objects.order_by("pk").values("owner", "labels", "attributes", "desired")) == before
    assert undone.ids == [first.pk, second.pk, third.pk]
    way_back = ChangeSet.objects.get(pk=undone.change_set_id)
    assert (way_back.reverts_id, way_back.reason, way_back.actor) == (done.change_set_id, "wrong", "owner")
    history = Change.objects.filter(change_set=way_back, item=first, field="owner").get()
    assert (history.old, history.new) == ("ops", "ann")
    event = AuditEvent.objects.get(verb="inventory.revert")
    assert (event.object_id, event.actor_name, event.reason) == (str(way_back.pk), "owner", "wrong")
    assert items(owner, "label.role:web").count() == 2


def test_what_was_wished_but_is_observed_alike_is_taken_back_too(owner: Actor, item: Item, sync: Sync) -> None:
    done = bulk_update(owner, [item.pk], {"env": "prod"})
    found = touched(owner, change_sets(owner).get(pk=done.change_set_id))
    assert (found.items, found.fields, found.is_revertible) == (1, {}, True)
    revert(owner, done.change_set_id or 0)
    sync(host("db1", {"cpu_count": 4}, env="test"))
    assert Item.objects.get().env == "test"


def test_items_that_changed_since_are_named_and_nothing_is_put_back(owner: Actor, sync: Sync) -> None:
    first, second, _third = fleet(sync, 3)
    done = bulk_update(owner, "type:host", {"owner": "ops"})
    update_item(owner, second, {"owner": "bob"})
    with pytest.raises(Conflict, match=r"1 of the items changed since: h0001\.") as caught:
        revert(owner, done.change_set_id or 0)
    assert caught.value.field == "untouched_only"
    assert Item.objects.get(pk=first.pk).owner == "ops"
    undone = revert(owner, done.change_set_id or 0, untouched_only=True)
    assert (undone.count, undone.kept) == (2, [second.pk])
    assert list(Item.objects.order_by("pk").values_list("owner", flat=True)) == ["", "bob", ""]


def test_a_change_of_another_field_or_by_a_source_is_no_conflict(owner: Actor, sync: Sync) -> None:
    (first,) = fleet(sync, 1)
    done = bulk_update(owner, "type:host", {"owner": "ops"})
    update_item(owner, first, {"env": "prod"})
    sync(host("h0000", {"cpu_count": 16}, labels={"role": "db"}))
    revert(owner, done.change_set_id or 0)
    found = Item.objects.get()
    assert (found.owner, found.env, found.attributes["cpu_count"], found.labels) == ("", "prod", 16, {"role": "db"})


def test_it_is_taken_back_once_and_the_way_back_can_be_taken_back(owner: Actor, sync: Sync) -> None:
    fleet(sync, 2)
    done = bulk_update(owner, "type:host", {"owner": "ops"})
    undone = revert(owner, done.change_set_id or 0)
    with pytest.raises(Conflict, match="Nothing of this change is left"):
        revert(owner, done.change_set_id or 0)
    revert(owner, undone.change_set_id or 0)
    assert set(Item.objects.values_list("owner", flat=True)) == {"ops"}
    revert(owner, done.change_set_id or 0)
    assert set(Item.objects.values_list("owner", flat=True)) == {""}


def test_an_edit_of_one_item_and_a_way_into_the_trash_are_taken_back(owner: Actor, item: Item) -> None:
    update_item(owner, item, {"cpu_count": 16})
    revert(owner, last())
    assert Item.objects.get().attributes["cpu_count"] == 4
    done = trash(owner, [item.pk])
    revert(owner, done.change_set_id or 0)
    assert items(owner).get() == item
    trash(owner, [item.pk])
    taken_out = restore(owner, [item.pk])
    revert(owner, taken_out.change_set_id or 0)
    assert not items(owner).exists()


def test_what_was_made_by_hand_goes_into_the_trash_unless_it_lives_on(owner: Actor, sync: Sync) -> None:
    create_item(owner, "host", "a")
    made = last()
    assert revert(owner, made).count == 1
    assert items(owner, "lifecycle:trashed").get().name == "a"
    edited = create_item(owner, "host", "b")
    made = last()
    update_item(owner, edited, {"owner": "ann"})
    edit = last()
    with pytest.raises(Conflict, match="b"):
        revert(owner, made)
    undone = revert(owner, edit)
    redone = revert(owner, undone.change_set_id or 0)
    with pytest.raises(Conflict, match="b"):
        revert(owner, made)
    revert(owner, redone.change_set_id or 0)
    assert revert(owner, made).ids == [edited.pk]


def test_who_may_not_edit_all_of_it_is_denied(owner: Actor, teammate: Actor, stranger: Actor, sync: Sync) -> None:
    sync(host("p", env="prod"), host("t", env="test"))
    done = bulk_update(owner, "type:host", {"owner": "ops"})
    for untouched_only in (False, True):
        with pytest.raises(Denied):
            revert(teammate, done.change_set_id or 0, untouched_only=untouched_only)
    with pytest.raises(Denied):
        revert(stranger, done.change_set_id or 0)
    mine = bulk_update(owner, "env:test", {"owner": "x"})
    with pytest.raises(NotFound):
        revert(teammate, mine.change_set_id or 0)
    assert AuditEvent.objects.filter(verb="inventory.edit", result="denied").count() == 3
    assert set(Item.objects.values_list("owner", flat=True)) == {"ops", "x"}


def test_putting_it_back_must_not_take_an_item_out_of_ones_reach(owner: Actor, teammate: Actor, sync: Sync) -> None:
    sync(host("t", env="test"))
    done = bulk_update(owner, "type:host", {"env": "prod"})
    with pytest.raises(Denied):
        revert(teammate, done.change_set_id or 0)
    assert Item.objects.get().env == "prod"


def test_what_sources_observed_and_merges_are_not_taken_back_here(owner: Actor, sync: Sync) -> None:
    sync(host("a"), host("b"))
    observed = last()
    with pytest.raises(Conflict, match='source "cloud"'):
        revert(owner, observed)
    a, b = Item.objects.order_by("name")
    merge(owner, a, b)
    with pytest.raises(Conflict, match="Nothing of this change is left"):
        revert(owner, last())
    with pytest.raises(NotFound):
        revert(owner, 999_999)


def test_an_item_that_was_merged_away_since_is_left_alone(owner: Actor, sync: Sync) -> None:
    a, b = fleet(sync, 2)
    done = bulk_update(owner, "type:host", {"owner": "ops"})
    merge(owner, a, b)
    assert revert(owner, done.change_set_id or 0, untouched_only=True).kept == [b.pk]


def test_a_purged_item_is_no_obstacle(owner: Actor, sync: Sync) -> None:
    a, b = fleet(sync, 2)
    done = bulk_update(owner, "type:host", {"owner": "ops"})
    trash(owner, [b.pk])
    purge(owner, [b.pk])
    assert revert(owner, done.change_set_id or 0).ids == [a.pk]


def test_a_secret_comes_back_as_it_was(owner: Actor) -> None:
    item = create_item(owner, "license", "l", {"key": "first"})
    done = bulk_update(owner, "type:license", {"key": "second"})
    assert "second" not in str(list(BeforeImage.objects.values()))
    revert(owner, done.change_set_id or 0)
    assert reveal_secret(owner, Item.objects.get(pk=item.pk), "key", reason="check") == "first"


def test_a_value_that_the_type_no_longer_allows_is_not_put_back(owner: Actor, sync: Sync) -> None:
    set_attribute(owner, "host", {"code": "tier", "kind": "integer"})
    (item,) = fleet(sync, 1)
    update_item(owner, item, {"tier": 9})
    done = bulk_update(owner, "type:host", {"tier": 2})
    set_attribute(owner, "host", {"code": "tier", "kind": "integer", "maximum": 5})
    with pytest.raises(Conflict, match="h0000"):
        revert(owner, done.change_set_id or 0)


def test_a_unique_value_that_another_took_since_is_a_conflict(owner: Actor, sync: Sync) -> None:
    set_attribute(owner, "host", {"code": "asset_tag", "kind": "text", "unique": True, "indexed": True})
    a, b = fleet(sync, 2)
    update_item(owner, a, {"asset_tag": "A1"})
    done = bulk_update(owner, [a.pk], {"asset_tag": None})
    update_item(owner, b, {"asset_tag": "A1"})
    with pytest.raises(Conflict, match="h0000"):
        revert(owner, done.change_set_id or 0)


def test_the_number_of_queries_does_not_grow_with_the_items(owner: Actor, sync: Sync) -> None:
    counts = []
    for size in (3, 300):
        sync(*(host(f"q{size}-{n}") for n in range(size)))
        done = bulk_update(owner, f"name:q{size}-*", {"owner": "ops", "label.a": "b"})
        with CaptureQueriesContext(
            connection,
        ) as captured:
            revert(owner, done.change_set_id or 0)
        counts.append(len(captured))
    assert counts[0] == counts[1] < 60


class TestImports:
    """A file is one change set, however long it is."""

    def load(self, owner: Actor, path: Path, text: str) -> int:
        path.write_text(text)
        return int(import_file(owner, path, type="host")["change_set"])

    def test_a_file_is_taken_back(
        self, owner: Actor, sync: Sync, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("quarterdeck.inventory.exchange.importing.BATCH_ROWS", 2)
        first, second = fleet(sync, 2)
        update_item(owner, second, {"owner": "ann"})
        before = list(Item.objects.order_by("pk").values("owner", "env", "attributes", "desired"))
        text = "name,owner,env,ssh_port\nh0000,ops,prod,22\nh0001,ops,prod,22\nn1,x,prod,22\nn2,x,prod,22\n"
        done = self.load(owner, tmp_path / "a.csv", text)
        assert set(items(owner, "env:prod").values_list("name", flat=True)) == {"h0000", "h0001", "n1", "n2"}
        assert revert(owner, done).count == 4
        assert list(items(owner).order_by("pk").values("owner", "env", "attributes", "desired")) == before
        assert items(owner, "lifecycle:trashed").count() == 2
        assert not Observation.objects.filter(source="import", item__in=[first, second]).exists()
        again = self.load(owner, tmp_path / "a.csv", text)
        assert again != done
        assert set(items(owner, "env:prod").values_list("name", flat=True)) == {"h0000", "h0001", "n1", "n2"}

    def test_the_second_of_two_files_is_taken_back_to_the_first(self, owner: Actor, sync: Sync, tmp_path: Path) -> None:
        fleet(sync, 1)
        self.load(owner, tmp_path / "a.csv", "name,owner\nh0000,ann\n")
        second = self.load(owner, tmp_path / "b.csv", "name,owner,env\nh0000,bob,prod\n")
        revert(owner, second)
        found = Item.objects.get()
        assert (found.owner, found.env) == ("ann", "")

    def test_a_new_item_that_a_source_sees_by_now_stays(self, owner: Actor, sync: Sync, tmp_path: Path) -> None:
        done = self.load(owner, tmp_path / "a.csv", "name,serial\nn1,S-1\nn2,S-2\n")
        first = Item.objects.get(name="n1")
        seen = Observation.objects.create(
            item=first, source="cloud", external_id="x", type=first.type, attributes={"name": "n1"},
            content_hash=b"x", first_seen=first.first_seen,
        )  # fmt: skip
        Sighting.objects.create(observation=seen, seen_at=first.first_seen)
        with pytest.raises(Conflict, match="n1"):
            revert(owner, done)
        revert(owner, done, untouched_only=True)
        assert items(owner).get().name == "n1"

    def test_relations_of_a_file_are_taken_back(self, owner: Actor, sync: Sync) -> None:
        fleet(sync, 2)
        rows = [host("h0000", relations=[("depends_on", "host", "h0001")])]
        done = sync(*rows, source="import", key="name").change_set_id
        assert Relation.objects.count() == 1
        undone = revert(owner, done or 0)
        assert not Relation.objects.exists()
        revert(owner, undone.change_set_id or 0)
        revert(owner, done or 0)
        assert sync(*rows, source="import", key="name").change_set_id
        assert Relation.objects.get().source == "import"

    def test_nothing_new_makes_no_change_set_and_a_trial_names_none(self, owner: Actor, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("name\nn1\n")
        assert "change_set" not in import_file(owner, path, type="host", dry_run=True)
        assert "change_set" in import_file(owner, path, type="host")
        assert "change_set" not in import_file(owner, path, type="host")


def test_change_sets_are_listed_for_who_may_see_them(owner: Actor, teammate: Actor, sync: Sync) -> None:
    sync(host("p", env="prod"), host("t", env="test"))
    bulk_update(owner, "env:test", {"owner": "x"})
    both = bulk_update(owner, "type:host", {"owner": "ops"})
    assert [row.pk for row in change_sets(teammate, by_people=True)] == [both.change_set_id]
    assert change_sets(owner, by_people=True).count() == 2
    found = touched(teammate, change_sets(teammate)[0])
    assert (found.items, found.fields, found.is_revertible, found.reverted_by) == (1, {"owner": 1}, True, None)
    undone = revert(owner, both.change_set_id or 0)
    assert touched(owner, ChangeSet.objects.get(pk=both.change_set_id)).reverted_by == undone.change_set_id
