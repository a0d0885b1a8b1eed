"""Pages of credentials: what goes in is never written back, what people typed is no markup, both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from tests.web_admin.test_show import EVIL, assert_harmless

from quarterdeck.access.models import Credential
from quarterdeck.access.vault.actions import attach, create_credential
from quarterdeck.audit.actor import SYSTEM

pytestmark = pytest.mark.django_db
SECRET = "correct horse battery"


@pytest.fixture(autouse=True)
def ring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setitem(settings.QD, "vault_key_file", str(tmp_path / "vault"))
    return tmp_path / "vault"


def keep() -> Credential:
    return create_credential(SYSTEM, "lab", "password", {"password": SECRET}, {"username": "ops"})


@pytest.mark.parametrize(("language", "words"), [("en", "No credentials yet"), ("zh-hans", "尚无凭据")])
def test_an_empty_list_says_what_to_do(as_owner: Client, language: str, words: str) -> None:
    page = as_owner.get("/credentials", headers={"Accept-Language": language}).content.decode()
    assert words in page
    assert "/credentials/new/ssh_key" in page


def test_a_credential_is_kept_attached_changed_and_deleted(as_owner: Client) -> None:
    form = {"name": "lab", "username": "ops", "password": SECRET, "query": "env:prod", "description": ""}
    answer = as_owner.post("/credentials/new/password", form)
    assert answer.headers["Location"] == "/credentials/of/lab"
    page = as_owner.get("/credentials/of/lab").content.decode()
    assert "env:prod" in page
    assert SECRET not in page
    as_owner.post("/credentials/of/lab/save", {"name": "lab2", "username": "root", "description": "x"})
    as_owner.post("/credentials/of/lab2/attach", {"query": "env:test", "priority": "5"})
    as_owner.post("/credentials/of/lab2/secret", {"password": "other"})
    kept = Credential.objects.get()
    assert (kept.username, kept.attachments.count()) == ("root", 2)
    as_owner.post(f"/credentials/of/lab2/detach/{kept.attachments.first().pk}")
    assert kept.attachments.count() == 1
    as_owner.post("/credentials/rotate")
    as_owner.post("/credentials/of/lab2/delete")
    assert not Credential.objects.exists()


def test_what_is_wrong_is_told_at_its_field_and_passwords_are_not_written_back(as_owner: Client) -> None:
    form = {"name": "a b", "password": SECRET, "query": ""}
    answer = as_owner.post("/credentials/new/password", form)
    assert answer.status_code == 422
    assert SECRET not in answer.content.decode()
    key = {"name": "k", "private_key": "PuTTY-User-Key-File-3: ssh-ed25519", "passphrase": SECRET}
    answer = as_owner.post("/credentials/new/ssh_key", key)
    assert answer.status_code == 422
    assert "puttygen" in answer.content.decode()
    assert SECRET not in answer.content.decode()
    keep()
    assert as_owner.post("/credentials/of/lab/attach", {"query": "nosuch:1", "priority": "0"}).status_code == 422
    assert as_owner.get("/credentials/new/nothing").status_code == 404


def test_it_escapes_credentials(as_owner: Client) -> None:
    kept = keep()
    attachment = attach(SYSTEM, "lab", "env:prod")
    Credential.objects.filter(pk=kept.pk).update(description=EVIL, shown={"comment": EVIL, "fingerprint": EVIL})
    type(attachment).objects.update(query=EVIL)
    assert_harmless(as_owner, "/credentials", "/credentials/of/lab")


def test_a_lost_key_is_on_the_page(as_owner: Client, ring: Path) -> None:
    keep()
    ring.unlink()
    assert "its key is not here" in as_owner.get("/credentials").content.decode()


def test_others_are_refused(as_teammate: Client) -> None:
    keep()
    for address in ("/credentials", "/credentials/of/lab", "/credentials/new/password"):
        assert as_teammate.get(address).status_code == 403
    assert as_teammate.post("/credentials/of/lab/delete").status_code == 403
