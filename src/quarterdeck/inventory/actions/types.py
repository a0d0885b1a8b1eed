"""Types and attributes, made and changed at run time, alone or as a YAML file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, Conflict, NotFound
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.yamls import load
from quarterdeck.inventory.actions.reindexing import reindex
from quarterdeck.inventory.catalogue import RESERVED, spec_of, touch
from quarterdeck.inventory.exchange.shapes import check_bounds
from quarterdeck.inventory.models import Attribute, Item, ItemType, Kind
from quarterdeck.inventory.queries.selecting import USUAL_RELATIONS
from quarterdeck.inventory.values import compiled

COMMON = "*"
MAX_FILE_CHARACTERS = 2_000_000
_CODE = re.compile(r"[a-z][a-z0-9_]{0,47}")
_ICON = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_TYPE_FIELDS = ("title_en", "title_zh", "description", "icon", "group", "stale_after_days")
_ATTRIBUTE_FIELDS = (
    "title_en", "title_zh", "description", "kind", "is_list", "required", "unique", "indexed", "regex", "minimum",
    "maximum", "choices", "reference_type", "unit", "default", "deadband", "track_history", "authority", "position",
)  # fmt: skip
# What may not change once there are values: the stored values would mean something else.
_FIXED = ("kind", "is_list")
_TEXTS = frozenset({"title_en", "title_zh", "description", "regex", "reference_type", "unit", "icon", "group"})
_FLAGS = frozenset({"is_list", "required", "unique", "indexed", "track_history"})
_LENGTHS = {"title_en": 80, "title_zh": 80, "unit": 24, "regex": 500, "group": 40, "description": 10_000}


def _read_fields(spec: Mapping[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    """Return the known fields of a definition; raises BadInput for others and for values of a wrong kind."""
    fields: dict[str, Any] = {}
    for name, value in spec.items():
        if name in ("code", "attributes", "builtin"):
            continue
        if name not in allowed:
            raise BadInput(
                _('A definition has no field "%(name)s".') % {"name": str(name)[:40]},
                hint=did_you_mean(str(name), allowed) or _("Use %(names)s.") % {"names": ", ".join(allowed)},
                field=str(name),
            )
        fields[name] = _field(name, value)
    return fields


def _field(name: str, value: Any) -> Any:
    if name in _TEXTS:
        text = "" if value is None else value
        limit = _LENGTHS.get(name, 80)
        if not isinstance(text, str) or len(text) > limit:
            raise _wrong(name, value, _("text of at most %(limit)d characters") % {"limit": limit})
        return text
    if name in _FLAGS:
        if not isinstance(value, bool):
            raise _wrong(name, value, _("true or false"))
        return value
    if name in ("minimum", "maximum", "deadband"):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise _wrong(name, value, _("a number"))
        return None if value is None else float(value)
    if name in ("position", "stale_after_days"):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100_000:
            raise _wrong(name, value, _("a whole number from 0 to 100000"))
        return value
    if name in ("choices", "authority"):
        if (
            not isinstance(value, list | tuple)
            or not all(isinstance(one, str) and one for one in value)
            or len(value) > 1000
        ):
            raise _wrong(name, value, _("a list of texts"))
        return list(dict.fromkeys(value))
    if name == "kind" and value not in Kind.values:
        raise _wrong(name, value, ", ".join(Kind.values))
    return value


def _wrong(name: str, value: Any, allowed: str) -> BadInput:
    return BadInput(
        _('%(field)s is "%(value)s".') % {"field": name, "value": str(value)[:60]},
        hint=_("Allowed: %(allowed)s.") % {"allowed": allowed},
        field=name,
    )


def _code_of(spec: Mapping[str, Any]) -> str:
    code = spec.get("code")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise BadInput(
            _('"%(code)s" is not a code.') % {"code": str(code)[:60]},
            hint=_(
                "A code starts with a small letter and has small letters, digits and _, at most 48. It never changes."
            ),
            field="code",
        )
    return code


@action("inventory.types")
def set_type(actor: Actor, spec: Mapping[str, Any]) -> ItemType:
    """Create or change a type: `{"code": "rack", "title_en": "Rack", "icon": "server", "attributes": [...]}`.

    Fields that are not given stay as they are; `attributes` are set in turn. Raises BadInput, Conflict.
    """
    row = _put_type(spec)
    moved = [_put_attribute(row, attribute)[1] for attribute in spec.get("attributes", ())]
    touch()
    if any(moved):
        reindex(row.code)
    record(
        actor,
        "inventory.set_type",
        row,
        row.code,
        after={key: value for key, value in spec.items() if key != "attributes"},
    )
    return row


def _put_type(spec: Mapping[str, Any]) -> ItemType:
    code = _code_of(spec)
    fields = _read_fields(spec, _TYPE_FIELDS)
    if fields.get("icon") and not _ICON.fullmatch(fields["icon"]):
        raise _wrong("icon", fields["icon"], _("the name of an icon, such as server-2"))
    row = ItemType.objects.filter(code=code).first() or ItemType(code=code)
    for name, value in fields.items():
        setattr(row, name, value)
    row.title_en = row.title_en or code.replace("_", " ").capitalize()
    row.save()
    return row


@action("inventory.types")
def remove_type(actor: Actor, code: str) -> None:
    """Remove a type that has no items and came not with the product. Raises NotFound, Conflict."""
    row = _type_row(code)
    if row.builtin:
        raise Conflict(_('Type "%(code)s" comes with the product.') % {"code": code}, hint=_("Leave it unused."))
    if Item.objects.filter(type=row).exists():
        raise Conflict(
            _('There are items of type "%(code)s".') % {"code": code}, hint=_("Purge them first, also from the trash.")
        )
    record(actor, "inventory.remove_type", row, code)
    row.delete()
    touch()


def _type_row(code: str) -> ItemType:
    row = ItemType.objects.filter(code=code).first()
    if row is None:
        known = list(ItemType.objects.values_list("code", flat=True))
        raise NotFound(_('There is no type "%(code)s".') % {"code": code[:60]}, hint=did_you_mean(code, known))
    return row


@action("inventory.types")
def set_attribute(actor: Actor, type: str, spec: Mapping[str, Any]) -> Attribute:  # noqa: A002
    """Create or change an attribute of `type`, or of every type with `type` "*". Fields not given stay as they are.

    Indexing and uniqueness of existing values are made true in the same transaction. Raises BadInput that names the
    field, Conflict when values that exist contradict the change.
    """
    owner = None if type in ("", COMMON) else _type_row(type)
    row, is_moved = _put_attribute(owner, spec)
    touch()
    if is_moved:
        reindex(None if owner is None else owner.code)
    record(actor, "inventory.set_attribute", row, str(row), after=dict(spec))
    return row


def _put_attribute(owner: ItemType | None, spec: Mapping[str, Any]) -> tuple[Attribute, bool]:
    """Store the definition; returns it, and whether what is derived from items has to be written again."""
    if not isinstance(spec, Mapping):
        raise BadInput(_("An attribute is a map of its fields."), hint=_("See the exported file."), field="attributes")
    code = _code_of(spec)
    if code in RESERVED or code in USUAL_RELATIONS:
        raise BadInput(
            _('"%(code)s" is a word of the query language.') % {"code": code},
            hint=_("Choose another code."),
            field="code",
        )
    fields = _read_fields(spec, _ATTRIBUTE_FIELDS)
    row = Attribute.objects.filter(type=owner, code=code).first() or Attribute(type=owner, code=code)
    before = _indexing(row)
    if row.pk and all(getattr(row, name) == value for name, value in fields.items()):
        return row, False
    if row.pk:
        _refuse_other_meaning(row, fields)
    else:
        _refuse_second(owner, code)
    for name, value in fields.items():
        setattr(row, name, value)
    row.title_en = row.title_en or code.replace("_", " ").capitalize()
    _check(row)
    row.save()
    return row, _indexing(row) != before


def _indexing(row: Attribute) -> tuple[object, ...]:
    """What decides how values stand in the side index. Neither, for an attribute that has no rows there."""
    return (row.unique, row.indexed or row.unique, row.kind if row.indexed or row.unique else "")


def _refuse_second(owner: ItemType | None, code: str) -> None:
    """A type's attribute and one of every type may not share a code: they share the item's JSON."""
    others = Attribute.objects.filter(code=code)
    if (others.filter(type=None) if owner else others).exists():
        raise Conflict(
            _('There is an attribute "%(code)s" already, of every type or of a single one.') % {"code": code},
            hint=_("Choose another code, or change that attribute."),
            field="code",
        )


def _refuse_other_meaning(row: Attribute, fields: Mapping[str, Any]) -> None:
    moved = [name for name in _FIXED if name in fields and fields[name] != getattr(row, name)]
    used = Item.objects.filter(attributes__has_key=row.code)
    if moved and (used.filter(type_id=row.type_id) if row.type_id else used).exists():
        raise Conflict(
            _('"%(code)s" has values: its %(field)s cannot change.') % {"code": row.code, "field": moved[0]},
            hint=_("Add a new attribute, move the values, and remove this one."),
            field=moved[0],
        )


def _check(row: Attribute) -> None:
    """Raise BadInput where the parts of a definition contradict each other."""
    if row.regex:
        try:
            compiled(row.regex)
        except ValueError as error:
            raise BadInput(
                str(error), hint=_("The syntax is RE2: no look-around, no back-references."), field="regex"
            ) from error
    if row.minimum is not None and row.maximum is not None and row.minimum > row.maximum:
        raise BadInput(_("The least value is above the greatest."), hint=_("Swap them."), field="minimum")
    if row.kind == Kind.CHOICE and not row.choices:
        raise BadInput(_("A choice needs its choices."), hint=_("List at least one."), field="choices")
    if row.kind in (Kind.SECRET, Kind.JSON) and (row.unique or row.indexed):
        raise BadInput(
            _("Secrets and JSON cannot be indexed."), hint=_("Switch indexed and unique off."), field="indexed"
        )
    if row.kind == Kind.SECRET and (row.is_list or row.choices):
        raise BadInput(
            _("A secret is one value, and not one of a list of choices."),
            hint=_("Add an attribute for each secret."),
            field="kind",
        )
    if row.reference_type and not ItemType.objects.filter(code=row.reference_type).exists():
        raise BadInput(
            _('There is no type "%(code)s".') % {"code": row.reference_type},
            hint=did_you_mean(row.reference_type, ItemType.objects.values_list("code", flat=True)),
            field="reference_type",
        )
    _check_default(row)


def _check_default(row: Attribute) -> None:
    if row.default is None:
        return
    if row.kind in (Kind.SECRET, Kind.REFERENCE) or row.unique:
        raise BadInput(
            _("Secrets, references and unique attributes have no default."),
            hint=_("Remove the default."),
            field="default",
        )
    try:
        row.default = spec_of(row, "").check(row.default)
    except ValueError as error:
        raise BadInput(
            _("The default is not valid: %(error)s.") % {"error": error}, hint=_("Correct it."), field="default"
        ) from error


@action("inventory.types")
def remove_attribute(actor: Actor, type: str, code: str) -> None:  # noqa: A002
    """Remove an attribute with all its values; history keeps them. Raises NotFound, Conflict for a built-in one."""
    owner = None if type in ("", COMMON) else _type_row(type)
    row = Attribute.objects.filter(type=owner, code=code).first()
    if row is None:
        known = list(Attribute.objects.filter(type=owner).values_list("code", flat=True))
        raise NotFound(
            _('Type "%(type)s" has no attribute "%(code)s".') % {"type": type, "code": code[:60]},
            hint=did_you_mean(code, known) or _("See the type's list of attributes."),
        )
    if row.builtin:
        raise Conflict(
            _('"%(code)s" comes with the product.') % {"code": code}, hint=_("Hide it from the columns instead.")
        )
    record(actor, "inventory.remove_attribute", row, str(row))
    row.delete()
    touch()
    reindex(None if owner is None else owner.code, forget=code)


def export_types() -> str:
    """Return all types as YAML that `import_types` takes again unchanged."""
    types = [_exported(row) for row in ItemType.objects.prefetch_related("attributes")]
    common = [_exported_attribute(row) for row in Attribute.objects.filter(type=None)]
    text: str = yaml.dump(
        {"common": common, "types": types}, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False, width=120
    )
    return text


def _exported(row: ItemType) -> dict[str, Any]:
    blank = ItemType(code=row.code)
    fields = {name: getattr(row, name) for name in _TYPE_FIELDS if getattr(row, name) != getattr(blank, name)}
    attributes = [_exported_attribute(attribute) for attribute in row.attributes.all()]
    return {"code": row.code, **fields, "attributes": attributes}


def _exported_attribute(row: Attribute) -> dict[str, Any]:
    """Fields that have their usual value are left out: the file is for people."""
    blank = Attribute(code=row.code)
    always = ("title_en", "kind")
    fields = {
        name: getattr(row, name)
        for name in _ATTRIBUTE_FIELDS
        if name in always or getattr(row, name) != getattr(blank, name)
    }
    return {"code": row.code, **fields}


@action("inventory.types")
def import_types(actor: Actor, text: str) -> dict[str, int]:
    """Create or change all types of a YAML file (the form of `export_types`); all or none.

    A field that is left out gets its usual value: the file says what the attribute is. Types and attributes that are
    not in the file stay. Returns `{"types": n, "attributes": n}`. Raises BadInput, Conflict.
    """
    data = _parsed(text)
    rows = [(_put_type({**_blank_type(spec), **spec}), spec.get("attributes") or ()) for spec in data["types"]]
    parts: list[tuple[ItemType | None, Any]] = [(None, data["common"]), *rows]
    moved: dict[str | None, bool] = {}
    for owner, attributes in parts:
        put = [_put_attribute(owner, {**_blank_attribute(one), **one})[1] for one in attributes]
        moved[owner.code if owner else None] = any(put)
    touch()
    for code in [None] if moved[None] else [code for code, is_moved in moved.items() if is_moved]:
        reindex(code)
    count = sum(len(attributes) for _owner, attributes in parts)
    result = {"types": len(rows), "attributes": count}
    record(actor, "inventory.import_types", None, f"{len(rows)} types, {count} attributes", after=result)
    return result


def _blank_type(spec: Mapping[str, Any]) -> dict[str, Any]:
    blank = ItemType()
    return {name: getattr(blank, name) for name in _TYPE_FIELDS}


def _blank_attribute(spec: Any) -> dict[str, Any]:
    if not isinstance(spec, Mapping):
        raise BadInput(_("An attribute is a map of its fields."), hint=_("See the exported file."), field="attributes")
    blank = Attribute()
    return {name: getattr(blank, name) for name in _ATTRIBUTE_FIELDS}


def _parsed(text: str) -> dict[str, list[Mapping[str, Any]]]:
    if len(text) > MAX_FILE_CHARACTERS:
        raise BadInput(_("The file is too large."), hint=_("At most 2 million characters."))
    data = load(text, "types.yaml")
    check_bounds(data, "types.yaml")
    if not isinstance(data, Mapping) or not set(data) <= {"types", "common"}:
        raise BadInput(_("The file has no list of types."), hint=_("It starts with `types:`; see an exported file."))
    parts = {name: data.get(name) or [] for name in ("types", "common")}
    for part in parts.values():
        if not isinstance(part, list) or not all(isinstance(one, Mapping) for one in part):
            raise BadInput(_("types and common are lists of maps."), hint=_("See an exported file."), field="types")
    return parts
