"""How the items of a query spread over columns, labels and attributes."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Line, UrlQuery
from quarterdeck.core.errors import BadInput
from quarterdeck.inventory import queries

router = Router()
_USUAL = "type,state,env,provider,region,lifecycle"


class FacetValue(Schema):
    value: str
    count: int


class Facet(Schema):
    """One field with its most frequent values."""

    field: str
    values: list[FacetValue] = Field(default_factory=list)


class Facets(Schema):
    items: list[Facet]


@router.get("/facets", response=Facets)
def read(
    request: HttpRequest,
    q: UrlQuery = "",
    fields: Line = _USUAL,
    limit: Annotated[int, Query(20, ge=1, le=200, description="Values of each field.")] = 20,
) -> dict[str, Any]:
    """Count the values of fields among the selected items; `fields=env,label.role,os_name`."""
    names = [name.strip() for name in fields.split(",") if name.strip()]
    if len(names) > 20:
        raise BadInput(_("%(count)d fields at once") % {"count": len(names)}, hint=_("at most 20"), field="fields")
    found = queries.facets(identify(request), q, fields=names, limit=limit)
    return {
        "items": [
            {"field": field, "values": [{"value": str(value), "count": count} for value, count in values]}
            for field, values in found.items()
        ]
    }
