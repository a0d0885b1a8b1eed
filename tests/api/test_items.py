"""Items over HTTP: the contract's shapes, pages, versions, bulk writes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.api.conftest import ApiClient, problem_of

from quarterdeck.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


def create(client: ApiClient, name: str, **values: Any) -> dict[str, Any]:
    response = client.call("POST", "/items", {"type": "host", "name": name, **values})
    assert response.status_code == 201, response.content
    item: dict[str, Any] = response.json()
    return item


def names(client: ApiClient, address: str) -> list[str]:
    response = client.call("GET", address)
    assert response.status_code == 200, response.content
    return [item["name"] for item in response.json()["items"]]


def test_it_creates_an_item_and_reads_it_again(admin: ApiClient) -> None:
    response = admin.call(
        "POST",
        "/items",
        {"type": "host", "name": "web1", "env": "prod", "labels": {"role": "web"}, "attributes": {"cpu_count": 8}},
    )
    made = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"/api/v1/items/{made['id']}"
    again = admin.call("GET", f"/items/{made['id']}")
    assert again.json() == made
    assert (made["type"], made["name"], made["env"]) == ("host", "web1", "prod")
    assert (made["labels"], made["attributes"], made["lifecycle"]) == ({"role": "web"}, {"cpu_count": 8}, "active")
    assert response["ETag"] == again["ETag"] == f'"{made["version"]}"'


def test_it_lists_what_a_query_selects(admin: ApiClient) -> None:
    create(admin, "web1", env="prod")
    create(admin, "web2", env="test")
    response = admin.call("GET", "/items?q=type:host+env:prod&limit=50")
    body = response.json()
    assert set(body) == {"items", "next"}
    assert body["next"] is None
    assert [item["name"] for item in body["items"]] == ["web1"]
    assert {"id", "type", "name", "state", "attributes"} <= set(body["items"][0])


@pytest.mark.parametrize("sort", ["", "name", "-name", "id", "-last_seen"])
def test_its_pages_hold_every_item_once(admin: ApiClient, sort: str) -> None:
    made = {create(admin, f"web{index}")["id"] for index in range(7)}
    seen: list[int] = []
    after = ""
    while True:
        response = admin.call("GET", f"/items?q=type:host&limit=3&sort={sort}&after={after}")
        body = response.json()
        seen += [item["id"] for item in body["items"]]
        after = body["next"]
        if after is None:
            break
        assert f"after={after}" in response["Link"]
    assert len(seen) == len(set(seen))
    assert set(seen) == made


@pytest.mark.parametrize("after", ["x", "!!!", "W10", "bnVsbA", "eyJhIjoxfQ", "Wzld", "1" * 500])
def test_it_rejects_cursors_that_it_did_not_make(admin: ApiClient, after: str) -> None:
    response = admin.call("GET", f"/items?after={after}")
    assert response.status_code == 422, response.content


def test_it_answers_only_the_parts_asked_for(admin: ApiClient) -> None:
    create(admin, "web1", env="prod")
    item = admin.call("GET", "/items?fields=env").json()["items"][0]
    assert set(item) == {"id", "type", "name", "env"}
    assert 'mean "env"' in problem_of(admin.call("GET", "/items?fields=en"), 422, "bad_input")["hint"]


def test_it_changes_only_what_is_given(admin: ApiClient) -> None:
    made = create(admin, "web1", env="prod", labels={"role": "web"}, attributes={"cpu_count": 8})
    response = admin.call("PATCH", f"/items/{made['id']}", {"labels": {"tier": "1"}, "reason": "CHG-7"})
    changed = response.json()
    assert changed["labels"] == {"role": "web", "tier": "1"}
    assert (changed["env"], changed["attributes"]) == ("prod", {"cpu_count": 8})
    assert changed["version"] > made["version"]
    event = AuditEvent.objects.get(verb="inventory.update")
    assert (event.reason, event.request_id) == ("CHG-7", response["X-Request-ID"])


def test_null_takes_a_value_away(admin: ApiClient) -> None:
    made = create(admin, "web1", env="prod", labels={"role": "web"}, attributes={"cpu_count": 8})
    change = {"env": None, "labels": {"role": None}, "attributes": {"cpu_count": None}}
    changed = admin.call("PATCH", f"/items/{made['id']}", change).json()
    assert (changed["env"], changed["labels"], changed["attributes"]) == ("", {}, {})


def test_it_reads_text_by_the_attributes_kind(admin: ApiClient) -> None:
    made = create(admin, "web1", attributes={"cpu_count": "8"})
    assert made["attributes"] == {"cpu_count": 8}
    problem = problem_of(
        admin.call("PATCH", f"/items/{made['id']}", {"attributes": {"cpu_count": "x"}}), 422, "bad_input"
    )
    assert problem["field"] == "cpu_count"


def test_it_refuses_a_write_to_an_item_that_moved_on(admin: ApiClient) -> None:
    made = create(admin, "web1")
    address, tag = f"/items/{made['id']}", f'"{made["version"]}"'
    assert admin.call("PATCH", address, {"env": "prod"}, If_Match=tag).status_code == 200
    problem_of(admin.call("PATCH", address, {"env": "test"}, If_Match=tag), 412, "stale")
    problem_of(admin.call("DELETE", address, If_Match=tag), 412, "stale")
    assert admin.call("GET", address).json()["env"] == "prod"


@pytest.mark.parametrize(("tag", "status"), [("*", 200), ("", 200), ('W/"1"', 412), ('"1", "2"', 412), ("7", 422)])
def test_it_understands_if_match(admin: ApiClient, tag: str, status: int) -> None:
    made = create(admin, "web1")
    admin.call("PATCH", f"/items/{made['id']}", {"env": "prod"})
    assert admin.call("PATCH", f"/items/{made['id']}", {"env": "test"}, If_Match=tag).status_code == status


def test_it_says_that_nothing_changed(admin: ApiClient) -> None:
    made = create(admin, "web1")
    response = admin.call("GET", f"/items/{made['id']}", If_None_Match=f'W/"{made["version"]}"')
    assert (response.status_code, response.content) == (304, b"")
    assert admin.call("GET", f"/items/{made['id']}", If_None_Match='"999"').status_code == 200


def test_it_puts_items_in_the_trash_and_back(admin: ApiClient) -> None:
    made = create(admin, "web1")
    assert admin.call("DELETE", f"/items/{made['id']}").status_code == 204
    assert names(admin, "/items?q=type:host") == []
    assert admin.call("GET", f"/items/{made['id']}").json()["lifecycle"] == "trashed"
    assert admin.call("POST", "/items/restore", {"ids": [made["id"]]}).json()["changed"] == 1
    assert names(admin, "/items?q=type:host") == ["web1"]


def test_it_purges_only_from_the_trash(admin: ApiClient) -> None:
    made = create(admin, "web1")
    problem_of(admin.call("POST", "/items/purge", {"ids": [made["id"]]}), 409, "conflict")
    admin.call("POST", "/items/trash", {"ids": [made["id"]]})
    assert admin.call("POST", "/items/purge", {"ids": [made["id"]]}).json()["changed"] == 1
    problem_of(admin.call("GET", f"/items/{made['id']}"), 404, "not_found")


def test_it_changes_many_items_at_once(admin: ApiClient) -> None:
    for name in ("web1", "web2", "db1"):
        create(admin, name)
    response = admin.call("POST", "/items/bulk", {"query": "name:web*", "labels": {"role": "web"}})
    assert response.json()["changed"] == 2
    assert names(admin, "/items?q=label.role:web") == ["web1", "web2"]


@pytest.mark.parametrize("selection", [{}, {"ids": [1], "query": ""}, {"ids": []}])
def test_a_bulk_write_names_its_items_in_one_way(admin: ApiClient, selection: dict[str, Any]) -> None:
    problem_of(admin.call("POST", "/items/bulk", {**selection, "env": "prod"}), 422, "bad_input")


def test_it_relates_items_and_draws_the_graph(admin: ApiClient) -> None:
    app, database = create(admin, "app1"), create(admin, "db1")
    edge = {"src": app["id"], "dst": database["id"], "type": "depends_on"}
    assert admin.call("POST", "/relations", edge).status_code == 201
    graph = admin.call("GET", f"/items/{app['id']}/graph").json()
    assert [(one["src"], one["dst"], one["type"]) for one in graph["edges"]] == [
        (app["id"], database["id"], "depends_on")
    ]
    assert {(node["name"], node["level"]) for node in graph["nodes"]} == {("app1", 0), ("db1", 1)}
    assert admin.call("GET", f"/items/{app['id']}/relations").json()["items"][0]["dst_name"] == "db1"
    assert admin.call("GET", f"/items/{app['id']}?relations=true").json()["relations"][0]["type"] == "depends_on"
    assert admin.call("POST", "/relations/remove", edge).status_code == 204
    assert admin.call("GET", f"/items/{app['id']}/relations").json()["items"] == []


def test_it_pages_through_history_and_timeline(admin: ApiClient) -> None:
    made = create(admin, "web1")
    for env in ("prod", "test", "dev"):
        admin.call("PATCH", f"/items/{made['id']}", {"env": env})
    for part in ("history", "timeline"):
        whole = admin.call("GET", f"/items/{made['id']}/{part}").json()["items"]
        collected, after = [], ""
        while after is not None:
            body = admin.call("GET", f"/items/{made['id']}/{part}?limit=1&after={after.replace('+', '%2B')}").json()
            collected += body["items"]
            after = body["next"]
        assert collected == whole
        assert len(whole) >= 4


def test_events_of_the_same_moment_are_not_lost_between_pages(admin: ApiClient) -> None:
    made = create(admin, "web1")
    for title in ("one", "two", "three"):
        body = {"kind": "deploy.finished", "title": title, "at": "2026-05-01T12:00:00Z"}
        assert admin.call("POST", f"/items/{made['id']}/timeline", body).status_code == 201
    titles, after = [], ""
    while after is not None:
        body = admin.call("GET", f"/items/{made['id']}/timeline?limit=2&after={after.replace('+', '%2B')}").json()
        titles += [row["title"] for row in body["items"] if row["kind"] == "deploy.finished"]
        after = body["next"]
    assert sorted(titles) == ["one", "three", "two"]


def test_it_searches_and_counts(admin: ApiClient) -> None:
    create(admin, "web1", env="prod")
    create(admin, "web2", env="prod")
    assert [item["name"] for item in admin.call("GET", "/search?q=web1").json()["items"]] == ["web1"]
    facets = {facet["field"]: facet["values"] for facet in admin.call("GET", "/facets?fields=env,type").json()["items"]}
    assert facets == {"env": [{"value": "prod", "count": 2}], "type": [{"value": "host", "count": 2}]}
    completions = admin.call("GET", "/completions?q=na").json()["items"]
    assert completions[0]["text"] == "name:"


def test_it_shows_hostile_values_as_plain_data(admin: ApiClient) -> None:
    hostile = "<script>alert(1)</script>\x1b[2J\u202e"
    made = create(admin, hostile, labels={"x": "</script>"})
    response = admin.call("GET", f"/items/{made['id']}")
    assert response.json()["name"] == hostile
    assert response["Content-Type"].startswith("application/json")
    assert response["X-Content-Type-Options"] == "nosniff"
