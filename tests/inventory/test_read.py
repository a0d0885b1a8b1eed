"""Lists, search, pages, graph, history: what a query finds, for whom, and what it refuses."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.inventory.conftest import Sync, host

from quarterdeck.access.actions import create_token
from quarterdeck.audit.actor import SYSTEM, Actor, ActorKind
from quarterdeck.core.errors import BadInput, BadQuery, NotFound
from quarterdeck.inventory.actions import add_event, save_view, set_attribute, update_item
from quarterdeck.inventory.found import Found
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries import (
    completions,
    condition,
    counts,
    drift,
    facets,
    get_item,
    graph,
    history,
    items,
    moments,
    observations,
    relations,
    search,
    timeline,
    views,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet(sync: Sync) -> None:
    """Four hosts and a container."""
    sync(
        host(
            "web-01",
            {"cpu_count": 2, "os_name": "debian", "memory_bytes": 4 << 30, "ip_addresses": ["10.0.0.1", "fd00::1"],
             "boot_time": "2026-05-01T00:00:00Z", "notes": "Ersatz 100%", "swap_bytes": 7},
            env="prod", labels={"role": "web", "网络": "北京机房"}, primary_ip="10.0.0.1", state="running", owner="Ops",
        ),
        host("web-02", {"cpu_count": 8, "os_name": "Ubuntu", "memory_bytes": 16 << 30, "fqdn": "web-02.example.com",
             "packages": {"dpkg": 512}, "logged_in_users": [{"name": "root"}]},
             env="prod", labels={"role": "web"}, primary_ip="10.0.1.2", state="stopped"),
        host("db_01", {"cpu_count": 16, "os_name": "debian"}, env="test", labels={"role": "db"}, primary_ip="fd00::5"),
        host("数据库服务器", {"os_name": "openEuler"}, env="dev"),
        Found("container", "c1", "nginx", {"image": "nginx:1.2", "privileged": True, "exit_code": 0,
              "ports": ["0.0.0.0:80->80/tcp"], "env_names": ["PATH"]}, relations=[("runs_on", "host", "web-01")]),
    )  # fmt: skip


def names(q: str) -> set[str]:
    return set(items(SYSTEM, q).values_list("name", flat=True))


W1, W2, DB, ZH, C = "web-01", "web-02", "db_01", "数据库服务器", "nginx"


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("", {W1, W2, DB, ZH, C}),
        ("type:host", {W1, W2, DB, ZH}),
        ("type:(container OR rack)", {C}),
        ("type:cont*", {C}),
        ("group:compute -type:host", {C}),
        ("name:WEB-01", {W1}),
        ("name:web*", {W1, W2}),
        ("name:*01", {W1, DB}),
        ("name:w*1", {W1}),
        ("name:*w**b*0*1", {W1}),
        ("name:w*b*b*1", set()),
        ("env:p*o*d", {W1, W2}),
        ("os_name:d*b*a*", {W1, DB}),
        ("notes:e*z*1*0*", {W1}),
        ("ports:*0*80->*tcp", {C}),
        ("packages:5*1*2", {W2}),
        ("name:db_*", {DB}),
        ("name:web%", set()),
        ("name:*数据*", {ZH}),
        ("env:prod", {W1, W2}),
        ("env:PROD", {W1, W2}),
        ("env:(prod OR test)", {W1, W2, DB}),
        ("env:pr*", {W1, W2}),
        ("env:*od", {W1, W2}),
        ("-env:*", {C}),
        ("owner:Ops", {W1}),
        ("owner:*", {W1}),
        ("state:(running OR stopped)", {W1, W2}),
        ("lifecycle:active", {W1, W2, DB, ZH, C}),
        ("cpu_count:>=8", {W2, DB}),
        ("cpu_count:[2 TO 8]", {W1, W2}),
        ("cpu_count:[* TO 8]", {W1, W2}),
        ("cpu_count:(2 OR 16)", {W1, DB}),
        ("cpu_count:*", {W1, W2, DB}),
        ("-cpu_count:2 type:host", {W2, DB, ZH}),
        ("memory_bytes:>4G", {W2}),
        ("os_name:ubuntu", {W2}),
        ("boot_time:<2026-06-01", {W1}),
        ("boot_time:[2026-05-01 TO 2026-05-01]", {W1}),
        ("ip:10.0.0.1", {W1}),
        ("ip:10.0.0.0/16", {W1, W2}),
        ("ip:10.0.*", {W1, W2}),
        ("ip:fd00::/64", {DB}),
        ("ip_addresses:fd00::1", {W1}),
        ("label.role:web", {W1, W2}),
        ("role:(web OR db)", {W1, W2, DB}),
        ("role:w*", {W1, W2}),
        ("网络:北京机房", {W1}),
        ("has:label", {W1, W2, DB}),
        ("swap_bytes:7", {W1}),
        ("swap_bytes:>6", {W1}),
        ("swap_bytes:*", {W1}),
        ("notes:*100%*", {W1}),
        ('notes:"ersatz 100%"', {W1}),
        ("privileged:true", {C}),
        ("exit_code:0", {C}),
        ("env_names:path", {C}),
        ('ports:"0.0.0.0:80->80/tcp"', {C}),
        ("packages:512", {W2}),
        ("logged_in_users:root", {W2}),
        ("runs_on:web-01", {C}),
        ("runs_on:web*", {C}),
        ("has:runs_on", {C}),
        ("runs_on:(#² OR #99999999999999999999)", set()),
        ("has:drift", set()),
        ("web", {W1, W2}),
        ("WEB", {W1, W2}),
        ("example", {W2}),
        ("北京", {W1}),
        ("机房", {W1}),
        ("据库服", {ZH}),
        ('"web 01"', {W1}),
        ('"web 0"', set()),
        ("10.0.0.1", {W1}),
        ("nginx:1.2", None),
        ('"nginx:1.2"', {C}),
        ("*", {W1, W2, DB, ZH, C}),
        ("!!!", set()),
        ("web -role:web", set()),
        ("first_seen:>-1h", {W1, W2, DB, ZH, C}),
        ("last_seen:<-1d", set()),
    ],
)
def test_a_query_finds(fleet: None, q: str, found: set[str] | None) -> None:
    if found is None:
        with pytest.raises(BadQuery):
            items(SYSTEM, q)
    else:
        assert names(q) == found


@pytest.mark.parametrize(
    ("q", "hint"),
    [
        ("typ:host", 'did you mean "type"?'),
        ("type:hots", 'did you mean "host"?'),
        ("state:runing", 'did you mean "running"?'),
        ("cpu_cuont:4", 'did you mean "cpu_count"?'),
        ("rol:web", 'did you mean "role"?'),
        ("has:runs_no", 'did you mean "runs_on"?'),
        ("cpu_count:many", "Write a number"),
        ("swap_bytes:x", "Write a number"),
        ("boot_time:soon", "Write a time"),
        ("last_seen:>-1fortnight", "Write a time"),
        ("ip:300.1.1.1", "Write an address"),
        ("ip:10.0.1*", "wildcard"),
        ("env:>prod", "env:value"),
        ("runs_on:>x", "runs_on:value"),
        ("id:" + "9" * 30, "too large"),
        ("id:" + "9" * 5000, "too large"),
    ],
)
def test_a_query_that_means_nothing_is_refused_never_everything(fleet: None, q: str, hint: str) -> None:
    with pytest.raises(BadQuery) as caught:
        items(SYSTEM, q)
    assert hint in caught.value.hint or hint in caught.value.message
    assert caught.value.position is not None


@pytest.mark.parametrize(
    ("field", "value"), [("name", "a{}*b"), ("runs_on", "*{}"), ("ip", "10.0.0.{}"), ("env_names", "a{}")]
)
def test_a_list_that_the_database_could_not_answer_is_refused(fleet: None, field: str, value: str) -> None:
    listed = " OR ".join(value.format(n % 250) for n in range(2_000))
    with pytest.raises(BadQuery, match="terms, at most"):
        items(SYSTEM, f"{field}:({listed})")


@pytest.mark.parametrize("field", ["name", "env", "account", "os_name", "notes", "env_names", "label.role"])
def test_any_number_of_wildcards_is_answered(sync: Sync, field: str) -> None:
    """A pattern that fits nearly everywhere, and not at the end: tried in every way it would never end."""
    long = "a" * 4_000
    sync(
        host(long[:250], {"os_name": long, "notes": long}, env=long[:64], account=long[:128], labels={"role": long}),
        Found("container", "c", "c", {"env_names": [long]}),
    )
    assert names(f"{field}:a{'*a' * 40}*b") == set()
    assert len(names(f"{field}:a{'*a' * 40}*")) == 1


def test_ten_thousand_names_in_a_list_are_found(fleet: None) -> None:
    listed = " OR ".join([W1, *(f"host-{n}" for n in range(9_000))])
    assert names(f"name:({listed})") == {W1}


def test_the_side_index_is_asked_by_a_list_of_ids(fleet: None) -> None:
    sql = str(items(SYSTEM, "cpu_count:>=8 role:web").query)
    assert "EXISTS" not in sql
    assert sql.count("IN (SELECT") == 2


def test_a_code_of_different_kinds_is_looked_up_in_each(fleet: None, sync: Sync) -> None:
    set_attribute(SYSTEM, "host", {"code": "size", "kind": "integer", "indexed": True})
    set_attribute(SYSTEM, "rack", {"code": "size", "kind": "text", "indexed": True})
    sync(host("h", {"size": 5}), Found("rack", "r", "r", {"size": "5"}), Found("rack", "s", "s", {"size": "big"}))
    assert names("size:5") == {"h", "r"}
    assert names("size:big") == {"s"}
    assert names("size:>4") >= {"h"}


def test_retired_and_trashed_are_hidden_until_asked_for(fleet: None) -> None:
    Item.objects.filter(name=W1).update(lifecycle="retired")
    Item.objects.filter(name=W2).update(lifecycle="trashed")
    assert names("role:web") == set()
    assert names("role:web lifecycle:(retired OR trashed)") == {W1, W2}
    assert names("role:web lifecycle:*") == {W1, W2}


def test_everybody_sees_what_their_roles_select(fleet: None, owner: Actor, teammate: Actor, stranger: Actor) -> None:
    assert items(owner).count() == 5
    assert set(items(teammate).values_list("name", flat=True)) == {W1, W2}
    assert items(stranger).count() == 0
    assert search(stranger, "web") == []
    assert {item.name for item in search(teammate, "01")} == {W1}
    assert counts(teammate)["total"] == 2
    assert [found.text for found in completions(stranger, "name:w")] == []
    with pytest.raises(NotFound):
        get_item(teammate, Item.objects.get(name=DB).pk)


def test_an_unknown_order_is_refused(fleet: None) -> None:
    with pytest.raises(BadInput) as caught:
        items(SYSTEM, "", "-nmae")
    assert 'did you mean "name"?' in caught.value.hint


def test_facets_count_columns_labels_and_attributes(fleet: None) -> None:
    found = facets(SYSTEM, "type:host", fields=("env", "label.role", "os_name", "type"))
    assert found["env"] == [("prod", 2), ("dev", 1), ("test", 1)]
    assert found["label.role"] == [("web", 2), ("db", 1)]
    assert found["os_name"][0] == ("debian", 2)
    assert found["type"] == [("host", 4)]


def test_search_gives_the_exact_name_first(fleet: None, sync: Sync) -> None:
    sync(host("web", key="w"), host("old web", key="o"))
    assert [item.name for item in search(SYSTEM, "web")][:3] == ["web", W1, W2]
    assert [item.name for item in search(SYSTEM, "服务器")] == [ZH]
    assert search(SYSTEM, "10.0.0.1")[0].name == W1
    assert search(SYSTEM, "  ") == []
    assert search(SYSTEM, "'; DROP TABLE \" OR *") == []


def test_search_finds_rare_words_of_items_that_are_not_among_the_newest(
    sync: Sync, teammate: Actor, stranger: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quarterdeck.inventory.queries.searching._NEWEST", 2)
    oldest = [host(f"n{number}", {"serial": "rare-1"}, env="prod") for number in range(3)]
    sync(*oldest, *(host(f"m{number}", {"serial": "frequent-1"}, env="prod") for number in range(4)))
    assert [item.name for item in search(SYSTEM, "rare")] == ["n2", "n1", "n0"]
    assert [item.name for item in search(SYSTEM, "rare", limit=2)] == ["n2", "n1"]
    assert [item.name for item in search(SYSTEM, "frequent", limit=2)] == ["m3", "m2"]
    assert len(search(SYSTEM, "frequent")) == 4
    assert search(teammate, "rare")
    assert not search(stranger, "rare")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('enable_seqscan'), current_setting('enable_indexscan')")
            assert cursor.fetchone() == ("on", "on")


def test_search_forgets_words_that_are_gone(sync: Sync, item: Item) -> None:
    assert search(SYSTEM, "debian") == [item]
    sync(host("db1", {"os_name": "rocky"}, env="prod", labels={"role": "db"}))
    assert search(SYSTEM, "debian") == []
    assert search(SYSTEM, "rocky") == [item]


class TestGraph:
    """What is around an item."""

    def _chain(self, sync: Sync, count: int, *extra: tuple[int, int]) -> Item:
        edges = [(n, n + 1) for n in range(count - 1)] + list(extra)
        sync(*(
            host(f"h{n}", relations=[("depends_on", "host", f"h{b}") for a, b in edges if a == n]) for n in range(count)
        ))  # fmt: skip
        return Item.objects.get(name="h0")

    def test_it_goes_as_deep_as_asked(self, sync: Sync) -> None:
        root = self._chain(sync, 6)
        found = graph(SYSTEM, root, depth=3)
        assert sorted(item.name for item in found.nodes.values()) == ["h0", "h1", "h2", "h3"]
        assert sorted(found.level.values()) == [0, 1, 2, 3]
        assert len(found.edges) == 3

    def test_cycles_end(self, sync: Sync) -> None:
        root = self._chain(sync, 4, (3, 0), (2, 1))
        found = graph(SYSTEM, root, depth=50)
        assert (len(found.nodes), len(found.edges), found.is_cut) == (4, 5, False)

    def test_it_says_when_it_is_cut(self, sync: Sync) -> None:
        sync(host("hub"), *(host(f"n{n}", relations=[("depends_on", "host", "hub")]) for n in range(30)))
        found = graph(SYSTEM, Item.objects.get(name="hub"), nodes=10)
        assert (len(found.nodes), found.is_cut) == (10, True)

    def test_what_breaks_and_what_is_needed(self, sync: Sync) -> None:
        self._chain(sync, 3)
        middle = Item.objects.get(name="h1")
        assert {item.name for item in graph(SYSTEM, middle, direction="in").nodes.values()} == {"h0", "h1"}
        assert {item.name for item in graph(SYSTEM, middle, direction="out").nodes.values()} == {"h1", "h2"}

    def test_it_asks_once_per_level(self, sync: Sync) -> None:
        root = self._chain(sync, 4)
        with CaptureQueriesContext(connection) as captured:
            graph(SYSTEM, root, depth=3)
        assert len([query for query in captured if re.search(r"FROM \"inventory_relation\"", query["sql"])]) == 6

    def test_it_ends_at_what_the_actor_may_not_see(self, sync: Sync, teammate: Actor) -> None:
        sync(
            host("a", env="prod", relations=[("depends_on", "host", "b")]),
            host("b", env="test", relations=[("depends_on", "host", "c")]),
            host("c", env="prod"),
        )
        found = graph(teammate, Item.objects.get(name="a"))
        assert [item.name for item in found.nodes.values()] == ["a"]
        assert not relations(teammate, Item.objects.get(name="a")).exists()


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("ty", "type:"),
        ("type:ho", "host"),
        ("type:(host OR cont", "container"),
        ("(env:prod) -type:(ho", "host"),
        (f"{'a' * 60_000}(type:ho", "host"),
        ("-env:pr", "prod"),
        ("label.r", "label.role:"),
        ("label.role:w", "web"),
        ("os_name:d", "debian"),
        ("state:run", "running"),
        ("runs_on:web", "web-01"),
        ("lifecycle:", "active"),
        ("privileged:", "true"),
        ("label.网络:", "北京机房"),
    ],
)
def test_the_query_box_completes(fleet: None, text: str, offered: str) -> None:
    found = [one for one in completions(SYSTEM, text) if one.text == offered]
    assert len(found) == 1
    completed = text[: found[0].start] + found[0].text
    if not completed.endswith(":"):
        items(SYSTEM, completed + (")" if "(" in text else ""))


def test_history_timeline_and_observations_of_an_item(owner: Actor, item: Item) -> None:
    update_item(owner, item, {"owner": "ops"}, reason="handover")
    assert [change.field for change in history(owner, item)] == ["owner", ""]
    assert [change.field for change in history(owner, item, before=history(owner, item)[0].pk)] == [""]
    first = moments(SYSTEM, item)[0]
    assert (first.kind, first.title, first.actor, first.detail["reason"]) == (
        "inventory.change",
        "owner",
        "owner",
        "handover",
    )
    assert [row.source for row in observations(item)] == ["cloud"]
    assert list(timeline(SYSTEM, item)) == []


def test_a_query_tells_no_names_of_items_that_one_may_not_see(sync: Sync, owner: Actor, teammate: Actor) -> None:
    targets = [("runs_on", "host", "seen"), ("runs_on", "host", "hidden")]
    sync(host("a", env="prod", relations=targets), host("seen", env="prod"),
         host("hidden", env="test", labels={"hidden-label": "x"}))  # fmt: skip
    for q, found in (("runs_on:hid*", [0, 1]), ("runs_on:se*", [1, 1]), ("runs_on:hidden", [0, 1])):
        assert [items(who, q).count() for who in (teammate, owner)] == found
    assert [len(completions(who, "label.hid")) for who in (teammate, owner)] == [0, 1]
    for who, hint in ((owner, True), (teammate, False)):
        with pytest.raises(BadQuery) as refused:
            items(who, "hidden-labl:x")
        assert ('did you mean "hidden-label"?' in refused.value.hint) is hint


def test_events_of_the_fleet_are_for_who_may_see_items(owner: Actor, teammate: Actor, stranger: Actor) -> None:
    add_event(SYSTEM, None, "engine.full", "the disk is full")
    assert [timeline(who).count() for who in (owner, teammate, stranger)] == [1, 1, 0]


def test_the_views_of_a_token_are_not_those_of_another_of_its_name(owner: Actor) -> None:
    mine, other = (Actor(ActorKind.TOKEN, "token:ci", str(create_token(owner, "ci", ["viewer"])[0].pk)) for _n in "ab")
    save_view(mine, "Mine", "env:prod")
    assert [view.title for view in views(mine)] == ["Mine"]
    assert list(views(other)) == []


def test_history_names_only_the_related_items_that_one_may_see(sync: Sync, owner: Actor, teammate: Actor) -> None:
    targets = [("depends_on", "host", "seen"), ("depends_on", "host", "hidden")]
    sync(host("a", env="prod", relations=targets), host("seen", env="prod"), host("hidden", env="test"))
    item = Item.objects.get(name="a")

    def named(actor: Actor) -> set[str]:
        return {change.new["name"] for change in history(actor, item) if change.field == "relation.depends_on"}

    assert named(owner) == {"seen", "hidden"}
    assert named(teammate) == {"seen", ""}


def test_drift_is_listed_until_it_is_known(owner: Actor, item: Item) -> None:
    update_item(owner, item, {"cpu_count": 16})
    assert [row.field for row in drift(owner, "env:prod")] == ["cpu_count"]
    assert list(drift(owner, "env:test")) == []
    assert names("has:drift") == {"db1"}


def test_a_roles_scope_is_a_query_without_defaults(fleet: None) -> None:
    Item.objects.filter(name=W1).update(lifecycle="retired")
    assert set(Item.objects.filter(condition("env:prod")).values_list("name", flat=True)) == {W1, W2}
    with pytest.raises(BadQuery):
        condition("nonsense:1")
