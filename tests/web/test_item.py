"""One item: its pages, editing beside others, relations, merging, drift, and hostile values."""

from __future__ import annotations

import json

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from tests.lab.parts import free_port

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.inventory import actions
from quarterdeck.inventory.found import Found
from quarterdeck.inventory.models import Drift, Item, Lifecycle, Merge, MergeProposal, Relation
from quarterdeck.jobs.browsing import actions as browsing

pytestmark = pytest.mark.django_db
TABS = ["", "/relations", "/history", "/timeline", "/sources", "/edit", "/merge"]
HOSTILE = '"><script>alert(1)</script>\u202e'


def text(client: Client, address: str, **query: object) -> str:
    response = client.get(address, query)
    assert response.status_code == 200, response.content[:500]
    return response.content.decode()


@pytest.fixture
def seen(owner: Actor) -> Item:
    """A host that a source sees with 4 processors and people wish to have 8."""
    found = Found("host", "db1", "db1", {"cpu_count": 4}, env="prod", identities=[("hostname", "db1")])
    actions.apply(SYSTEM, [found], "scan", scope="lab", complete=True)
    item = Item.objects.get(name="db1")
    return actions.update_item(owner, item, {"cpu_count": 8})


@pytest.mark.parametrize("tab", TABS)
def test_it_shows_every_tab(as_owner: Client, web1: Item, tab: str) -> None:
    assert "web1" in text(as_owner, f"/items/{web1.pk}{tab}")


@pytest.mark.parametrize("tab", [*TABS, "/metrics", "/charts/cpu"])
def test_what_one_may_not_see_does_not_exist(as_teammate: Client, lab1: Item, tab: str) -> None:
    assert as_teammate.get(f"/items/{lab1.pk}{tab}").status_code == 404


@pytest.mark.parametrize("tab", TABS)
def test_it_escapes_hostile_names_labels_and_values(as_owner: Client, owner: Actor, tab: str) -> None:
    values = {
        "vendor": HOSTILE,
        "owner": HOSTILE,
        "notes": HOSTILE,
        "listening_ports": [{"port": 1, "process": HOSTILE}],
    }
    item = actions.create_item(owner, "host", HOSTILE, values, labels={"note": HOSTILE})
    actions.relate(owner, item, "depends_on", actions.create_item(owner, "host", HOSTILE + "2", {}))
    assert "<script>alert" not in text(as_owner, f"/items/{item.pk}{tab}")
    for page in ("/", "/items", "/topology", "/search/palette?text=script"):
        assert "<script>alert" not in text(as_owner, page)


def test_it_links_only_to_web_addresses(as_owner: Client, owner: Actor) -> None:
    actions.set_attribute(owner, "host", {"code": "home", "title_en": "Home", "kind": "url"})
    item = actions.create_item(owner, "host", "w", {"home": "https://example.com/"})
    Item.objects.filter(pk=item.pk).update(attributes={"home": "javascript:alert(1)"})
    assert 'href="javascript' not in text(as_owner, f"/items/{item.pk}")


def test_it_creates_an_item_of_the_chosen_type(as_owner: Client) -> None:
    form = {"name": "new1", "state": "running", "initial-state": "unknown", "labels": "role=web", "a_cpu_count": "4"}
    response = as_owner.post("/items/new?type=host", form)
    item = Item.objects.get(name="new1")
    assert response.headers["Location"] == f"/items/{item.pk}"
    assert (item.attributes["cpu_count"], item.labels, item.state) == (4, {"role": "web"}, "running")


def test_it_says_at_the_field_what_is_wrong_and_keeps_the_input(as_owner: Client) -> None:
    response = as_owner.post("/items/new?type=host", {"name": "kept-name", "a_cpu_count": "many"})
    page = response.content.decode()
    assert response.status_code == 422
    assert 'id="id_a_cpu_count_error"' in page
    assert "kept-name" in page
    assert not Item.objects.exists()


def edit_form(client: Client, item: Item, **changes: str) -> dict[str, str]:
    """What a browser would send: every field with its first value, and the changes."""
    form = client.get(f"/items/{item.pk}/edit").context["form"]
    data = {"version": str(item.version)}
    for bound in form:
        data[bound.html_name] = data[bound.html_initial_name] = str(bound.value() or "")
    return data | changes


