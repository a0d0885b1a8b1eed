"""Hosts are added by a pattern, with how they are reached and what signs in on them."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from quarterdeck.access.models import Attachment
from quarterdeck.access.vault.actions import create_credential
from quarterdeck.access.vault.queries import resolve
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, Denied, NotFound
from quarterdeck.inventory.actions import revert
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.onboarding.actions import add_hosts
from quarterdeck.jobs.onboarding.planning import Wanted, planned

pytestmark = pytest.mark.django_db
WANTED = Wanted(
    ("web[01:03].example",), "10.0.0.[7:9]", "ops", 2222, "a@bastion:22", "lab", {"env": "prod", "label.role": "web"}
)


@pytest.fixture
def credential(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(settings.QD, "vault_key_file", str(tmp_path / "vault"))
    create_credential(SYSTEM, "lab", "password", {"password": "x y"}, {"username": "ops"})


def test_they_are_in_the_inventory_and_the_credential_is_for_them(owner: Actor, credential: None) -> None:
    done = add_hosts(owner, WANTED)
    assert (done.result["create"], done.result["errors"]) == (3, [])
    items = list(Item.objects.order_by("name"))
    assert [(item.name, item.primary_ip) for item in items] == [
        (f"web0{n}.example", f"10.0.0.{n + 6}") for n in (1, 2, 3)
    ]
    assert {"ssh_user": "ops", "ssh_port": 2222, "ssh_proxy_jump": "a@bastion:22"}.items() <= items[
        0
    ].attributes.items()
    assert (items[0].env, items[0].labels) == ("prod", {"role": "web", "sign_in": "lab"})
    assert all(found.sign_in and found.sign_in.name == "lab" for found in resolve(items).values())
    assert add_hosts(owner, WANTED).result["unchanged"] == 3
    assert Attachment.objects.count() == 1
    assert AuditEvent.objects.filter(verb="jobs.add_hosts").count() == 2
    revert(owner, done.result["change_set"])
    assert set(Item.objects.values_list("lifecycle", flat=True)) == {"trashed"}


def test_a_dry_run_tells_and_does_nothing(owner: Actor, credential: None) -> None:
    assert add_hosts(owner, WANTED, dry_run=True).result["create"] == 3
    assert not Item.objects.exists()
    assert not Attachment.objects.exists()


def test_a_name_as_address_is_the_full_name() -> None:
    [host] = planned(Wanted(("web1",), "web1.example"))
    assert (host.address, host.fields) == ("web1.example", {"name": "web1", "fqdn": "web1.example"})


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Wanted(()), "names"), (Wanted(("web[1:",)), "names"), (Wanted(("a", "a")), "names"),
        (Wanted(("web[1:9999]", "db[1:9999]")), "names"),
        (Wanted(("a",), "10.0.0.[1:2]"), "address_pattern"), (Wanted(("a",), "[2:1]"), "address_pattern"),
        (Wanted(("a",), port=70_000), "port"), (Wanted(("a",), jump="-oProxyCommand=x"), "jump"),
        (Wanted(("a",), values={"name": "b"}), "values"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_at_its_field(wanted: Wanted, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        planned(wanted)
    assert caught.value.field == field


def test_what_is_wrong_with_one_value_is_told_for_each_host(owner: Actor) -> None:
    done = add_hosts(owner, Wanted(("web[1:2]",), values={"cpu_count": "many", "nosuch": "1"}))
    assert done.result["create"] == 0
    assert {error["row"] for error in done.result["errors"]} == {1, 2}


def test_who_may_not(teammate: Actor, stranger: Actor, credential: None) -> None:
    with pytest.raises(Denied):
        add_hosts(stranger, Wanted(("a",)))
    # Whoever may import, and not manage credentials, cannot say where one is used.
    with pytest.raises(Denied):
        add_hosts(teammate, WANTED)
    assert not Item.objects.exists()
    with pytest.raises(NotFound):
        add_hosts(SYSTEM, Wanted(("a",), credential="nosuch"))
