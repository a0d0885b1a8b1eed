"""The types that come with the product: YAML files in the form of an export, one per group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from quarterdeck.inventory.catalogue import touch
from quarterdeck.inventory.models import Attribute, ItemType


@cache
def builtin_types() -> tuple[Mapping[str, Any], ...]:
    """Return the definitions of all built-in types, each with its group."""
    found: list[Mapping[str, Any]] = []
    for file in sorted(files(__package__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".yaml"):
            data = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
            found.extend({"group": data["group"], **spec} for spec in data["types"])
    return tuple(found)


@transaction.atomic
def add_builtin_types(using: str = DEFAULT_DB_ALIAS) -> None:
    """Add the types and attributes that are not there yet; what people changed stays as they want it."""
    if ItemType._meta.db_table not in connections[using].introspection.table_names():
        return
    rows = {row.code: row for row in ItemType.objects.all()}
    missing = [_type(spec) for spec in builtin_types() if spec["code"] not in rows]
    ItemType.objects.bulk_create(missing)
    rows.update({row.code: row for row in missing})
    known: set[tuple[str | None, str]] = set(Attribute.objects.values_list("type__code", "code"))
    attributes = [one for spec in builtin_types() for one in _attributes(rows[spec["code"]], spec, known)]
    Attribute.objects.bulk_create(attributes)
    if missing or attributes:
        touch()


def _type(spec: Mapping[str, Any]) -> ItemType:
    return ItemType(builtin=True, **{name: value for name, value in spec.items() if name != "attributes"})


def _attributes(row: ItemType, spec: Mapping[str, Any], known: set[tuple[str | None, str]]) -> Iterator[Attribute]:
    for position, attribute in enumerate(spec["attributes"], 1):
        if (row.code, attribute["code"]) not in known and (None, attribute["code"]) not in known:
            yield Attribute(type=row, builtin=True, **{"position": position * 10, **attribute})
