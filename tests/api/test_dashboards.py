"""Dashboards through the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.api.conftest import ApiClient

pytestmark = pytest.mark.django_db
HOSTS = {"title": "Hosts", "panels": [{"id": 1, "title": "Load", "queries": [{"expr": "system_cpu_load_average_1m"}]}]}


def test_a_dashboard_is_made_changed_restored_and_deleted(admin: ApiClient) -> None:
    answer = admin.call("PUT", "/dashboards/hosts", {"definition": HOSTS, "note": "first"})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    assert answer.json()["definition"] == HOSTS
    changed = {"definition": {**HOSTS, "title": "All hosts"}}
    assert admin.call("PUT", "/dashboards/hosts", changed, If_Match='"9"').status_code == 412
    file = {"content": {"slug": "hosts", **changed["definition"]}, "dry_run": True}
    taken = admin.call("POST", "/dashboards/import", file).json()
    assert (taken["version"], taken["result"], taken["notes"]) == (2, "changed", [])
    assert admin.call("PUT", "/dashboards/hosts", changed, If_Match='"1"').json()["version"] == 2
    listed = admin.call("GET", "/dashboards").json()["items"]
    assert [(row["slug"], row["title"], row["panels"], row["version"]) for row in listed] == [
        ("hosts", "All hosts", 1, 2)
    ]
    found = admin.call("GET", "/dashboards/hosts/versions?limit=1").json()
    assert [row["number"] for row in found["items"]] == [2]
    found = admin.call("GET", f"/dashboards/hosts/versions?limit=1&after={found['next']}").json()
    assert [(row["number"], row["note"]) for row in found["items"]] == [(1, "first")]
    assert admin.call("GET", "/dashboards/hosts/versions/1").json()["definition"] == HOSTS
    assert admin.call("POST", "/dashboards/hosts/restore", {"number": 1}).json()["title"] == "Hosts"
    assert admin.call("DELETE", "/dashboards/hosts").status_code == 204
    assert admin.call("GET", "/dashboards/hosts").status_code == 404


def test_what_is_wrong_is_a_problem_with_its_place(admin: ApiClient) -> None:
    wrong = {"title": "Hosts", "panels": [{"id": 1, "queries": [{"expr": "sum("}]}]}
    answer = admin.call("PUT", "/dashboards/hosts", {"definition": wrong})
    assert (answer.status_code, answer.json()["field"]) == (422, "panels[0].queries[0].expr")


def test_a_viewer_reads_and_changes_nothing(admin: ApiClient, token_client: Callable[..., ApiClient]) -> None:
    admin.call("PUT", "/dashboards/hosts", {"definition": HOSTS})
    viewer = token_client("viewer", name="viewer")
    assert viewer.call("GET", "/dashboards/hosts").json()["title"] == "Hosts"
    assert viewer.call("PUT", "/dashboards/hosts", {"definition": HOSTS}).status_code == 403
    assert viewer.call("POST", "/dashboards/hosts/restore", {"number": 1}).status_code == 403
    assert viewer.call("DELETE", "/dashboards/hosts").status_code == 403
    operator = token_client("operator", name="operator")
    assert operator.call("PUT", "/dashboards/hosts", {"definition": {**HOSTS, "title": "Mine"}}).json()["version"] == 2