def test_it_saves_only_what_was_changed(as_owner: Client, seen: Item) -> None:
    response = as_owner.post(f"/items/{seen.pk}/edit", edit_form(as_owner, seen, owner="ops", labels="a=1"))
    assert response.status_code == 302, response.content[:300]
    stored = Item.objects.get(pk=seen.pk)
    assert stored.desired == {"cpu_count": 8, "owner": "ops", "label.a": "1"}


def test_two_people_who_edit_different_fields_both_win(as_owner: Client, owner: Actor, web1: Item) -> None:
    form = edit_form(as_owner, web1, owner="mine")
    actions.update_item(owner, web1, {"region": "theirs"})
    first = as_owner.post(f"/items/{web1.pk}/edit", form)
    assert first.status_code == 412
    assert "keeps both" in first.content.decode()
    as_owner.post(f"/items/{web1.pk}/edit", form | {"version": str(first.context["version"])})
    stored = Item.objects.get(pk=web1.pk)
    assert (stored.owner, stored.region) == ("mine", "theirs")


def test_a_field_that_both_changed_is_shown_with_both_values_and_nothing_is_written(
    as_owner: Client, owner: Actor, web1: Item
) -> None:
    form = edit_form(as_owner, web1, owner="mine")
    actions.update_item(owner, web1, {"owner": "theirs"})
    response = as_owner.post(f"/items/{web1.pk}/edit", form)
    collision = response.context["collisions"][0]
    assert (collision.yours, collision.stored) == ("mine", "theirs")
    assert Item.objects.get(pk=web1.pk).owner == "theirs"


def test_it_never_shows_a_secret(as_owner: Client, owner: Actor) -> None:
    actions.set_attribute(owner, "host", {"code": "bmc_password", "title_en": "BMC password", "kind": "secret"})
    item = actions.create_item(owner, "host", "s1", {"bmc_password": "hunter2-hunter2"})
    digest = item.attributes["bmc_password"]
    for tab in TABS:
        page = text(as_owner, f"/items/{item.pk}{tab}")
        assert "hunter2" not in page
        if tab != "/sources":
            assert digest not in page


def test_it_shows_the_history_with_old_and_new(as_owner: Client, seen: Item) -> None:
    page = text(as_owner, f"/items/{seen.pk}/history")
    assert "<del>4</del>" in page
    assert "<ins>8</ins>" in page


def test_the_timeline_names_changed_fields_as_people_do(as_owner: Client, seen: Item) -> None:
    assert "Logical processors" in text(as_owner, f"/items/{seen.pk}/timeline")


def test_it_shows_who_says_what_and_the_difference(as_owner: Client, seen: Item) -> None:
    rows = {row.title: row for row in as_owner.get(f"/items/{seen.pk}/sources").context["rows"]}
    cpu = rows["Logical processors"]
    assert (cpu.value, cpu.wish, cpu.said, cpu.differs) == ("8", "8", ["4"], True)


def test_accepting_what_is_observed_ends_the_difference(as_owner: Client, seen: Item) -> None:
    as_owner.post(f"/items/{seen.pk}/drift", {"drift": Drift.objects.get().pk, "decision": "accept"})
    assert Item.objects.get(pk=seen.pk).attributes["cpu_count"] == 4
    assert not Drift.objects.exists()


def test_a_known_difference_leaves_the_list_of_open_ones(as_owner: Client, seen: Item) -> None:
    assert "db1" in text(as_owner, "/items/drift")
    as_owner.post(f"/items/{seen.pk}/drift", {"drift": Drift.objects.get().pk, "decision": "acknowledge"})
    assert "db1" not in text(as_owner, "/items/drift")


def test_it_relates_and_unrelates_in_both_directions(as_owner: Client, web1: Item, lab1: Item) -> None:
    body = {"type": "depends_on", "target": lab1.pk, "direction": "in"}
    as_owner.post(f"/items/{web1.pk}/relations/add", body)
    assert Relation.objects.get().src_id == lab1.pk
    assert "lab1" in text(as_owner, f"/items/{web1.pk}/relations")
    as_owner.post(f"/items/{web1.pk}/relations/remove", body)
    assert not Relation.objects.exists()


@pytest.mark.parametrize("target", ["", "x", "999999"])
def test_it_refuses_a_relation_to_nothing(as_owner: Client, web1: Item, target: str) -> None:
    response = as_owner.post(f"/items/{web1.pk}/relations/add", {"type": "depends_on", "target": target})
    assert response.status_code in (404, 422)


