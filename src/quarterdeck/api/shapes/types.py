"""Types and attributes as JSON."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.shapes import Body, Json, Line
from quarterdeck.inventory.catalogue import AttributeSpec, TypeSpec


class AttributeRow(TypedDict):
    """An attribute's definition; `type` is "" for an attribute of every type."""

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
    choices: list[str]
    reference_type: str
    unit: str
    default: Json
    deadband: float | None
    track_history: bool
    authority: list[str]
    builtin: bool
    position: int


class TypeRow(TypedDict):
    """A type without its attributes; `items` counts those that the caller may see."""

    code: str
    title_en: str
    title_zh: str
    description: str
    icon: str
    group: str
    builtin: bool
    stale_after_days: int
    items: int


class TypeWithAttributes(TypeRow):
    attributes: list[AttributeRow]


class TypePage(Schema):
    items: list[TypeRow]
    next: str | None


class TypeValues(Body):
    """A type's own values; its code stands in the address and never changes."""

    title_en: Line
    title_zh: Line = ""
    description: str = Field("", max_length=10_000)
    icon: Line = "box"
    group: Line = "other"
    stale_after_days: int = Field(60, ge=0, le=36_500)


class AttributeValues(Body):
    """An attribute's values; its code stands in the address and never changes."""

    title_en: Line
    title_zh: Line = ""
    description: str = Field("", max_length=10_000)
    kind: Line = "text"
    is_list: bool = False
    required: bool = False
    unique: bool = False
    indexed: bool = False
    regex: str = Field("", max_length=500)
    minimum: float | None = Field(None, allow_inf_nan=False)
    maximum: float | None = Field(None, allow_inf_nan=False)
    choices: list[Line] = Field(default_factory=list, max_length=1000)
    reference_type: Line = ""
    unit: Line = ""
    default: Json = None
    deadband: float | None = Field(None, ge=0, allow_inf_nan=False)
    track_history: bool = True
    authority: list[Line] = Field(default_factory=list, max_length=100)
    position: int = Field(100, ge=0, le=1_000_000)


class TypesDocument(Body):
    """Types as YAML text, as the export writes it."""

    yaml: str = Field(max_length=2_000_000)


_TYPE_FIELDS = ("code", "title_en", "title_zh", "description", "icon", "group", "builtin", "stale_after_days")


def attribute_row(spec: AttributeSpec) -> AttributeRow:
    row: dict[str, Any] = {name: getattr(spec, name) for name in AttributeRow.__annotations__}
    return {**row, "choices": list(spec.choices), "authority": list(spec.authority)}  # type: ignore[typeddict-item]


def type_row(spec: TypeSpec, items: int) -> TypeRow:
    return {**{name: getattr(spec, name) for name in _TYPE_FIELDS}, "items": items}  # type: ignore[typeddict-item]


def type_with_attributes(spec: TypeSpec, items: int) -> TypeWithAttributes:
    attributes = [attribute_row(attribute) for attribute in spec.attributes.values()]
    return {**type_row(spec, items), "attributes": attributes}
