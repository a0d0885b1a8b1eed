"""Merge and split, and the way back."""

from __future__ import annotations

from typing import Any

import pytest
from tests.inventory.conftest import Sync, host

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, Conflict, Denied
from quarterdeck.inventory.actions import decide, merge, propose, relate, split, unmerge, update_item
from quarterdeck.inventory.models import Identity, Item, Lifecycle, Merge, MergeProposal, Observation, Relation
from quarterdeck.inventory.queries import items

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(sync: Sync) -> tuple[Item, Item]:
    """One machine that two sources told of under different keys, and a neighbour."""
    sync(host("a", {"cpu_count": 4}, env="prod", identities=[("serial", "s1")]), host("peer"), source="cloud")
    sync(host("b", {"kernel": "6.1"}, labels={"x": "1"}, identities=[("machine_id", "m1")]), source="ssh")
    return Item.objects.get(name="a"), Item.objects.get(name="b")


def _state() -> dict[str, Any]:
    """Everything that a merge moves and its undoing must give back."""
    rows = Item.objects.order_by("pk").values("pk", "name", "env", "labels", "attributes", "desired", "lifecycle")
    return {
        "items": list(rows),
        "observations": list(Observation.objects.order_by("pk").values("pk", "item", "source")),
        "identities": sorted(Identity.objects.values_list("item", "kind", "value", "source")),
        "relations": sorted(Relation.objects.values_list("src", "dst", "type", "source")),
        "indexed": sorted(items_found("x:1")),
    }


def items_found(q: str) -> list[int]:
    from quarterdeck.audit.actor import SYSTEM

    return [item.pk for item in items(SYSTEM, q)]


def test_two_become_one_with_what_both_sources_say(owner: Actor, pair: tuple[Item, Item]) -> None:
    keep, other = pair
    merge(owner, keep, other)
    keep.refresh_from_db()
    other.refresh_from_db()
    assert keep.attributes == {"cpu_count": 4, "kernel": "6.1"}
    assert keep.labels == {"x": "1"}
    assert (other.lifecycle, other.merged_into_id) == (Lifecycle.RETIRED, keep.pk)
    assert set(Identity.objects.values_list("item", flat=True)) == {keep.pk}


def test_the_next_pass_finds_the_kept_item(owner: Actor, pair: tuple[Item, Item], sync: Sync) -> None:
    keep, other = pair
    merge(owner, keep, other)
    done = sync(host("b", {"kernel": "6.2"}, labels={"x": "1"}, identities=[("machine_id", "m1")]), source="ssh")
    assert (done.created, done.updated) == (0, 1)
    keep.refresh_from_db()
    assert keep.attributes["kernel"] == "6.2"


def test_undoing_gives_everything_back(owner: Actor, pair: tuple[Item, Item]) -> None:
    keep, other = pair
    peer = Item.objects.get(name="peer")
    for src, dst in ((keep, peer), (other, peer), (peer, other), (other, keep)):
        relate(owner, src, "depends_on", dst)
    update_item(owner, other, {"owner": "ops"})
    before = _state()
    done = merge(owner, keep, other)
    assert _state() != before
    unmerge(owner, done)
    assert _state() == before


def test_it_is_undone_once(owner: Actor, pair: tuple[Item, Item]) -> None:
    done = merge(owner, *pair)
    unmerge(owner, done)
    with pytest.raises(Conflict):
        unmerge(owner, Merge.objects.get())


def test_what_is_set_after_the_merge_stays_with_the_kept_item(owner: Actor, pair: tuple[Item, Item]) -> None:
    done = merge(owner, *pair)
    update_item(owner, pair[0].pk, {"owner": "later"})
    unmerge(owner, done)
    assert {item.name: item.owner for item in Item.objects.exclude(name="peer")} == {"a": "later", "b": ""}


def test_a_pair_that_was_taken_apart_is_not_proposed_again(owner: Actor, pair: tuple[Item, Item], sync: Sync) -> None:
    unmerge(owner, merge(owner, *pair))
    sync(host("a", {"cpu_count": 5}, identities=[("hostname", "h")]), source="cloud")
    sync(host("b", identities=[("hostname", "h")]), source="ssh")
    assert not MergeProposal.objects.filter(decision="open").exists()


def test_it_refuses_odd_pairs(owner: Actor, pair: tuple[Item, Item], sync: Sync) -> None:
    keep, other = pair
    sync(host("n", type="network"))
    with pytest.raises(BadInput):
        merge(owner, keep, keep)
    with pytest.raises(BadInput):
        merge(owner, keep, Item.objects.get(name="n"))
    merge(owner, keep, other)
    with pytest.raises(Conflict):
        merge(owner, keep, Item.objects.get(pk=other.pk))


def test_both_items_must_be_in_reach(teammate: Actor, pair: tuple[Item, Item]) -> None:
    with pytest.raises(Denied):
        merge(teammate, *pair)
    assert not Merge.objects.exists()


def test_a_split_takes_a_source_out(owner: Actor, sync: Sync) -> None:
    sync(host("a", {"cpu_count": 4}, identities=[("machine_id", "cloned")]), source="cloud")
    sync(host("b", {"kernel": "6.1"}, identities=[("machine_id", "cloned")]), source="ssh")
    item = Item.objects.get()
    fresh = split(owner, item, [Observation.objects.get(source="ssh").pk])
    item.refresh_from_db()
    assert (item.name, item.attributes) == ("a", {"cpu_count": 4})
    assert (fresh.name, fresh.attributes) == ("b", {"kernel": "6.1"})
    assert sync(host("b", {"kernel": "6.2"}, identities=[("machine_id", "cloned")]), source="ssh").created == 0
    fresh.refresh_from_db()
    assert fresh.attributes == {"kernel": "6.2"}


def test_a_split_needs_some_but_not_all(owner: Actor, pair: tuple[Item, Item]) -> None:
    for chosen in ([], list(Observation.objects.filter(item=pair[0]).values_list("pk", flat=True)), [999]):
        with pytest.raises(BadInput):
            split(owner, pair[0], chosen)


def test_a_proposal_is_decided_once(owner: Actor, pair: tuple[Item, Item]) -> None:
    proposal = propose(owner, *pair)
    assert propose(owner, pair[1], pair[0]) == proposal
    done = decide(owner, proposal, True)
    assert done is not None
    assert done.kept_id == pair[0].pk
    with pytest.raises(Conflict):
        decide(owner, proposal, False)


def test_a_refused_proposal_changes_nothing(owner: Actor, pair: tuple[Item, Item]) -> None:
    assert decide(owner, propose(owner, *pair), False) is None
    assert Item.objects.filter(merged_into=None).count() == 3
