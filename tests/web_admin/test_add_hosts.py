"""The page that adds hosts."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from tests.jobs.test_reach import host_item
from tests.web_admin.test_show import EVIL

from quarterdeck.access.vault.actions import create_credential
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory.models import Item

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


@pytest.mark.parametrize(("language", "words"), [("en", "What will be added"), ("zh-hans", "将添加的内容")])
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