def test_the_graph_holds_names_as_data_only(as_owner: Client, owner: Actor, web1: Item) -> None:
    other = actions.create_item(owner, "host", HOSTILE, {})
    actions.relate(owner, web1, "depends_on", other)
    graph = json.loads(text(as_owner, "/topology/graph", item=web1.pk, depth=2))
    assert {node["name"] for node in graph["nodes"]} == {"web1", HOSTILE}
    assert graph["edges"] == [{"source": web1.pk, "target": other.pk, "title": "depends_on"}]


def test_the_topology_shows_only_what_one_may_see(as_teammate: Client, owner: Actor, web1: Item, lab1: Item) -> None:
    actions.relate(owner, web1, "depends_on", lab1)
    graph = json.loads(text(as_teammate, "/topology/graph", item=web1.pk))
    assert [node["name"] for node in graph["nodes"]] == ["web1"]
    assert graph["edges"] == []


def test_it_merges_and_takes_the_merge_back(as_owner: Client, web1: Item, lab1: Item) -> None:
    assert "lab1" in text(as_owner, f"/items/{web1.pk}/merge", target=lab1.pk)
    as_owner.post(f"/items/{web1.pk}/merge", {"target": lab1.pk})
    assert Item.objects.get(pk=lab1.pk).lifecycle == Lifecycle.RETIRED
    as_owner.post(f"/items/merges/{Merge.objects.get().pk}/undo")
    assert Item.objects.get(pk=lab1.pk).lifecycle == Lifecycle.ACTIVE


@pytest.mark.parametrize(("keeps", "decision"), [(True, "merged"), (False, "refused")])
def test_a_proposal_is_decided(
    as_owner: Client, owner: Actor, web1: Item, lab1: Item, keeps: bool, decision: str
) -> None:
    proposal = actions.propose(owner, web1, lab1, [{"kind": "hostname", "value": "same"}])
    assert "web1" in text(as_owner, "/items/merges")
    as_owner.post(f"/items/merges/{proposal.pk}", {"keep": web1.pk if keeps else ""})
    assert MergeProposal.objects.get().decision == decision


def test_the_overview_says_what_needs_attention(as_owner: Client, seen: Item, owner: Actor) -> None:
    actions.create_item(owner, "host", "broken", {"state": "error"})
    page = text(as_owner, "/overview/attention")
    assert "1 item is in error" in page
    assert "1 value differs from the wish" in page
    assert "no second factor" in page


def test_the_overview_counts_by_type_and_state(as_owner: Client, web1: Item, lab1: Item) -> None:
    context = as_owner.get("/").context
    assert context["total"] == 2
    assert [(row["spec"].code, row["count"]) for row in context["types"]] == [("host", 2)]


def test_what_was_put_into_the_trash_is_said_so(as_owner: Client, owner: Actor, web1: Item) -> None:
    actions.trash(owner, [web1.pk])
    assert "moved to the trash" in text(as_owner, f"/items/{web1.pk}/timeline")


def test_the_history_names_the_other_end_of_a_relation(as_owner: Client, owner: Actor, web1: Item, lab1: Item) -> None:
    actions.relate(owner, web1, "depends_on", lab1)
    assert "<ins>lab1</ins>" in text(as_owner, f"/items/{web1.pk}/history")


def test_metrics_say_when_the_engine_does_not_answer(
    as_owner: Client, web1: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests of this process may have an engine running.
    monkeypatch.setitem(settings.QD, "clickhouse_url", f"http://127.0.0.1:{free_port()}")
    response = as_owner.get(f"/items/{web1.pk}/metrics")
    assert response.status_code == 503
    assert "web1" in response.content.decode()


@pytest.mark.parametrize(
    ("name", "shown"), [("[", 'filename="["'), ("~", 'filename="~"'), ("日志", "filename*=utf-8''%E6%97%A5%E5%BF%97")]
)
def test_a_file_of_a_host_is_downloaded_by_its_name(
    as_owner: Client, web1: Item, name: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "download_file", lambda *_args: iter([b"content"]))
    answer = as_owner.get(reverse("web:item_file_download", args=[web1.pk]), {"path": f"/tmp/{name}"})
    assert answer.headers["Content-Disposition"] == f"attachment; {shown}"
