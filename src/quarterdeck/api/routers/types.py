"""Types and attributes: what items may be."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status

from quarterdeck.access.checks import require
from quarterdeck.api.auth import identify
from quarterdeck.api.description import file_answer
from quarterdeck.api.shapes import Line
from quarterdeck.api.shapes.types import (
    AttributeRow,
    AttributeValues,
    TypePage,
    TypesDocument,
    TypeValues,
    TypeWithAttributes,
    attribute_row,
    type_row,
    type_with_attributes,
)
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound
from quarterdeck.core.names import did_you_mean
from quarterdeck.inventory import actions, queries
from quarterdeck.inventory.catalogue import TypeSpec, catalogue

router = Router()


class AppliedTypes(Schema):
    """How many types and attributes the document held."""

    types: int
    attributes: int


def _find(code: str) -> TypeSpec:
    types = catalogue().types
    if code not in types:
        raise NotFound(_('there is no type "%(code)s"') % {"code": code}, hint=did_you_mean(code, types))
    return types[code]


def _items_by_type(actor: Actor) -> dict[str, int]:
    by_type: dict[str, int] = queries.counts(actor)["by_type"]
    return by_type


@router.get("/types", response=TypePage)
def list_(request: HttpRequest) -> dict[str, Any]:
    """List all types; there are few, so they come in one page."""
    actor = identify(request)
    require(actor, "inventory.view")
    counts = _items_by_type(actor)
    return {"items": [type_row(spec, counts.get(code, 0)) for code, spec in catalogue().types.items()], "next": None}


@router.get(
    "/types/export",
    response={200: None},
    openapi_extra=file_answer("application/yaml"),
)
def export(request: HttpRequest) -> HttpResponse:
    """Answer every type as YAML that `POST /types/apply` takes."""
    require(identify(request), "inventory.view")
    return HttpResponse(actions.export_types(), content_type="application/yaml")


@router.post("/types/apply", response=AppliedTypes)
def apply(request: HttpRequest, body: TypesDocument) -> Any:
    """Create and change types and attributes from YAML; all of it or nothing."""
    return actions.import_types(identify(request), body.yaml)


@router.get("/types/{code}", response=TypeWithAttributes)
def read(request: HttpRequest, code: Line) -> TypeWithAttributes:
    """Read one type with its attributes."""
    actor = identify(request)
    require(actor, "inventory.view")
    return type_with_attributes(_find(code), _items_by_type(actor).get(code, 0))


@router.put("/types/{code}", response=TypeWithAttributes)
def put(request: HttpRequest, code: Line, body: TypeValues) -> TypeWithAttributes:
    """Create a type, or change its values."""
    actor = identify(request)
    actions.set_type(actor, {"code": code, **body.dict()})
    return type_with_attributes(_find(code), _items_by_type(actor).get(code, 0))


@router.delete("/types/{code}", response={204: None})
def delete(request: HttpRequest, code: Line) -> Status[None]:
    """Delete a type that no item has."""
    actor = identify(request)
    actions.remove_type(actor, _find(code).code)
    return Status(204, None)


@router.put("/types/{code}/attributes/{attribute}", response=AttributeRow)
def put_attribute(request: HttpRequest, code: Line, attribute: Line, body: AttributeValues) -> AttributeRow:
    """Create an attribute of a type, or change its values."""
    actor = identify(request)
    actions.set_attribute(actor, _find(code).code, {"code": attribute, **body.dict()})
    return attribute_row(_find(code).attributes[attribute])


@router.delete("/types/{code}/attributes/{attribute}", response={204: None})
def delete_attribute(request: HttpRequest, code: Line, attribute: Line) -> Status[None]:
    """Delete an attribute of a type; its values leave the items, the history keeps them."""
    actor = identify(request)
    spec = _find(code)
    if attribute not in spec.attributes:
        raise NotFound(_('there is no attribute "%(code)s"') % {"code": attribute})
    actions.remove_attribute(actor, spec.code, attribute)
    return Status(204, None)
