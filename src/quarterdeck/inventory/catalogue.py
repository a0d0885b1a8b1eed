"""Types and attributes as all code reads them: frozen, and loaded again when the database's version is another."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from types import MappingProxyType
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean
from quarterdeck.inventory.models import Attribute, Catalogue, ItemType, Kind
from quarterdeck.inventory.values import Check, checker

# Columns of every item. No attribute may have one of these codes: one namespace for people, history and authority.
HOT_FIELDS = ("name", "state", "raw_state", "env", "provider", "account", "region", "primary_ip", "owner")
RESERVED = frozenset(
    {*HOT_FIELDS, "id", "type", "lifecycle", "ip", "label", "labels", "has", "first_seen", "last_seen", "updated"}
    | {"updated_at", "attributes", "desired", "relations", "drift", "group"}
)


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    """An attribute's definition. `type` is "" for an attribute of every type. `check` validates one value."""

    id: int
    type: str
    code: str
    title_en: str
    title_zh: str
    description: str
    kind: str
    is_list: bool
    required: bool
    unique: bool
    indexed: bool
    regex: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    reference_type: str
    unit: str
    default: Any
    deadband: float | None
    track_history: bool
    authority: tuple[str, ...]
    builtin: bool
    position: int
    check: Check = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "check", checker(self))

    @property
    def title(self) -> str:
        return _title(self.title_en, self.title_zh)


@dataclass(frozen=True, slots=True)
class TypeSpec:
    """A type with its attributes (those of every type included), in the order people see them.

    What follows from the attributes is worked out once: an import asks for it once per record.
    """

    id: int
    code: str
    title_en: str
    title_zh: str
    description: str
    icon: str
    group: str
    builtin: bool
    stale_after_days: int
    attributes: Mapping[str, AttributeSpec]
    required: tuple[str, ...] = field(init=False, repr=False, compare=False)
    unique: tuple[str, ...] = field(init=False, repr=False, compare=False)
    secrets: tuple[str, ...] = field(init=False, repr=False, compare=False)
    references: tuple[str, ...] = field(init=False, repr=False, compare=False)
    defaults: Mapping[str, Any] = field(init=False, repr=False, compare=False)
    deadbands: tuple[AttributeSpec, ...] = field(init=False, repr=False, compare=False)
    # Kinds of the attributes that have rows in the side index.
    indexed: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        specs = tuple(self.attributes.values())
        plain = (spec for spec in specs if spec.indexed and spec.kind not in (Kind.JSON, Kind.SECRET))
        worked_out = {
            "required": tuple(spec.code for spec in specs if spec.required),
            "unique": tuple(spec.code for spec in specs if spec.unique),
            "secrets": tuple(spec.code for spec in specs if spec.kind == Kind.SECRET),
            "references": tuple(spec.code for spec in specs if spec.kind == Kind.REFERENCE),
            "defaults": {spec.code: spec.default for spec in specs if spec.default is not None},
            "deadbands": tuple(spec for spec in specs if spec.deadband is not None),
            "indexed": {spec.code: spec.kind for spec in plain},
        }
        for name, value in worked_out.items():
            object.__setattr__(self, name, value)

    @property
    def title(self) -> str:
        return _title(self.title_en, self.title_zh)


@dataclass(frozen=True, slots=True)
class TypeCatalogue:
    """All types by code and by id; `fields` gives the definitions of an attribute's code over all types."""

    version: int
    types: Mapping[str, TypeSpec]
    by_id: Mapping[int, TypeSpec]
    fields: Mapping[str, tuple[AttributeSpec, ...]]

    def type(self, code: str) -> TypeSpec:
        """Return the type, or raise BadInput with the near name."""
        if code in self.types:
            return self.types[code]
        raise BadInput(
            _('There is no type "%(code)s".') % {"code": code},
            hint=did_you_mean(code, self.types) or _("See the list of types."),
            field="type",
        )


def _title(english: str, chinese: str) -> str:
    return chinese if chinese and (get_language() or "").startswith("zh") else english


def spec_of(row: Attribute, type_code: str) -> AttributeSpec:
    """Return the definition of a stored attribute."""
    return AttributeSpec(
        id=row.pk,
        type=type_code,
        code=row.code,
        title_en=row.title_en,
        title_zh=row.title_zh,
        description=row.description,
        kind=Kind(row.kind).value,
        is_list=row.is_list,
        required=row.required,
        unique=row.unique,
        indexed=row.indexed or row.unique,
        regex=row.regex,
        minimum=row.minimum,
        maximum=row.maximum,
        choices=tuple(row.choices),
        reference_type=row.reference_type,
        unit=row.unit,
        default=row.default,
        deadband=row.deadband,
        track_history=row.track_history,
        authority=tuple(row.authority),
        builtin=row.builtin,
        position=row.position,
    )


def _load(version: int) -> TypeCatalogue:
    rows = list(ItemType.objects.all())
    codes = {row.pk: row.code for row in rows}
    specs: dict[int | None, list[AttributeSpec]] = {}
    for attribute in Attribute.objects.all():
        type_code = codes.get(attribute.type_id, "") if attribute.type_id else ""
        specs.setdefault(attribute.type_id, []).append(spec_of(attribute, type_code))
    types = {}
    for row in rows:
        own = sorted([*specs.get(None, []), *specs.get(row.pk, [])], key=lambda spec: (spec.position, spec.code))
        types[row.code] = TypeSpec(
            row.pk, row.code, row.title_en, row.title_zh, row.description, row.icon, row.group, row.builtin,
            row.stale_after_days, MappingProxyType({spec.code: spec for spec in own}),
        )  # fmt: skip
    fields: dict[str, list[AttributeSpec]] = {}
    for group in specs.values():
        for spec in group:
            fields.setdefault(spec.code, []).append(spec)
    return TypeCatalogue(
        version,
        MappingProxyType(types),
        MappingProxyType({spec.id: spec for spec in types.values()}),
        MappingProxyType({code: tuple(group) for code, group in fields.items()}),
    )


_lock = Lock()
_cached: TypeCatalogue | None = None


def catalogue() -> TypeCatalogue:
    """Return all types and attributes: one small query, and a reload when another process changed them."""
    global _cached
    version = Catalogue.objects.values_list("version", flat=True).filter(pk=1).first() or 0
    current = _cached
    if current is None or current.version != version or version == 0:
        with _lock:
            current = _cached = _load(version)
    return current


def touch() -> None:
    """Tell every process that types changed; call it in the transaction of the change."""
    Catalogue.objects.update_or_create(pk=1, defaults={"version": secrets.randbits(62)})
