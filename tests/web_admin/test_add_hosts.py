"""The page that adds hosts."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from tests.jobs.test_reach import host_item
from tests.web_admin.test_show import EVIL, assert_harmless

from quarterdeck.access.vault.actions import create_credential
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.clock import now
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.facts.models import InstalledPackages, packed
from quarterdeck.jobs.facts.packages import Package

pytestmark = pytest.mark.django_db
FORM = {"names": "web[1:2].example\ndb1", "address_pattern": "", "port": "2222", "values": "env=prod\nlabel.role=web"}


def test_hosts_are_shown_while_the_form_is_filled_in_and_added(
    as_owner: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(settings.QD, "vault_key_file", str(tmp_path / "vault"))
    create_credential(SYSTEM, "lab", "password", {"password": "x y"})
    host_item("db1")
    assert "lab" in as_owner.get("/hosts/new").content.decode()
    page = as_owner.post("/hosts/preview", {**FORM, "credential": "lab"})
    assert (page.context["total"], page.context["known"]) == (3, 1)
    assert Item.objects.count() == 1
    answer = as_owner.post("/hosts/new", {**FORM, "credential": "lab"})
    assert answer.headers["Location"].startswith("/changes/")
    assert Item.objects.get(name="web2.example").labels == {"role": "web", "sign_in": "lab"}
    assert as_owner.post("/hosts/new", {**FORM, "credential": "lab"}).headers["Location"] == "/items"


@pytest.mark.parametrize(("language", "words"), [("en", "What will be added"), ("zh-hans", "将添加的主机")])
def test_it_speaks_both_languages(as_owner: Client, language: str, words: str) -> None:
    assert words in as_owner.get("/hosts/new", headers={"Accept-Language": language}).content.decode()


def test_what_is_wrong_is_told(as_owner: Client) -> None:
    for wrong in ({"names": "web[1:"}, {"names": "a", "values": "env"}, {"names": "a", "credential": "nosuch"}, {}):
        assert as_owner.post("/hosts/new", wrong).status_code == 422
    assert "cannot be read" in as_owner.post("/hosts/preview", {"names": "web[1:"}).content.decode()
    assert as_owner.post("/hosts/preview", {}).status_code == 200
    page = as_owner.post("/hosts/new", {"names": "a", "values": f"cpu_count={EVIL}"}).content.decode()
    assert "Some hosts were refused" in page
    assert "<script>alert(1)" not in page
    page = as_owner.post("/hosts/preview", {"names": EVIL.replace("\n", ""), "user": EVIL[:60]}).content.decode()
    assert "<script>alert(1)" not in page


def test_others_are_refused(as_stranger: Client) -> None:
    assert as_stranger.get("/hosts/new").status_code == 403
    assert as_stranger.post("/hosts/preview", FORM).status_code == 403


def test_a_hosts_page_asks_for_its_facts_and_lists_its_packages(as_owner: Client, as_teammate: Client) -> None:
    item = host_item("web1", primary_ip="127.0.0.1", ssh_port=1, env="prod")
    assert f"/items/{item.pk}/facts" in as_owner.get(f"/items/{item.pk}").content.decode()
    assert f"/items/{item.pk}/facts" not in as_teammate.get(f"/items/{item.pk}").content.decode()
    assert as_teammate.post(f"/items/{item.pk}/facts").status_code == 403
    answer = as_owner.post(f"/items/{item.pk}/facts", follow=True)
    assert "cannot be reached" in answer.content.decode()
    assert as_owner.get(f"/items/{item.pk}/packages").status_code == 404
    content, digest = packed("dpkg", [Package("openssl", "3.0.11-1", "amd64"), Package("libssl3", EVIL, "", "openssl")])
    values = {"manager": "dpkg", "count": 2, "packed": content, "digest": digest, "read_at": now()}
    InstalledPackages.objects.create(item=item, **values)
    assert f"/items/{item.pk}/packages" in as_owner.get(f"/items/{item.pk}").content.decode()
    assert_harmless(as_owner, f"/items/{item.pk}/packages")
    assert as_owner.get(f"/items/{item.pk}/packages?text=ssl").content.decode().count('scope="row"') == 2
    assert "No package has this" in as_owner.get(f"/items/{item.pk}/packages?text=nosuch").content.decode()
