"""Pages of host keys: what waits, the fingerprints before a decision, the mark of a changed one, both languages."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from tests.jobs.test_host_keys import PLACE, new_key, shown, text_of
from tests.jobs.test_reach import host_item
from tests.web_admin.test_show import EVIL, assert_harmless

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.host_keys.models import HostKey, HostKeyState
from quarterdeck.jobs.host_keys.using import keep

pytestmark = pytest.mark.django_db


def changed(**values: object) -> tuple[Item, HostKey, HostKey]:
    """Return an item, the key that was approved, and another one that it showed."""
    item = host_item(primary_ip=PLACE[0], **values)
    keep(SYSTEM, shown(new_key(), accepts_new=True), {PLACE: item.pk})
    keep(SYSTEM, shown(new_key()), {PLACE: item.pk})
    old, new = HostKey.objects.order_by("pk")
    return item, old, new


@pytest.mark.parametrize(("language", "words"), [("en", "No host keys yet"), ("zh-hans", "尚无主机密钥")])
def test_an_empty_list_says_what_to_do(as_owner: Client, language: str, words: str) -> None:
    page = as_owner.get("/host-keys", headers={"Accept-Language": language}).content.decode()
    assert words in page
    assert "/host-keys/import" in page


def test_a_changed_key_is_compared_with_the_old_one_before_it_is_approved(as_owner: Client) -> None:
    item, old, new = changed()
    for address in ("/host-keys", "/host-keys?q=is:changed", f"/items/{item.pk}"):
        page = as_owner.get(address).content.decode()
        assert new.fingerprint in page, address
    assert "shows another host key" in as_owner.get(f"/items/{item.pk}/timeline").content.decode()
    assert "/host-keys?q=is%3Achanged" in as_owner.get("/overview/attention").content.decode()
    chosen = {"id": [new.pk], "operation": "approve", "next": "/host-keys?q="}
    page = as_owner.post("/host-keys/decide", chosen).content.decode()
    assert old.fingerprint in page
    assert new.fingerprint in page
    new.refresh_from_db()
    assert new.state == HostKeyState.PENDING
    answer = as_owner.post("/host-keys/decide", {**chosen, "confirmed": "1"})
    assert answer.headers["Location"] == "/host-keys?q="
    assert dict(HostKey.objects.values_list("pk", "state")) == {new.pk: "approved", old.pk: "refused"}


def test_all_that_match_are_decided_on_at_once(as_owner: Client) -> None:
    changed()
    page = as_owner.post("/host-keys/decide", {"all": "1", "q": "", "operation": "refuse"})
    ids = [row.pk for row, _expected in page.context["rows"]]
    as_owner.post("/host-keys/decide", {"id": ids, "operation": "refuse", "confirmed": "1"})
    assert set(HostKey.objects.values_list("state", flat=True)) == {"refused"}
    as_owner.post("/host-keys/decide", {"id": ids, "operation": "forget", "confirmed": "1"})
    assert not HostKey.objects.exists()


def test_what_is_wrong_is_told(as_owner: Client) -> None:
    assert as_owner.get("/host-keys?q=is:never").status_code == 400
    assert as_owner.post("/host-keys/decide", {"operation": "approve"}).status_code == 422
    assert as_owner.post("/host-keys/decide", {"operation": "sell", "id": "1"}).status_code == 422
    assert as_owner.post("/host-keys/decide", {"operation": "approve", "id": "1", "confirmed": "1"}).status_code == 404
    assert as_owner.post("/host-keys/import", {"text": " "}).status_code == 422


def test_a_known_hosts_file_is_imported_and_what_was_not_taken_is_shown(as_owner: Client) -> None:
    file = SimpleUploadedFile(
        "known_hosts", f"web1 {text_of(new_key())}\n*.x {text_of(new_key())}\n\xff".encode("latin1")
    )
    page = as_owner.post("/host-keys/import", {"file": file}).content.decode()
    assert "*.x" in page
    assert HostKey.objects.get().state == HostKeyState.APPROVED
    again = as_owner.post("/host-keys/import", {"text": f"web2 {text_of(new_key())}"})
    assert again.context["done"].approved == 1


def test_it_escapes_what_hosts_are_called(as_owner: Client) -> None:
    item, _old, new = changed()
    Item.objects.filter(pk=item.pk).update(name=EVIL)
    HostKey.objects.filter(pk=new.pk).update(address=EVIL, fingerprint=EVIL[:80], decided_by=EVIL)
    assert_harmless(as_owner, "/host-keys", f"/items/{item.pk}")
    page = as_owner.post("/host-keys/decide", {"id": new.pk, "operation": "approve"}).content.decode()
    assert "<script>alert(1)" not in page
    page = as_owner.post("/host-keys/import", {"text": f"{EVIL} x"}).content.decode()
    assert "<script>alert(1)" not in page


def test_who_may_only_look_sees_the_keys_of_their_items(as_teammate: Client, as_stranger: Client) -> None:
    _item, _old, new = changed(env="prod")
    page = as_teammate.get("/host-keys").content.decode()
    assert new.fingerprint in page
    assert "/host-keys/decide" not in page.partition("data-bulk")[2]
    assert as_teammate.post("/host-keys/decide", {"id": new.pk, "operation": "approve"}).status_code == 403
    assert as_teammate.get("/host-keys/import").status_code == 403
    assert as_stranger.get("/host-keys").status_code == 403
