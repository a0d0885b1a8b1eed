"""What people do to items: set, take back, label, trash, purge, many at once; and never over each other."""

from __future__ import annotations

from typing import Any

import pytest
from tests.inventory.conftest import Sync, host

from quarterdeck.access.models import Role, RoleBinding
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound, Stale
from quarterdeck.inventory.actions import (
    accept_drift,
    acknowledge_drift,
    add_event,
    bulk_update,
    create_item,
    delete_view,
    purge,
    relate,
    restore,
    reveal_secret,
    save_view,
    set_attribute,
    trash,
    unrelate,
    update_item,
)
from quarterdeck.inventory.models import (
    Change,
    Drift,
    Item,
    ItemSecret,
    Observation,
    Relation,
    SavedView,
    TimelineEvent,
)
from quarterdeck.inventory.queries import items

pytestmark = pytest.mark.django_db


def test_it_creates_an_item_by_hand(owner: Actor) -> None:
    item = create_item(owner, "host", "a", {"cpu_count": "4", "env": "Prod"}, labels={"role": "web"})
    assert (item.attributes, item.env, item.labels, item.version) == ({"cpu_count": 4}, "prod", {"role": "web"}, 1)
    event = AuditEvent.objects.get(verb="inventory.create")
    assert (event.actor_name, event.object_id) == ("owner", str(item.pk))


def test_it_names_every_wrong_field(owner: Actor) -> None:
    with pytest.raises(BadInput) as caught:
        create_item(owner, "host", "a", {"cpu_count": "x", "kernal": "y", "primary_ip": "999.1.1.1"})
    assert all(name in caught.value.message for name in ("cpu_count", "kernal", "primary_ip"))
    assert not Item.objects.exists()


@pytest.mark.parametrize(("type_code", "name"), [("hots", "a"), ("host", "  ")])
def test_it_refuses_an_unknown_type_and_an_empty_name(owner: Actor, type_code: str, name: str) -> None:
    with pytest.raises(BadInput):
        create_item(owner, type_code, name)


def test_a_required_attribute_is_required_of_people_only(owner: Actor, sync: Sync) -> None:
    set_attribute(SYSTEM, "host", {"code": "cost_center", "required": True})
    with pytest.raises(BadInput) as caught:
        create_item(owner, "host", "a")
    assert caught.value.field == "cost_center"
    assert sync(host("b")).created == 1


def test_a_value_taken_back_is_the_observed_one_again(owner: Actor, item: Item) -> None:
    assert update_item(owner, item, {"cpu_count": 16}).attributes["cpu_count"] == 16
    assert update_item(owner, item, {"cpu_count": None}).attributes["cpu_count"] == 4
    assert [(c.old, c.new) for c in Change.objects.filter(field="cpu_count").order_by("pk")] == [(4, 16), (16, 4)]


def test_an_observed_label_can_be_hidden(owner: Actor, item: Item, sync: Sync) -> None:
    assert update_item(owner, item, {"label.role": None}).labels == {}
    sync(host("db1", {"cpu_count": 5}, env="prod", labels={"role": "db"}))
    assert Item.objects.get().labels == {}


def test_the_second_of_two_editors_is_told(owner: Actor, item: Item) -> None:
    update_item(owner, item, {"owner": "first"}, if_version=item.version)
    with pytest.raises(Stale):
        update_item(owner, item, {"owner": "second"}, if_version=item.version)
    assert Item.objects.get().owner == "first"


def test_an_edit_that_changes_nothing_leaves_no_trace(owner: Actor, item: Item) -> None:
    update_item(owner, item, {"owner": "ops"})
    before = (AuditEvent.objects.count(), Change.objects.count())
    assert update_item(owner, item, {"owner": "ops"}).version == 2
    assert (AuditEvent.objects.count(), Change.objects.count()) == before


def test_who_may_not_edit_an_item_is_denied_and_recorded(teammate: Actor, stranger: Actor, sync: Sync) -> None:
    sync(host("p", env="prod"), host("t", env="test"))
    prod, test = Item.objects.get(name="p"), Item.objects.get(name="t")
    assert update_item(teammate, prod, {"owner": "me"}).owner == "me"
    for actor, target, changes in ((teammate, test, {"owner": "me"}), (stranger, prod, {"owner": "x"})):
        with pytest.raises(Denied):
            update_item(actor, target, changes)
    with pytest.raises(Denied):
        update_item(teammate, prod, {"env": "test"})
    assert AuditEvent.objects.filter(result="denied").count() == 3
    assert Item.objects.get(name="p").env == "prod"


