"""Uploaded files: kept apart, imported in the background with the rights of who brought them, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from quarterdeck.access.models import RoleBinding
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound
from quarterdeck.inventory.exchange import uploads
from quarterdeck.inventory.models import Import, Item

pytestmark = pytest.mark.django_db
CSV = b"name,address\nweb1,10.0.0.1\nweb2,10.0.0.2\n"


@pytest.fixture(autouse=True)
def queued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What would be sent to the queue after the commit."""
    sent: list[tuple[object, ...]] = []
    monkeypatch.setattr(uploads, "later", lambda *message: sent.append(message))
    return sent


def bring(actor: Actor, content: bytes = CSV, name: str = "hosts.csv") -> Import:
    return uploads.upload(actor, name, [content], type="host")


def test_an_upload_is_tried_then_imported(owner: Actor, queued: list[tuple[object, ...]]) -> None:
    found = bring(owner)
    uploads.start_import(owner, found.pk, dry_run=True)
    assert queued == [("inventory.run_import", found.pk, "en")]
    uploads.run_import(found.pk)
    found.refresh_from_db()
    assert (found.phase, found.result["create"], Item.objects.count()) == ("done", 2, 0)
    uploads.start_import(owner, found.pk, dry_run=False)
    uploads.run_import(found.pk)
    found.refresh_from_db()
    assert (found.phase, found.rows_done, found.rows_total, Item.objects.count()) == ("done", 2, 2, 2)


def test_what_is_wrong_is_told_in_the_language_of_who_asked(owner: Actor, queued: list[tuple[object, ...]]) -> None:
    found = bring(owner, b"name,cpu_count\nweb1,many\n")
    with translation.override("zh-hans"):
        uploads.start_import(owner, found.pk, dry_run=True)
    [(_task, import_id, language)] = queued
    uploads.run_import(int(str(import_id)), str(language))
    found.refresh_from_db()
    assert "应为整数" in found.result["errors"][0]["message"]


def test_a_message_that_comes_twice_imports_once(owner: Actor) -> None:
    found = bring(owner)
    uploads.start_import(owner, found.pk, dry_run=False)
    uploads.run_import(found.pk)
    Item.objects.all().delete()
    uploads.run_import(found.pk)
    assert not Item.objects.exists()


def test_an_import_for_good_is_not_started_again(owner: Actor) -> None:
    found = bring(owner)
    uploads.start_import(owner, found.pk, dry_run=False)
    uploads.run_import(found.pk)
    with pytest.raises(Conflict):
        uploads.start_import(owner, found.pk, dry_run=False)


def test_two_who_start_it_at_once_start_it_once(owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    found = bring(owner)
    as_both_read_it = uploads.import_of(owner, found.pk)
    monkeypatch.setattr(uploads, "import_of", lambda *_: as_both_read_it)
    Import.objects.filter(pk=found.pk).update(phase=Import.Phase.RUNNING)
    with pytest.raises(Conflict):
        uploads.start_import(owner, found.pk, dry_run=False)


def test_another_person_does_not_see_it(owner: Actor, teammate: Actor) -> None:
    found = bring(owner)
    with pytest.raises(NotFound):
        uploads.start_import(teammate, found.pk, dry_run=True)


def test_who_may_not_import_is_refused(stranger: Actor) -> None:
    with pytest.raises(Denied):
        bring(stranger)


def test_the_rights_count_that_the_person_has_when_it_runs(owner: Actor) -> None:
    found = bring(owner)
    uploads.start_import(owner, found.pk, dry_run=False)
    RoleBinding.objects.filter(user_id=owner.id).delete()
    uploads.run_import(found.pk)
    found.refresh_from_db()
    assert found.phase == "failed"
    assert "inventory.import" in found.result["message"]
    assert not Item.objects.exists()


def test_rows_outside_of_the_role_s_query_are_not_written(teammate: Actor) -> None:
    found = bring(teammate, b"name,env\nweb1,dev\n")
    uploads.start_import(teammate, found.pk, dry_run=False)
    uploads.run_import(found.pk)
    assert not Item.objects.filter(env="dev").exists()


def test_a_file_that_cannot_be_read_ends_in_words(owner: Actor) -> None:
    found = bring(owner, b'[{"name": "a"', "items.json")
    uploads.start_import(owner, found.pk, dry_run=False)
    uploads.run_import(found.pk)
    found.refresh_from_db()
    assert (found.phase, "not JSON" in found.result["message"]) == ("failed", True)


@pytest.mark.parametrize("name", ["../../evil.csv", "..\\evil.csv", "/etc/evil.csv", ".hidden.csv", "a\nb.csv"])
def test_a_file_stays_in_a_directory_of_its_own(owner: Actor, name: str) -> None:
    path = Path(bring(owner, CSV, name).file_path)
    assert path.parent.parent == settings.DATA / "uploads"
    assert path.read_bytes() == CSV


def test_nothing_is_kept_of_a_file_whose_format_is_unclear(owner: Actor) -> None:
    before = set((settings.DATA / "uploads").glob("*"))
    with pytest.raises(BadInput):
        bring(owner, b"hello", "notes.txt")
    assert set((settings.DATA / "uploads").glob("*")) == before


def test_a_file_that_is_too_large_is_refused(owner: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_FILE_BYTES", 10)
    with pytest.raises(BadInput, match="more than"):
        bring(owner)
