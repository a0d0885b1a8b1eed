"""Types and attributes at run time."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.inventory.conftest import Sync, host

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound
from quarterdeck.inventory.actions import (
    create_item,
    export_types,
    import_types,
    remove_attribute,
    remove_type,
    set_attribute,
    set_type,
    trash,
    update_item,
)
from quarterdeck.inventory.builtin import builtin_types
from quarterdeck.inventory.catalogue import HOT_FIELDS, RESERVED, catalogue
from quarterdeck.inventory.models import Attribute, Item, ItemIndex, ItemType, Kind
from quarterdeck.inventory.queries import items

pytestmark = pytest.mark.django_db


def test_the_built_in_types_are_there_with_titles_in_both_languages() -> None:
    types = catalogue().types
    assert {"host", "container", "image", "network", "volume", "service", "database", "rack", "site"} <= types.keys()
    for spec in types.values():
        assert spec.title_en, spec.code
        assert spec.title_zh, spec.code
        for attribute in spec.attributes.values():
            assert attribute.title_en, attribute.code
            assert attribute.title_zh, attribute.code
            assert attribute.code not in RESERVED


def test_a_code_of_the_built_in_types_means_one_kind_of_value() -> None:
    kinds: dict[str, set[str]] = {}
    for spec in builtin_types():
        for attribute in spec["attributes"]:
            kinds.setdefault(attribute["code"], set()).add(attribute["kind"])
    mixed = {code: found for code, found in kinds.items() if len(found) > 1}
    # A container's ports are published as text, `0.0.0.0:8080->80/tcp`; a service's are numbers.
    assert mixed == {"ports": {"integer", "text"}}


def test_a_new_type_is_usable_at_once(owner: Actor) -> None:
    set_type(owner, {"code": "printer", "title_en": "Printer", "title_zh": "打印机", "icon": "printer"})
    set_attribute(owner, "printer", {"code": "pages", "kind": "integer", "indexed": True, "minimum": 0})
    item = create_item(owner, "printer", "p1", {"pages": "12"})
    assert item.attributes == {"pages": 12}
    assert items(owner, "type:printer pages:>10").get() == item


def test_another_process_sees_a_change_and_a_rolled_back_one_is_forgotten(owner: Actor) -> None:
    with transaction.atomic():
        set_type(owner, {"code": "ghost"})
        assert "ghost" in catalogue().types
        transaction.set_rollback(True)
    assert "ghost" not in catalogue().types
    set_type(owner, {"code": "real"})
    assert "ghost" not in catalogue().types
    assert "real" in catalogue().types


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"code": "Bad Code"}, "code"),
        ({"code": "x" * 49}, "code"),
        ({"code": "name"}, "code"),
        ({"code": "runs_on"}, "code"),
        ({"code": "a", "kind": "colour"}, "kind"),
        ({"code": "a", "regex": "(?=x)"}, "regex"),
        ({"code": "a", "regex": "("}, "regex"),
        ({"code": "a", "kind": "integer", "minimum": 5, "maximum": 1}, "minimum"),
        ({"code": "a", "kind": "choice"}, "choices"),
        ({"code": "a", "choices": "red"}, "choices"),
        ({"code": "a", "kind": "secret", "indexed": True}, "indexed"),
        ({"code": "a", "kind": "reference", "reference_type": "hots"}, "reference_type"),
        ({"code": "a", "kind": "integer", "default": "many"}, "default"),
        ({"code": "a", "required": "yes"}, "required"),
        ({"code": "a", "colour": 1}, "colour"),
        ({"code": "a", "title_en": "x" * 81}, "title_en"),
    ],
)
def test_it_refuses_a_definition_that_makes_no_sense(owner: Actor, spec: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        set_attribute(owner, "host", spec)
    assert caught.value.field == field
    assert caught.value.hint
    assert not Attribute.objects.filter(code=spec["code"], builtin=False).exists()


@pytest.mark.parametrize(
    ("spec", "good", "stored", "bad"),
    [
        ({"kind": "integer", "minimum": 1, "maximum": 10}, "7", 7, 11),
        ({"kind": "integer"}, 3.0, 3, 3.5),
        ({"kind": "integer"}, 0, 0, True),
        ({"kind": "number"}, "1.5", 1.5, "nan"),
        ({"kind": "boolean"}, "yes", True, "maybe"),
        ({"kind": "datetime"}, "2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05Z", "tomorrow"),
        ({"kind": "date"}, "2026-01-02", "2026-01-02", "02/01/2026"),
        ({"kind": "ip"}, "2001:DB8::1", "2001:db8::1", "10.0.0.256"),
        ({"kind": "cidr"}, "10.1.2.3/8", "10.0.0.0/8", "10.0.0.0/33"),
        ({"kind": "mac"}, "52-54-00-AB-CD-EF", "52:54:00:ab:cd:ef", "52:54"),
        ({"kind": "url"}, "https://x.example/a", "https://x.example/a", "javascript:alert(1)"),
        ({"kind": "email"}, "a@example.com", "a@example.com", "a@b@c"),
        ({"kind": "choice", "choices": ["red", "green"]}, "red", "red", "blue"),
        ({"kind": "text", "regex": "[A-Z]{2}[0-9]+"}, "AB12", "AB12", "ab12"),
        ({"kind": "text"}, 12, "12", "x" * 4001),
        ({"kind": "text"}, "x", "x", "a\x00b"),
        ({"kind": "json"}, {"a": [1]}, {"a": [1]}, {"a": "x" * 200_001}),
        ({"kind": "integer", "is_list": True}, "1, 2;3", [1, 2, 3], ["1", "x"]),
        ({"kind": "ip", "is_list": True}, ["10.0.0.1"], ["10.0.0.1"], "10.0.0.1,x"),
    ],
)
def test_each_kind_takes_its_values_only(owner: Actor, spec: dict[str, Any], good: Any, stored: Any, bad: Any) -> None:
    set_attribute(owner, "host", {"code": "probe", **spec})
    assert create_item(owner, "host", "a", {"probe": good}).attributes["probe"] == stored
    with pytest.raises(BadInput) as caught:
        create_item(owner, "host", "b", {"probe": bad})
    assert caught.value.field == "probe"


def test_a_slow_pattern_of_a_user_is_not_slow(owner: Actor) -> None:
    set_attribute(owner, "host", {"code": "probe", "regex": "(a+)+b"})
    with pytest.raises(BadInput):
        create_item(owner, "host", "x", {"probe": "a" * 4000})


def test_a_default_counts_where_nobody_says_anything(owner: Actor, sync: Sync) -> None:
    set_attribute(owner, "host", {"code": "tier", "default": "normal"})
    sync(host("a"))
    assert Item.objects.get().attributes["tier"] == "normal"
    assert update_item(owner, Item.objects.get(), {"tier": "high"}).attributes["tier"] == "high"


def test_an_attribute_that_becomes_indexed_finds_what_is_there(owner: Actor, sync: Sync) -> None:
    set_attribute(owner, "host", {"code": "colour"})
    sync(host("a", {"colour": "Red"}))
    assert items(owner, "colour:red").count() == 1
    set_attribute(owner, "host", {"code": "colour", "indexed": True})
    assert ItemIndex.objects.filter(field="colour", text="red").exists()
    assert items(owner, "colour:red").count() == 1


def test_an_attribute_cannot_become_unique_over_doubles(owner: Actor, sync: Sync) -> None:
    set_attribute(owner, "host", {"code": "slot"})
    sync(host("a", {"slot": "1"}), host("b", {"slot": "1"}))
    with pytest.raises(Conflict):
        set_attribute(owner, "host", {"code": "slot", "unique": True})
    assert not Attribute.objects.get(code="slot").unique


def test_the_kind_of_an_attribute_with_values_is_fixed(owner: Actor, sync: Sync) -> None:
    set_attribute(owner, "host", {"code": "slot"})
    set_attribute(owner, "host", {"code": "slot", "kind": "integer"})
    sync(host("a", {"slot": 1}))
    with pytest.raises(Conflict):
        set_attribute(owner, "host", {"code": "slot", "kind": "text"})


def test_a_removed_attribute_takes_its_values_along(owner: Actor, sync: Sync) -> None:
    set_attribute(owner, "host", {"code": "slot", "indexed": True})
    sync(host("a", {"slot": "1"}))
    remove_attribute(owner, "host", "slot")
    assert Item.objects.get().attributes == {}
    assert not ItemIndex.objects.filter(field="slot").exists()
    with pytest.raises(NotFound):
        remove_attribute(owner, "host", "slot")
    with pytest.raises(Conflict):
        remove_attribute(owner, "host", "kernel")


def test_an_attribute_of_every_type(owner: Actor) -> None:
    set_attribute(owner, "*", {"code": "cost_center", "indexed": True})
    create_item(owner, "host", "a", {"cost_center": "4711"})
    create_item(owner, "site", "b", {"cost_center": "4711"})
    assert items(owner, "cost_center:4711").count() == 2
    with pytest.raises(Conflict):
        set_attribute(owner, "host", {"code": "cost_center"})


def test_a_type_with_items_stays(owner: Actor) -> None:
    set_type(owner, {"code": "printer"})
    item = create_item(owner, "printer", "p")
    with pytest.raises(Conflict):
        remove_type(owner, "printer")
    trash(owner, [item.pk])
    with pytest.raises(Conflict):
        remove_type(owner, "host")
    item.delete()
    remove_type(owner, "printer")
    assert "printer" not in catalogue().types


def test_only_who_may_change_types_does(teammate: Actor, stranger: Actor) -> None:
    for actor in (teammate, stranger):
        with pytest.raises(Denied):
            set_type(actor, {"code": "mine"})
    assert not ItemType.objects.filter(code="mine").exists()


def test_what_is_exported_imports_again_unchanged(owner: Actor) -> None:
    before = export_types()
    import_types(owner, before)
    assert export_types() == before


@pytest.mark.parametrize(
    "text",
    ["", "- a", "types: 5", "types: [x]", "typs: []", "types:\n- code: A B", "types:\n- code: a\n  attributes: [1]",
     "a: &a [*a]", "types: [", "types:\n- code: a\n  attributes:\n  - code: b\n    kind: colour"],
)  # fmt: skip
def test_a_broken_file_changes_nothing(owner: Actor, text: str) -> None:
    before = export_types()
    with pytest.raises(BadInput):
        import_types(owner, text)
    assert export_types() == before


_codes = st.from_regex(r"\A[a-z][a-z0-9_]{0,10}\Z").filter(lambda c: c not in RESERVED and c not in HOT_FIELDS)
_attributes = st.fixed_dictionaries(
    {"code": _codes.map(lambda code: f"zz_{code}"), "kind": st.sampled_from(["text", "integer", "boolean", "ip"])},
    optional={
        "title_en": st.text(min_size=1, max_size=20).filter(str.isprintable),
        "title_zh": st.text(alphabet="服务器标题", max_size=5),
        "indexed": st.booleans(),
        "is_list": st.booleans(),
        "required": st.booleans(),
        "unit": st.sampled_from(["", "bytes", "°C"]),
        "authority": st.lists(st.sampled_from(["ssh", "cloud", "manual"]), max_size=3),
        "position": st.integers(0, 1000),
    },
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_attributes, max_size=5, unique_by=lambda one: one["code"]))
def test_any_types_survive_export_and_import(db: None, attributes: list[dict[str, Any]]) -> None:
    set_type(SYSTEM, {"code": "probe", "title_en": "Probe", "attributes": attributes})
    text = export_types()
    remove_type(SYSTEM, "probe")
    import_types(SYSTEM, text)
    assert export_types() == text
    assert {one["code"] for one in attributes} == {
        code for code, spec in catalogue().types["probe"].attributes.items() if spec.type == "probe"
    }
    remove_type(SYSTEM, "probe")


def test_every_kind_has_a_check() -> None:
    from quarterdeck.inventory.values import _PLAIN

    assert set(_PLAIN) == set(Kind.values)


@pytest.mark.parametrize(
    ("first", "next_"), [("[x, x]", "[{}]"), ("{k: v}", "{{<<: [{}]}}")], ids=["aliases", "merge keys"]
)
def test_a_file_that_expands_without_end_is_refused(owner: Actor, first: str, next_: str) -> None:
    lines = [f"common: [{{a0: &a0 {first}"]
    lines += [f"a{n}: &a{n} {next_.format(', '.join([f'*a{n - 1}'] * 10))}" for n in range(1, 12)]
    with pytest.raises(BadInput, match=r"YAML|contains itself"):
        import_types(owner, ",\n ".join(lines) + "}]\n")