def test_many_are_changed_by_query_in_one_change_set(owner: Actor, sync: Sync) -> None:
    sync(*(host(f"h{n}", env="prod" if n % 2 else "test") for n in range(10)))
    assert bulk_update(owner, "env:prod", {"owner": "ops", "label.team": "a"}).count == 5
    assert Item.objects.filter(owner="ops").count() == 5
    assert Change.objects.filter(field="owner").values("change_set").distinct().count() == 1
    assert items(owner, "label.team:a").count() == 5


def test_many_are_changed_all_or_none(owner: Actor, sync: Sync) -> None:
    sync(host("a"), host("c", type="container"))
    with pytest.raises(BadInput):
        bulk_update(owner, "", {"ssh_port": 22})
    assert not Item.objects.filter(attributes__has_key="ssh_port").exists()


def test_a_bulk_change_of_an_unknown_id_is_refused(owner: Actor, item: Item) -> None:
    with pytest.raises(NotFound):
        bulk_update(owner, [item.pk, 999_999], {"owner": "x"})


def test_a_bulk_change_does_not_draw_items_into_ones_reach(teammate: Actor, sync: Sync) -> None:
    everything = Role.objects.create(name="viewer-of-all", verbs=["inventory.view"], query="")
    RoleBinding.objects.create(role=everything, user_id=int(teammate.id))
    sync(host("t", env="test"))
    with pytest.raises(Denied):
        bulk_update(teammate, [Item.objects.get().pk], {"env": "prod"})
    assert Item.objects.get().env == "test"


def test_an_item_whose_record_went_to_another_comes_out_of_the_trash_with_its_name(owner: Actor, sync: Sync) -> None:
    row = host("a", {"cpu_count": 2})
    sync(row, source="import", key="name")
    first = Item.objects.get()
    trash(owner, [first.pk])
    assert sync(row, source="import", key="name").created == 1
    restore(owner, [first.pk])
    first.refresh_from_db()
    assert (first.name, first.attributes["cpu_count"]) == ("a", 2)


def test_the_trash_gives_back(owner: Actor, item: Item) -> None:
    assert trash(owner, [item.pk]).ids == [item.pk]
    assert not items(owner).exists()
    assert items(owner, "lifecycle:trashed").get() == item
    assert restore(owner, [item.pk]).ids == [item.pk]
    assert items(owner).get() == item


def test_only_trash_is_purged_and_a_source_makes_it_anew(owner: Actor, item: Item, sync: Sync) -> None:
    with pytest.raises(Conflict):
        purge(owner, [item.pk])
    trash(owner, [item.pk])
    assert purge(owner, "lifecycle:trashed") == 1
    assert not Item.objects.exists()
    assert not Observation.objects.exists()
    assert sync(host("db1", {"cpu_count": 4, "os_name": "debian"}, env="prod", labels={"role": "db"})).created == 1


def test_a_secret_is_nowhere_to_be_read(owner: Actor) -> None:
    item = create_item(owner, "license", "l", {"key": "hunter2"})
    shown = Item.objects.get(pk=item.pk).attributes["key"]
    assert shown.startswith("secret:")
    texts = [str(list(model.objects.values())) for model in (Item, Change, AuditEvent, ItemSecret)]
    assert not any("hunter2" in text for text in texts)
    again = update_item(owner, item, {"key": shown, "seats": 3})
    assert again.attributes["key"] == shown
    assert reveal_secret(owner, again, "key", reason="renewal") == "hunter2"
    assert AuditEvent.objects.get(verb="inventory.reveal_secret").reason == "renewal"


def test_reading_a_secret_needs_its_own_right_and_a_reason(owner: Actor, stranger: Actor) -> None:
    item = create_item(owner, "license", "l", {"key": "hunter2"})
    with pytest.raises(Denied):
        reveal_secret(stranger, item, "key", reason="curious")
    with pytest.raises(BadInput):
        reveal_secret(owner, item, "key", reason=" ")
    with pytest.raises(NotFound):
        reveal_secret(owner, item, "product", reason="x")


def test_the_audit_record_of_a_bulk_change_hides_secrets(owner: Actor) -> None:
    create_item(owner, "license", "l")
    assert bulk_update(owner, "type:license", {"key": "hunter2"}).count == 1
    assert "hunter2" not in str(list(AuditEvent.objects.values()))


