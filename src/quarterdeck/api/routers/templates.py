"""Job templates: prepared work with a form, and starting it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.etags import required_version, tag
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.routers.runs import RunRow, one_row
from quarterdeck.api.shapes import Body, Json, Line, QueryText, Reason, moment
from quarterdeck.jobs.templates import actions, queries
from quarterdeck.jobs.templates.definitions import read, shown
from quarterdeck.jobs.templates.models import Template

router = Router()


class TemplateRow(TypedDict):
    """A template; title and description in the language of whoever asks."""

    name: str
    title: str
    description: str
    runner: str
    query: str
    questions: list[str]
    version: int
    changed_by: str
    changed_at: str | None


class TemplateRead(TemplateRow):
    definition: dict[str, Any]


class TemplatePage(Schema):
    items: list[TemplateRow]
    next: str | None


class TemplateValues(Body):
    """A template's definition, as its YAML file has it, without the name."""

    definition: dict[str, Json]


class LibraryRow(TypedDict):
    """A template that comes with the product; `is_taken` when this instance has one of its name."""

    name: str
    title: str
    description: str
    is_taken: bool
    definition: dict[str, Any]


class LibraryRows(Schema):
    items: list[LibraryRow]
    next: str | None


class TemplateStart(Body):
    """Answers to a template's questions. Where the template has a query, `query` narrows it."""

    values: dict[str, Json] = {}
    query: QueryText = ""
    is_check: bool = False
    reason: Reason = ""


def _row(template: Template) -> TemplateRow:
    definition = read(template.definition)
    return {
        "name": template.name,
        "title": shown(definition.title),
        "description": shown(definition.description),
        "runner": definition.runner,
        "query": definition.query,
        "questions": [field.name for field in definition.survey],
        "version": template.version,
        "changed_by": template.changed_by,
        "changed_at": moment(template.changed_at),
    }


def _read(request: HttpRequest, template: Template, response: HttpResponse) -> TemplateRead:
    response["ETag"] = tag(template.version)
    return {**_row(template), "definition": queries.definition_of(identify(request), template)}


@router.get("/templates", response=TemplatePage)
def list_(request: HttpRequest, response: HttpResponse, limit: Limit = 100, after: After = "") -> dict[str, Any]:
    """List the templates, the oldest first."""
    rows, cursor = by_id(queries.templates(identify(request)), after, limit)
    return page(request, response, [_row(row) for row in rows], cursor)


@router.get("/templates/library", response=LibraryRows)
def library(request: HttpRequest) -> dict[str, Any]:
    """List the templates that come with the product."""
    actor = identify(request)
    mine = set(queries.templates(actor).values_list("name", flat=True))
    rows = [
        {
            "name": one.name,
            "title": shown(one.definition["title"]),
            "description": shown(one.definition["description"]),
            "is_taken": one.name in mine,
            "definition": one.definition,
        }
        for one in queries.library(actor)
    ]
    return {"items": rows, "next": None}


@router.post("/templates/library/{slug:slug}", response=TemplateRead)
def take(request: HttpRequest, response: HttpResponse, slug: Line) -> TemplateRead:
    """Make a template of one that comes with the product, or bring it to what comes with this version."""
    return _read(request, actions.take_from_library(identify(request), slug), response)


@router.get("/templates/{slug:slug}", response=TemplateRead)
def read_(request: HttpRequest, response: HttpResponse, slug: Line) -> TemplateRead:
    """Read one template with its definition; the ETag is its version."""
    return _read(request, queries.template_of(identify(request), slug), response)


@router.put("/templates/{slug:slug}", response=TemplateRead)
def put(request: HttpRequest, response: HttpResponse, slug: Line, body: TemplateValues) -> TemplateRead:
    """Make a template, or change it. With If-Match only when it still is the version that was read."""
    actor, version = identify(request), required_version(request)
    return _read(request, actions.save_template(actor, slug, body.definition, version=version), response)


@router.delete("/templates/{slug:slug}", response={204: None})
def delete(request: HttpRequest, slug: Line) -> Status[None]:
    """Delete a template; the runs of it stay."""
    actions.delete_template(identify(request), slug)
    return Status(204, None)


@router.post("/templates/{slug:slug}/run", response={202: RunRow})
def run(request: HttpRequest, slug: Line, body: TemplateStart) -> Status[RunRow]:
    """Start what a template prepares, with these answers."""
    found = actions.start_template(
        identify(request), slug, body.values, query=body.query, is_check=body.is_check, reason=body.reason
    )
    return Status(202, one_row(found))
