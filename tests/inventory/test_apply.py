"""The write path: what sources say becomes items, once, with history, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.inventory.conftest import Sync, host

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, Denied
from quarterdeck.inventory.actions import apply, create_item, set_attribute, trash, update_item
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.found import Found
from quarterdeck.inventory.models import (
    Change,
    ChangeSet,
    Drift,
    Identity,
    Item,
    ItemIndex,
    ItemText,
    MergeProposal,
    Observation,
    Relation,
)
from quarterdeck.inventory.writing.drafts import drafts_of
from quarterdeck.inventory.writing.saving import _write_derived

pytestmark = pytest.mark.django_db


def test_it_creates_items_with_columns_labels_and_checked_attributes(sync: Sync) -> None:
    done = sync(
        host(
            "web1",
            {"cpu_count": "8", "ip_addresses": ["10.0.0.1"], "boot_time": "2026-05-01T10:00:00+02:00"},
            env="PROD",
            labels={"role": "web"},
            primary_ip="::ffff:10.0.0.1",
            state="running",
        )
    )
    item = Item.objects.get()
    assert done.counts() == {"created": 1, "updated": 0, "unchanged": 0, "errors": 0, "missing": 0, "gone": 0}
    assert (item.name, item.env, item.state, item.primary_ip) == ("web1", "prod", "running", "10.0.0.1")
    assert item.attributes == {"cpu_count": 8, "ip_addresses": ["10.0.0.1"], "boot_time": "2026-05-01T08:00:00Z"}
    assert item.labels == {"role": "web"}
    assert done.item_ids == [item.pk]


def test_applying_twice_changes_nothing_and_writes_no_history(sync: Sync) -> None:
    rows = [host(f"h{n}", {"cpu_count": n}, relations=[("depends_on", "host", "h0")] if n else []) for n in range(20)]
    sync(*rows)
    before = (Change.objects.count(), ChangeSet.objects.count(), AuditEvent.objects.count())
    done = sync(*rows)
    assert (done.created, done.updated, done.unchanged, done.change_set_id) == (0, 0, 20, None)
    assert (Change.objects.count(), ChangeSet.objects.count(), AuditEvent.objects.count()) == before


def test_it_writes_only_what_changed_as_history(sync: Sync) -> None:
    sync(host("a", {"cpu_count": 2, "kernel": "6.1"}))
    done = sync(host("a", {"cpu_count": 4, "kernel": "6.1"}))
    changes = Change.objects.filter(change_set=done.change_set_id)
    assert [(change.field, change.old, change.new) for change in changes] == [("cpu_count", 2, 4)]
    assert Item.objects.get().version == 2


def test_a_value_that_the_source_no_longer_says_goes(sync: Sync) -> None:
    sync(host("a", {"cpu_count": 2, "kernel": "6.1"}))
    sync(host("a", {"cpu_count": 2}))
    assert Item.objects.get().attributes == {"cpu_count": 2}


def test_a_number_inside_its_dead_band_is_no_change(sync: Sync) -> None:
    sync(host("a", {"memory_bytes": 8 << 30}))
    done = sync(host("a", {"memory_bytes": (8 << 30) + 4096}))
    assert done.unchanged == 1
    assert Item.objects.get().attributes == {"memory_bytes": 8 << 30}
    assert sync(host("a", {"memory_bytes": 16 << 30})).updated == 1


def test_an_untracked_attribute_is_kept_without_history(sync: Sync) -> None:
    sync(host("a", {"boot_id": "one"}))
    before = Change.objects.count()
    sync(host("a", {"boot_id": "two"}))
    assert Item.objects.get().attributes == {"boot_id": "two"}
    assert Change.objects.count() == before


def test_a_source_keeps_a_machine_whose_record_has_one_odd_value(sync: Sync) -> None:
    done = sync(host("a", {"cpu_count": "many", "kernel": "6.1", "kernal": "x"}))
    assert done.created == 1
    assert {(one.row, one.field) for one in done.warnings} == {(1, "cpu_count"), (1, "kernal")}
    assert any('did you mean "kernel"?' in one.message for one in done.warnings)


def test_an_import_refuses_the_wrong_row_and_takes_the_others(sync: Sync) -> None:
    done = sync(host("a", {"cpu_count": "many"}), host("b", {"cpu_count": "2"}), source="import")
    assert (done.created, [(one.row, one.field) for one in done.errors]) == (1, [(1, "cpu_count")])
    assert Item.objects.get().name == "b"


def test_it_refuses_a_key_that_stands_in_two_rows_and_an_unknown_type(sync: Sync) -> None:
    done = sync(host("a"), host("a"), host("b", type="hots"), host("c", key=""), source="import")
    assert done.created == 1
    assert [(one.row, one.field) for one in done.errors] == [(2, ""), (3, "type"), (4, "")]
    assert 'did you mean "host"?' in done.errors[1].message


def test_a_dry_run_counts_and_writes_nothing(sync: Sync) -> None:
    done = sync(host("a"), host("b", {"cpu_count": "x"}), source="import", dry_run=True)
    assert (done.created, len(done.errors), done.change_set_id, done.item_ids) == (1, 1, None, [])
    assert not Item.objects.exists()
    assert not AuditEvent.objects.filter(verb="inventory.apply").exists()


def test_a_chunk_of_many_costs_as_many_statements_as_one_of_few(sync: Sync) -> None:
    def statements(prefix: str, size: int) -> int:
        rows = [
            host(f"{prefix}{n}", {"cpu_count": n}, identities=[("serial", f"{prefix}-{n}")], labels={"n": str(n)})
            for n in range(size)
        ]
        with CaptureQueriesContext(connection) as captured:
            sync(*rows, source=prefix)
        return len(captured)

    statements("warm", 2)
    assert statements("few", 5) == statements("many", 1500)


@pytest.mark.parametrize("count", [1, 49, 50, 51, 120])
def test_every_row_is_written_however_many_fill_a_statement(sync: Sync, count: int) -> None:
    sync(*(host(f"n{number}", {"serial": f"s{number}"}) for number in range(count)))
    names = {f"n{number}" for number in range(count)}
    assert set(Item.objects.values_list("name", flat=True)) == names
    assert set(ItemIndex.objects.filter(field="name").values_list("text", "item__name")) == {(n, n) for n in names}
    assert ItemText.objects.count() == Observation.objects.count() == Change.objects.count() == count


def test_a_record_is_denied_to_who_may_not_edit_and_to_who_may_not_edit_that_item(
    sync: Sync, teammate: Actor, stranger: Actor
) -> None:
    with pytest.raises(Denied):
        apply(stranger, [host("a", env="prod")], "import")
    apply(teammate, [host("a", env="prod")], "import")
    with pytest.raises(Denied):
        apply(teammate, [host("b", env="test")], "import")
    with pytest.raises(Denied):
        apply(teammate, [host("a", env="test")], "import")
    assert [(one.name, one.env) for one in Item.objects.all()] == [("a", "prod")]


def test_one_audit_record_tells_the_counts(sync: Sync) -> None:
    sync(host("a"), host("b"), scope="x")
    event = AuditEvent.objects.get(verb="inventory.apply")
    assert event.object_id == str(ChangeSet.objects.get().pk)
    assert "2 created" in event.detail


def test_unique_values_are_kept_by_the_database_and_told_per_row(sync: Sync) -> None:
    set_attribute(SYSTEM, "host", {"code": "inventory_number", "unique": True})
    first = sync(host("a", {"inventory_number": "X1"}), host("b", {"inventory_number": "x1"}), source="import")
    assert (first.created, first.errors[0].row, first.errors[0].field) == (1, 2, "inventory_number")
    second = sync(host("c", {"inventory_number": "X1"}), host("d", {"inventory_number": "X2"}), source="import")
    assert (second.created, second.errors[0].row) == (1, 1)


def test_two_items_swap_a_unique_value_in_one_batch(sync: Sync) -> None:
    set_attribute(SYSTEM, "host", {"code": "slot", "unique": True})
    sync(host("a", {"slot": "1"}), host("b", {"slot": "2"}))
    done = sync(host("a", {"slot": "2"}), host("b", {"slot": "1"}))
    assert (done.updated, done.errors) == (2, [])


def test_references_are_found_by_name_and_kept_by_id(sync: Sync) -> None:
    site = create_item(SYSTEM, "site", "fra1")
    sync(Found("rack", "r1", "r1", {"site": "fra1"}), Found("rack", "r2", "r2", {"site": "nowhere"}))
    assert Item.objects.get(name="r1").attributes == {"site": site.pk}
    assert Item.objects.get(name="r2").attributes == {}


@pytest.mark.parametrize("source", ["cloud", "import"])
def test_references_may_point_forwards_and_go_in_circles(sync: Sync, source: str) -> None:
    set_attribute(SYSTEM, "host", {"code": "twin", "kind": "reference", "reference_type": "host"})
    rows = [host("a", {"twin": "b"}), host("b", {"twin": "a"}), host("c", {"twin": "c"}), host("d", {"twin": "x"})]
    done = sync(*rows, source=source)
    ids = dict(Item.objects.values_list("name", "id"))
    assert done.created == (3 if source == "import" else 4)
    assert [one.row for one in [*done.errors, *done.warnings]] == [4]
    assert [Item.objects.get(name=name).attributes["twin"] for name in "abc"] == [ids["b"], ids["a"], ids["c"]]
    again = sync(*rows[:3], source=source)
    assert (again.updated, again.unchanged) == (0, 3)


def test_an_import_matches_by_a_key_whoever_found_the_item(sync: Sync, item: Item) -> None:
    done = sync(Found("host", "row-1", "db1", {"notes": "ours"}), source="import", key="name")
    item.refresh_from_db()
    assert (done.created, done.updated, item.attributes["notes"]) == (0, 1, "ours")


def test_an_import_does_not_guess_between_two_items_with_the_key(sync: Sync) -> None:
    sync(host("same", key="1"), host("same", key="2"))
    done = sync(Found("host", "same", "same", {"notes": "x"}), source="import", key="name")
    assert (done.errors[0].field, done.updated, done.created) == ("name", 0, 0)


def test_a_row_of_a_file_may_mean_another_item_the_next_time(sync: Sync) -> None:
    sync(Found("host", "row-1", "a"), Found("host", "row-2", "b"), source="import", key="name")
    done = sync(Found("host", "row-1", "b"), Found("host", "row-2", "a"), source="import", key="name")
    assert (done.created, done.errors) == (0, [])
    assert sorted(Item.objects.values_list("name", flat=True)) == ["a", "b"]
    assert sorted(Observation.objects.values_list("attributes__name", "item__name")) == [("a", "a"), ("b", "b")]


def test_a_record_of_a_file_moves_to_the_item_that_it_means_now(sync: Sync, item: Item) -> None:
    sync(Found("host", "row-1", "a"), source="import", key="name")
    done = sync(Found("host", "row-1", "db1", {"notes": "x"}), source="import", key="name")
    assert (done.updated, done.errors) == (1, [])
    assert Observation.objects.get(source="import").item == item


def test_an_import_needs_an_indexed_key(sync: Sync) -> None:
    with pytest.raises(BadInput) as caught:
        sync(host("a"), source="import", key="seral")
    assert 'did you mean "serial"?' in caught.value.hint


def test_an_import_replaces_what_was_set_by_hand_and_leaves_what_is_observed(sync: Sync, item: Item) -> None:
    update_item(SYSTEM, item, {"notes": "old"})
    done = sync(Found("host", "db1", "db1", {"notes": "new", "cpu_count": 99}), source="import", key="name")
    item.refresh_from_db()
    assert item.attributes["notes"] == "new"
    assert item.attributes["cpu_count"] == 4
    assert [(one.field) for one in done.warnings] == ["cpu_count"]


def test_relations_become_exactly_what_the_source_says(sync: Sync) -> None:
    def container(*networks: str) -> Found:
        return Found("container", "c", "c", relations=[("attached_to", "network", name) for name in networks])

    sync(container("n1", "n2"), Found("network", "n1", "n1"), Found("network", "n2", "n2"))
    assert Relation.objects.count() == 2
    sync(container("n2"))
    assert [row.dst.name for row in Relation.objects.select_related("dst")] == ["n2"]
    gone = Change.objects.get(field="relation.attached_to", new__isnull=True)
    assert gone.old["name"] == "n1"


def test_a_relation_to_something_unknown_is_told_and_made_once_it_is_known(sync: Sync) -> None:
    row = Found("container", "c", "c", relations=[("runs_on", "host", "later")])
    assert [one.field for one in sync(row).warnings] == ["relations"]
    assert sync(row, host("later")).warnings == []
    assert Relation.objects.count() == 1


def test_a_trashed_item_stays_in_the_trash_when_it_is_seen_again(sync: Sync, item: Item) -> None:
    trash(SYSTEM, [item.pk])
    sync(host("db1", {"cpu_count": 8}))
    item.refresh_from_db()
    assert item.lifecycle == "trashed"
    assert Item.objects.count() == 1


class TestIdentities:
    """Which records are one thing."""

    @pytest.mark.parametrize("kind", ["provider_id", "smbios_uuid", "serial", "ssh_host_key", "machine_id", "mac"])
    def test_two_sources_share_an_item_by_a_strong_key(self, sync: Sync, kind: str) -> None:
        sync(host("a", identities=[(kind, "52540012-3456")]), source="one")
        done = sync(host("b", {"kernel": "6.1"}, identities=[(kind, "52540012-3456")]), source="two")
        assert (done.created, done.updated) == (0, 1)
        assert Observation.objects.values("item").distinct().count() == 1

    def test_the_byte_swapped_uuid_is_the_same(self, sync: Sync) -> None:
        sync(host("a", identities=[("smbios_uuid", "33221100-5544-7766-8899-aabbccddeeff")]), source="one")
        sync(host("b", identities=[("smbios_uuid", "00112233-4455-6677-8899-AABBCCDDEEFF")]), source="two")
        assert Item.objects.count() == 1

    def test_a_host_name_only_proposes(self, sync: Sync) -> None:
        sync(host("a", identities=[("hostname", "db")]), source="one")
        sync(host("b", identities=[("hostname", "db")]), source="two")
        assert Item.objects.count() == 2
        assert MergeProposal.objects.get().evidence == [{"kind": "hostname", "value": "db"}]

    def test_a_stronger_key_that_contradicts_keeps_machines_apart(self, sync: Sync) -> None:
        sync(host("a", identities=[("serial", "s1"), ("machine_id", "cloned")]), source="one")
        sync(host("b", identities=[("serial", "s2"), ("machine_id", "cloned")]), source="two")
        assert Item.objects.count() == 2
        assert MergeProposal.objects.count() == 1

    def test_a_value_on_two_machines_of_one_source_identifies_nothing(self, sync: Sync) -> None:
        sync(host("a", identities=[("machine_id", "m")]), host("b", identities=[("machine_id", "m")]), source="one")
        sync(host("c", identities=[("machine_id", "m")]), source="two")
        assert Item.objects.count() == 3

    def test_a_vendors_filler_identifies_nothing(self, sync: Sync) -> None:
        sync(host("a", identities=[("serial", "To be filled by O.E.M.")]), source="one")
        sync(host("b", identities=[("serial", "To be filled by O.E.M.")]), source="two")
        assert Item.objects.count() == 2
        assert not Identity.objects.exists()

    def test_things_of_different_types_are_never_one(self, sync: Sync) -> None:
        sync(host("a", identities=[("mac", "52:54:00:00:00:01")]), source="one")
        sync(host("n", type="nic", identities=[("mac", "52:54:00:00:00:01")]), source="two")
        assert Item.objects.count() == 2

    def test_a_source_may_be_forbidden_to_create(self, sync: Sync) -> None:
        done = sync(host("a"), may_create=False)
        assert (done.created, len(done.errors), Item.objects.count()) == (0, 1, 0)

    def test_an_unknown_kind_is_told(self, sync: Sync) -> None:
        done = sync(host("a", identities=[("machine-id", "x")]))
        assert "machine_id" in done.warnings[0].message


class TestAuthority:
    """Whose value counts."""

    def _two(self, sync: Sync, first: dict[str, Any], second: dict[str, Any]) -> Item:
        sync(host("a", first, identities=[("serial", "s")]), source="cloud")
        sync(host("a", second, identities=[("serial", "s")]), source="ssh")
        return Item.objects.get()

    def test_the_older_source_wins_a_tie_and_the_other_is_drift(self, sync: Sync) -> None:
        item = self._two(sync, {"cpu_count": 4}, {"cpu_count": 8, "kernel": "6.1"})
        assert item.attributes == {"cpu_count": 4, "kernel": "6.1"}
        drift = Drift.objects.get()
        assert (drift.field, drift.kind, drift.desired, drift.observed, drift.source) == (
            "cpu_count",
            "sources",
            4,
            8,
            "ssh",
        )

    def test_a_source_that_does_not_know_the_state_contradicts_nobody(self, sync: Sync, item: Item) -> None:
        update_item(SYSTEM, item, {"cpu_count": 16})
        sync(host("db1", {"cpu_count": 16}, state="unknown"))
        assert not Drift.objects.exists()

    def test_the_attributes_list_decides(self, sync: Sync) -> None:
        set_attribute(SYSTEM, "host", {"code": "cpu_count", "authority": ["ssh", "cloud"]})
        assert self._two(sync, {"cpu_count": 4}, {"cpu_count": 8}).attributes["cpu_count"] == 8

    def test_what_people_set_wins_and_is_drift_until_it_is_true(self, sync: Sync, item: Item) -> None:
        update_item(SYSTEM, item, {"cpu_count": 16})
        assert (Drift.objects.get().desired, Drift.objects.get().observed) == (16, 4)
        sync(host("db1", {"cpu_count": 16}))
        assert not Drift.objects.exists()

    def test_the_age_of_a_drift_survives_other_changes(self, sync: Sync, item: Item) -> None:
        update_item(SYSTEM, item, {"cpu_count": 16})
        since = Drift.objects.get().since
        sync(host("db1", {"cpu_count": 4, "kernel": "6.2"}))
        assert Drift.objects.get().since == since


def test_no_trace_of_an_item_is_left_in_the_indexes_after_it_is_gone(sync: Sync, item: Item) -> None:
    assert ItemIndex.objects.filter(item=item).exists()
    item.delete()
    assert not ItemIndex.objects.exists()
    assert not ItemText.objects.exists()


def test_nothing_is_derived_from_an_item_that_went_meanwhile(item: Item) -> None:
    draft = drafts_of([item], catalogue())[item.pk]
    Item.objects.get(pk=item.pk).delete()
    draft.desired = {"os_name": "rocky"}
    draft.work_out()

    @transaction.atomic
    def write() -> None:
        _write_derived([], [draft])
        connection.check_constraints()

    with pytest.raises(IntegrityError, match="inventory_itemtext"):
        write()


_records = st.lists(
    st.builds(
        lambda key, cpu, notes, labels: host(f"h{key}", {"cpu_count": cpu, "notes": notes}, labels=labels),
        st.integers(0, 5),
        st.one_of(st.integers(-10, 10), st.text(max_size=5), st.none(), st.floats()),
        st.text(max_size=20),
        st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
    ),
    max_size=8,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_records)
def test_applying_anything_twice_is_the_same_as_once(sync: Sync, rows: list[Found]) -> None:
    sync(*rows)
    before = list(Item.objects.order_by("pk").values("name", "attributes", "labels", "version"))
    changes = Change.objects.count()
    again = sync(*rows)
    assert (again.created, again.updated) == (0, 0)
    assert list(Item.objects.order_by("pk").values("name", "attributes", "labels", "version")) == before
    assert Change.objects.count() == changes
