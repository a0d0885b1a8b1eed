"""Files become items, row by row, and what is exported imports again as nothing to do."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.errors import BadInput
from quarterdeck.inventory import actions
from quarterdeck.inventory.exchange.detect import formats
from quarterdeck.inventory.exchange.exporting import export
from quarterdeck.inventory.exchange.importing import import_file
from quarterdeck.inventory.models import Change, Item, Observation, Relation

pytestmark = pytest.mark.django_db


def bring(tmp_path: Path, content: str, name: str = "hosts.csv", **options: Any) -> dict[str, Any]:
    path = tmp_path / name
    path.write_text(content)
    result = import_file(SYSTEM, path, **{"type": "host", **options})
    result.pop("change_set", None)
    return result


def counts(result: dict[str, Any]) -> tuple[int, int, int]:
    return result["create"], result["update"], result["unchanged"]


def host(name: str) -> Item:
    return Item.objects.get(type__code="host", name=name)


def test_four_columns_are_enough_for_a_host(tmp_path: Path) -> None:
    result = bring(tmp_path, "name,address,ssh_port,ssh_user\nweb1,10.0.0.1,2222,deploy\n")
    assert result == {"create": 1, "update": 0, "unchanged": 0, "errors": []}
    assert host("web1").primary_ip == "10.0.0.1"
    assert host("web1").attributes == {"ssh_port": 2222, "ssh_user": "deploy"}


def test_an_address_may_be_a_name(tmp_path: Path) -> None:
    assert bring(tmp_path, "name,address\nweb1,web1.example.com\nweb2,nonsense\n")["errors"][0]["row"] == 3
    assert host("web1").attributes == {"fqdn": "web1.example.com"}


def test_a_cell_of_ten_megabytes_harms_its_row_only(tmp_path: Path) -> None:
    result = bring(tmp_path, f"name,notes\nweb1,{'x' * 10_000_000}\nweb2,ok\n")
    assert (result["create"], result["errors"][0]["row"]) == (1, 2)
    result = bring(tmp_path, json.dumps([{"name": "a", "notes": "x" * 2_000_000}, {"name": "b"}]), "items.json")
    assert (result["create"], result["errors"][0]["field"]) == (1, "notes")


def test_what_was_taken_before_a_file_breaks_off_stays(tmp_path: Path) -> None:
    lines = [json.dumps({"name": f"web{number}"}) for number in range(3)]
    result = bring(tmp_path, "\n".join([*lines, '{"name": "broken']), "items.jsonl")
    assert (result["create"], [error["row"] for error in result["errors"]]) == (3, [4])


def test_a_dry_run_tells_and_changes_nothing(tmp_path: Path) -> None:
    result = bring(tmp_path, "name,ssh_port\nweb1,22\nweb2,ssh\n", dry_run=True)
    assert counts(result) == (1, 0, 0)
    assert [(error["row"], error["field"]) for error in result["errors"]] == [(3, "ssh_port")]
    assert not Item.objects.exists()


def test_rows_with_errors_are_told_and_the_others_taken(tmp_path: Path) -> None:
    result = bring(tmp_path, "name,ssh_port,colour\nweb1,22,\nweb2,99999,\n,22,\nweb4,22,red\n")
    assert counts(result) == (1, 0, 0)
    assert [(error["row"], error["field"]) for error in result["errors"]] == [
        (3, "ssh_port"),
        (4, "name"),
        (5, "colour"),
    ]
    assert [item.name for item in Item.objects.all()] == ["web1"]


def test_the_second_import_of_a_file_changes_nothing(tmp_path: Path) -> None:
    text = 'name,cpu_count,label.role,aliases\nweb1,4,web,"a, b"\n'
    bring(tmp_path, text)
    before = Change.objects.count()
    assert counts(bring(tmp_path, text)) == (0, 0, 1)
    assert Change.objects.count() == before


def test_a_file_with_fewer_columns_leaves_the_others(tmp_path: Path) -> None:
    bring(tmp_path, "name,cpu_count,ssh_user\nweb1,4,root\n")
    assert counts(bring(tmp_path, "name,cpu_count\nweb1,8\n")) == (0, 1, 0)
    assert host("web1").attributes == {"cpu_count": 8, "ssh_user": "root"}


def test_rows_match_by_the_key_that_is_asked_for(tmp_path: Path) -> None:
    bring(tmp_path, "name,serial\nweb1,S1\n")
    assert counts(bring(tmp_path, "name,serial,cpu_count\nrenamed,S1,2\n", key="serial")) == (0, 1, 0)
    assert host("renamed").attributes == {"serial": "S1", "cpu_count": 2}
    assert Observation.objects.count() == 1


def test_a_key_that_cannot_match_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="match key"):
        bring(tmp_path, "name,notes\nweb1,x\n", key="notes")


def test_a_key_that_stands_twice_is_told_with_the_first_row(tmp_path: Path) -> None:
    result = bring(tmp_path, "name,cpu_count\nweb1,1\nweb2,2\nweb1,3\n")
    assert counts(result) == (2, 0, 0)
    assert result["errors"][0]["row"] == 4
    assert "row 2" in result["errors"][0]["message"]
    assert host("web1").attributes["cpu_count"] == 1


def test_relations_may_point_forward_and_in_circles(tmp_path: Path) -> None:
    result = bring(tmp_path, 'name,relation.depends_on\na,host:b\nb,"host:c, host:a"\nc,host:a\n')
    assert result == {"create": 3, "update": 0, "unchanged": 0, "errors": []}
    found = set(Relation.objects.values_list("src__name", "type", "dst__name"))
    assert found == {
        ("a", "depends_on", "b"),
        ("b", "depends_on", "c"),
        ("b", "depends_on", "a"),
        ("c", "depends_on", "a"),
    }


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_relation_to_nothing_is_told(tmp_path: Path, dry_run: bool) -> None:
    result = bring(tmp_path, "name,relation.runs_on\na,host:nowhere\nb,nowhere\nc,host:a\n", dry_run=dry_run)
    assert [error["row"] for error in result["errors"]] == [2, 3]
    assert result["create"] == 2


def test_a_type_in_the_row_counts_more_than_the_file_s(tmp_path: Path) -> None:
    bring(tmp_path, "type,name\nrack,r1\n,web1\n")
    assert set(Item.objects.values_list("type__code", "name")) == {("rack", "r1"), ("host", "web1")}


def test_an_unknown_type_is_told_with_the_row(tmp_path: Path) -> None:
    result = bring(tmp_path, "type,name\nhots,web1\n")
    assert (result["errors"][0]["row"], result["errors"][0]["field"]) == (2, "type")


def test_nested_documents_bring_lists_maps_labels_and_relations(tmp_path: Path) -> None:
    document = [
        {"type": "host", "name": "kvm1"},
        {
            "type": "host", "name": "web1", "env": "prod", "labels": {"role": "web"},
            "attributes": {"aliases": ["w", "web"], "ansible_vars": {"a": [1, {"b": None}]}},
            "relations": {"runs_on": ["host:kvm1"]},
        },
    ]  # fmt: skip
    result = bring(tmp_path, json.dumps(document), "items.json")
    assert result == {"create": 2, "update": 0, "unchanged": 0, "errors": []}
    assert host("web1").attributes == {"aliases": ["w", "web"], "ansible_vars": {"a": [1, {"b": None}]}}
    assert host("web1").labels == {"role": "web"}
    assert Relation.objects.get().dst.name == "kvm1"


def test_an_ansible_inventory_keeps_what_has_no_place_of_its_own(tmp_path: Path) -> None:
    text = "[web]\nweb1 ansible_host=10.0.0.1 ansible_port=2222 http_port=80 cpu_count=4\n"
    result = bring(tmp_path, text, "hosts.ini", type="")
    assert result["errors"] == []
    assert host("web1").primary_ip == "10.0.0.1"
    assert host("web1").attributes == {
        "ssh_port": 2222, "cpu_count": 4, "ansible_groups": ["web"], "ansible_vars": {"http_port": 80},
    }  # fmt: skip


def test_an_ssh_configuration_brings_hosts_and_the_way_to_them(tmp_path: Path) -> None:
    text = (
        "Host bastion\n  HostName 192.0.2.1\nHost web1\n  HostName 10.0.0.1\n  ProxyJump bastion\nHost *\n  User ops\n"
    )
    assert bring(tmp_path, text, "config", type="")["errors"] == []
    assert host("web1").attributes == {"ssh_user": "ops", "ssh_proxy_jump": "bastion"}
    assert Relation.objects.get().dst.name == "bastion"


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[int] = []
    bring(tmp_path, "name\n" + "".join(f"web{n}\n" for n in range(6000)), progress=told.append)
    assert told == [5000, 6000]


@pytest.fixture
def fleet() -> None:
    """Items with everything that a format may stumble over."""
    odd = ["=1+1", "-1", "a\nb", "a\r\nb", "'quoted'", '"', "007", "null", "中文 💡", "x" * 3000, " blanks ", "#N/A"]
    kvm = actions.create_item(SYSTEM, "host", "kvm1", {"primary_ip": "10.0.0.254"})
    rack = actions.create_item(SYSTEM, "rack", "r1")
    for number, text in enumerate(odd):
        actions.create_item(
            SYSTEM,
            "host",
            f"web{number}",
            {
                "env": "prod", "primary_ip": f"10.0.0.{number + 1}", "notes": text, "ssh_port": 22, "rack": rack.pk,
                "aliases": [f"w{number}", "中"], "ansible_vars": {"k": [1, None, {"t": text}]}, "os_name": "debian",
            },
            labels={"role": "web", "说明": text.strip() or "x"},
            relations=[("runs_on", kvm.pk)],
        )  # fmt: skip
    for _twin in range(2):
        actions.create_item(SYSTEM, "host", "twin", {"cpu_count": _twin + 1})
    actions.create_item(
        SYSTEM, "host", "needs-twin", relations=[("depends_on", Item.objects.filter(name="twin")[0].pk)]
    )


@pytest.mark.parametrize("name", sorted(formats()))
@pytest.mark.usefixtures("fleet")
def test_what_is_exported_imports_again_as_no_change(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"export{(formats()[name].suffixes or ('.yml',))[0]}"
    stream = io.BytesIO()
    exported = export(SYSTEM, "", name, stream)
    path.write_bytes(stream.getvalue())
    before = (Change.objects.count(), Relation.objects.count(), Observation.objects.count())
    query = "type:host name:web*" if name in ("ssh_config", "etc_hosts") else ""
    if query:
        stream = io.BytesIO()
        exported = export(SYSTEM, query, name, stream)
        path.write_bytes(stream.getvalue())
    result = import_file(SYSTEM, path, format=name)
    assert result == {"create": 0, "update": 0, "unchanged": exported, "errors": []}
    assert (Change.objects.count(), Relation.objects.count(), Observation.objects.count()) == before


@pytest.mark.parametrize("name", sorted(formats()))
@pytest.mark.usefixtures("fleet")
def test_an_export_fills_an_empty_inventory(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"export{(formats()[name].suffixes or ('.yml',))[0]}"
    stream = io.BytesIO()
    export(SYSTEM, "type:host name:web*", name, stream)
    path.write_bytes(stream.getvalue())
    wanted = {item.name: item.primary_ip for item in Item.objects.filter(name__startswith="web")}
    Item.objects.filter(name__startswith="web").delete()
    result = import_file(SYSTEM, path, format=name)
    assert (result["create"], [e for e in result["errors"] if e["field"] != "rack"]) == (len(wanted), [])
    assert {item.name: item.primary_ip for item in Item.objects.filter(name__startswith="web")} == wanted