def test_every_type_of_a_bulk_change_counts_for_what_is_secret(owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.inventory.actions.items.BATCH_ROWS", 1)
    set_attribute(owner, "team", {"code": "key", "kind": "text"})
    ids = [create_item(owner, code, "x").pk for code in ("team", "license")]
    assert bulk_update(owner, ids, {"key": "hunter2"}).count == 2
    assert "hunter2" not in str(list(AuditEvent.objects.filter(verb="inventory.bulk_update").values()))


def test_a_refused_secret_is_not_told(owner: Actor, sync: Sync) -> None:
    set_attribute(owner, "license", {"code": "pin", "kind": "secret", "regex": "[0-9]{4}"})
    with pytest.raises(BadInput) as refused:
        create_item(owner, "license", "l", {"pin": "hunter2"})
    told = sync(host("m", {"pin": "hunter2"}, type="license")).warnings
    assert [warning.field for warning in told] == ["pin"]
    assert "hunter2" not in f"{refused.value} {told} {list(AuditEvent.objects.values())}"
    item = create_item(owner, "license", "n", {"pin": "1234"})
    assert update_item(owner, item, {"pin": item.attributes["pin"], "seats": 2}).attributes["seats"] == 2


@pytest.mark.parametrize("more", [{"is_list": True}, {"choices": ["a", "b"]}])
def test_a_secret_that_would_be_kept_in_the_open_is_refused(owner: Actor, more: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="one value"):
        set_attribute(owner, "license", {"code": "pins", "kind": "secret", **more})


def test_relations_by_hand_are_made_once_and_removed(owner: Actor, sync: Sync) -> None:
    sync(host("a"), host("b"))
    a, b = Item.objects.order_by("name")
    assert relate(owner, a, "depends_on", b) == relate(owner, a, "depends_on", b)
    assert Change.objects.filter(field="relation.depends_on").count() == 1
    unrelate(owner, a, "depends_on", b)
    assert not Relation.objects.exists()
    with pytest.raises(NotFound):
        unrelate(owner, a, "depends_on", b)
    for kind, target in (("depends_on", a), ("Depends On", b)):
        with pytest.raises(BadInput):
            relate(owner, a, kind, target)


def test_a_sources_pass_leaves_relations_by_hand(owner: Actor, sync: Sync) -> None:
    sync(host("a"), host("b"))
    a, b = Item.objects.order_by("name")
    relate(owner, a, "depends_on", b)
    sync(host("a", {"cpu_count": 3}))
    assert Relation.objects.count() == 1


def test_drift_is_acknowledged_or_accepted(owner: Actor, item: Item) -> None:
    update_item(owner, item, {"cpu_count": 16})
    drift = acknowledge_drift(owner, Drift.objects.get(), note="resize is planned")
    assert (drift.acknowledged_by, drift.note) == ("owner", "resize is planned")
    assert accept_drift(owner, drift).attributes["cpu_count"] == 4
    assert not Drift.objects.exists()
    with pytest.raises(Conflict):
        accept_drift(owner, drift)


def test_events_go_to_the_timeline(owner: Actor, item: Item) -> None:
    add_event(owner, item, "deploy.finished", "v2 is live", detail={"version": "2"}, severity="notice")
    add_event(owner, None, "note", "for all")
    assert TimelineEvent.objects.filter(item=item).get().detail == {"version": "2"}
    with pytest.raises(BadInput):
        add_event(owner, item, "x", "y", severity="loud")


class TestViews:
    """Saved views belong to who made them."""

    def test_it_is_saved_changed_and_deleted(self, owner: Actor) -> None:
        view = save_view(owner, "Prod hosts", "env:prod type:host", columns=["name", "cpu_count"], sort="-last_seen")
        assert view.slug == "prod-hosts"
        assert save_view(owner, "Prod", "env:prod", slug="prod-hosts").pk == view.pk
        delete_view(owner, "prod-hosts")
        assert not SavedView.objects.exists()

    def test_it_refuses_a_wrong_query_sort_or_slug(self, owner: Actor) -> None:
        for bad in ({"query": "nme:x"}, {"sort": "nme"}, {"slug": "Ü /"}):
            with pytest.raises(BadInput):
                save_view(owner, "v", **bad)  # type: ignore[arg-type]

    def test_anothers_view_is_neither_changed_nor_found(self, owner: Actor, teammate: Actor) -> None:
        save_view(owner, "mine", slug="mine")
        with pytest.raises(Denied):
            save_view(teammate, "mine", slug="mine")
        with pytest.raises(NotFound):
            delete_view(teammate, "mine")

    def test_a_title_in_chinese_gets_a_short_name(self, owner: Actor) -> None:
        assert save_view(owner, "生产主机").slug == "view"
        assert save_view(owner, "测试主机").slug == "view-2"
