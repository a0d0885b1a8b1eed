"""Host keys over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.api.conftest import ApiClient, problem_of
from tests.jobs.test_host_keys import new_key, text_of
from tests.web_admin.test_host_keys import changed

pytestmark = pytest.mark.django_db


def test_a_changed_key_is_listed_with_what_was_expected_and_decided_on(admin: ApiClient) -> None:
    item, old, new = changed(env="lab")
    [row] = admin.call("GET", "/host-keys?q=is:changed%20env:lab").json()["items"]
    assert (row["id"], row["state"], row["expected"]) == (new.pk, "pending", [old.fingerprint])
    assert row["item"] == {"id": item.pk, "name": item.name}
    # A query approves what is new; what is another key than the approved one only when that is said.
    assert admin.call("POST", "/host-keys/approve", {"query": "env:lab"}).json() == {"changed": 0}
    assert admin.call("POST", "/host-keys/approve", {"query": "env:lab", "with_changed": True}).json() == {"changed": 1}
    assert admin.call("POST", "/host-keys/refuse", {"ids": [new.pk]}).json() == {"changed": 1}
    assert admin.call("POST", "/host-keys/forget", {"query": ""}).json() == {"changed": 2}
    assert admin.call("GET", "/host-keys").json() == {"items": [], "next": None}


def test_what_is_wrong_is_told(admin: ApiClient, token_client: Callable[..., ApiClient]) -> None:
    problem_of(admin.call("POST", "/host-keys/approve", {}), 422, "bad_input")
    problem_of(admin.call("POST", "/host-keys/approve", {"ids": [1]}), 404, "not_found")
    problem_of(admin.call("GET", "/host-keys?q=nosuch:1"), 400, "bad_query")
    problem_of(token_client("viewer").call("POST", "/host-keys/forget", {"query": ""}), 403, "denied")


def test_a_known_hosts_file_is_imported(admin: ApiClient) -> None:
    done = admin.call(
        "POST", "/host-keys/import", {"text": f"web1 {text_of(new_key())}\n@cert-authority * x y\n"}
    ).json()
    assert (done["approved"], [row["line"] for row in done["skipped"]]) == (1, [2])


def test_facts_are_asked_for_and_packages_told(admin: ApiClient) -> None:
    body = {"type": "host", "name": "web1", "primary_ip": "127.0.0.1", "attributes": {"ssh_port": 1}}
    host = admin.call("POST", "/items", body)
    item = host.json()["id"]
    [row] = admin.call("POST", "/hosts/facts", {"ids": [item]}).json()["hosts"]
    assert (row["name"], row["status"], row["code"]) == ("web1", "failed", "unreachable")
    problem_of(admin.call("GET", f"/items/{item}/packages"), 404, "not_found")
    problem_of(admin.call("POST", "/hosts/facts", {"ids": [10**6]}), 404, "not_found")


def test_hosts_are_added(admin: ApiClient) -> None:
    body = {"names": ["web[1:2]"], "address_pattern": "10.0.0.[1:2]", "values": {"env": "lab"}}
    tried = admin.call("POST", "/hosts", {**body, "dry_run": True}).json()
    assert (tried["create"], tried["hosts"][1]) == (2, {"name": "web2", "address": "10.0.0.2"})
    assert admin.call("POST", "/hosts", body).json()["change_set"]
    problem_of(admin.call("POST", "/hosts", {"names": ["a"], "jump": "-x"}), 422, "bad_input")
