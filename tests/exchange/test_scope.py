"""Somebody whose role covers env:prod only: files neither tell them of other items nor tie theirs to those."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from tests.people import actor, person

from quarterdeck.access.models import Role
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.actions import create_item, relate, set_attribute, update_item
from quarterdeck.inventory.exchange.exporting import export
from quarterdeck.inventory.exchange.importing import import_file
from quarterdeck.inventory.models import Item, Relation

pytestmark = pytest.mark.django_db


@pytest.fixture
def web(owner: Actor) -> Item:
    """A host of env:prod that depends on, and refers to, one of env:prod and one of env:test."""
    set_attribute(owner, "host", {"code": "peers", "title_en": "Peers", "kind": "reference", "is_list": True})
    seen = create_item(owner, "host", "seen-db", {"env": "prod"})
    hidden = create_item(owner, "host", "hidden-db", {"env": "test"})
    web = create_item(owner, "host", "web", {"env": "prod", "peers": ["seen-db", "hidden-db"]})
    relate(owner, web, "depends_on", seen)
    relate(owner, web, "depends_on", hidden)
    return web


def exported(who: Actor, form: str = "json") -> str:
    stream = io.BytesIO()
    export(who, "", form, stream)
    return stream.getvalue().decode()


def bring(who: Actor, tmp_path: Path, content: str, **options: Any) -> dict[str, Any]:
    path = tmp_path / "hosts.csv"
    path.write_text(content)
    return import_file(who, path, type="host", **options)


@pytest.mark.parametrize("form", ["csv", "json", "yaml"])
def test_an_export_names_no_item_outside_of_the_role(web: Item, owner: Actor, teammate: Actor, form: str) -> None:
    assert "seen-db" in exported(teammate, form)
    assert "hidden-db" not in exported(teammate, form)
    assert exported(owner, form).count("hidden-db") >= 2


def test_an_export_holds_only_what_the_right_to_export_covers(web: Item) -> None:
    role = Role.objects.create(name="exporter", verbs=["inventory.export"], query="env:prod")
    reader = actor(person("reader", role, Role.objects.get(name="viewer")))
    assert "seen-db" in exported(reader)
    assert '"env":"test"' not in exported(reader).replace(" ", "")


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_import_relates_to_nothing_outside_of_the_role(
    web: Item, teammate: Actor, tmp_path: Path, dry_run: bool
) -> None:
    rows = "name,env,relation.uses\nseen-db,prod,host:hidden-db\nweb,prod,host:no-such\n"
    told = [error["message"] for error in bring(teammate, tmp_path, rows, dry_run=dry_run)["errors"]]
    assert told == ['no item is known as host "hidden-db"', 'no item is known as host "no-such"']
    assert not Relation.objects.filter(type="uses").exists()


def test_what_an_import_cannot_see_it_does_not_remove(web: Item, owner: Actor, teammate: Actor, tmp_path: Path) -> None:
    bring(owner, tmp_path, "name,env,relation.uses\nweb,prod,host:hidden-db\n")
    bring(teammate, tmp_path, "name,env,relation.uses\nweb,prod,host:seen-db\n")
    targets = Relation.objects.filter(src=web, type="uses").values_list("dst__name", flat=True)
    assert set(targets) == {"hidden-db", "seen-db"}


def test_a_reference_by_name_finds_only_what_one_may_see(web: Item, teammate: Actor, tmp_path: Path) -> None:
    for name in ("hidden-db", "no-such"):
        with pytest.raises(BadInput, match=f'there is no item "{name}"'):
            update_item(teammate, web, {"peers": [name]})
        told = bring(teammate, tmp_path, f"name,env,peers\nnew,prod,{name}\n")["errors"]
        assert [error["message"] for error in told] == [f'there is no item "{name}"']
    update_item(teammate, web, {"peers": ["seen-db"]})
