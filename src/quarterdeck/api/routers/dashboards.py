"""Dashboards: their definitions and their versions."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.etags import required_version, tag
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.shapes import Body, Line, moment
from quarterdeck.monitoring.dashboards import actions, importing, queries
from quarterdeck.monitoring.dashboards.models import Dashboard, DashboardVersion

router = Router()
Note = Annotated[str, StringConstraints(max_length=200)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class DashboardRow(TypedDict):
    slug: str
    title: str
    version: int
    panels: int
    changed_by: str
    changed_at: str | None


class DashboardRead(DashboardRow):
    definition: dict[str, Any]


class DashboardPage(Schema):
    items: list[DashboardRow]
    next: str | None


class DashboardValues(Body):
    """A dashboard's definition, as its YAML file has it, and a word on what the change is for."""

    definition: dict[str, Any]
    note: Note = ""


class DashboardFile(Body):
    """What a file holds, and its name, from which the short name is made where neither the file nor `slug` has one."""

    content: dict[str, Any]
    name: Line = ""
    slug: Line = ""
    note: Note = ""
    dry_run: bool = False


class DashboardNote(TypedDict):
    where: str
    what: str


class DashboardTaken(DashboardRow):
    result: str
    notes: list[DashboardNote]


class DashboardVersionRow(TypedDict):
    number: int
    note: str
    changed_by: str
    changed_at: str | None


class DashboardVersionRead(DashboardVersionRow):
    definition: dict[str, Any]


class DashboardVersionPage(Schema):
    items: list[DashboardVersionRow]
    next: str | None


class DashboardRestore(Body):
    """Which version is to be the newest again."""

    number: Number


def _row(dashboard: Dashboard) -> DashboardRow:
    return {
        "slug": dashboard.slug,
        "title": dashboard.title,
        "version": dashboard.version,
        "panels": sum(1 for panel in dashboard.definition.get("panels", []) if panel.get("kind") != "row"),
        "changed_by": dashboard.changed_by,
        "changed_at": moment(dashboard.changed_at),
    }


def _read(dashboard: Dashboard, response: HttpResponse) -> DashboardRead:
    response["ETag"] = tag(dashboard.version)
    return {**_row(dashboard), "definition": dashboard.definition}


def _version_row(version: DashboardVersion) -> DashboardVersionRow:
    return {
        "number": version.number,
        "note": version.note,
        "changed_by": version.changed_by,
        "changed_at": moment(version.changed_at),
    }


@router.get("/dashboards", response=DashboardPage)
def list_(request: HttpRequest, response: HttpResponse, limit: Limit = 100, after: After = "") -> dict[str, Any]:
    """List the dashboards."""
    rows, cursor = by_id(queries.dashboards(identify(request)), after, limit)
    return page(request, response, [_row(row) for row in rows], cursor)


@router.post("/dashboards/import", response=DashboardTaken)
def import_(request: HttpRequest, body: DashboardFile) -> dict[str, Any]:
    """Take a file: ours, or a dashboard that Grafana has exported; `notes` tell what of that could not be taken."""
    actor = identify(request)
    taken = importing.import_values(actor, body.content, body.name, slug=body.slug, note=body.note, is_dry=body.dry_run)
    notes = [{"where": note.where, "what": note.what} for note in taken.notes]
    return {**_row(taken.dashboard), "result": taken.result, "notes": notes}


@router.get("/dashboards/{slug:slug}", response=DashboardRead)
def read(request: HttpRequest, response: HttpResponse, slug: Line) -> DashboardRead:
    """Read one dashboard with its definition; the ETag is its version."""
    return _read(queries.dashboard(identify(request), slug), response)


@router.put("/dashboards/{slug:slug}", response=DashboardRead)
def put(request: HttpRequest, response: HttpResponse, slug: Line, body: DashboardValues) -> DashboardRead:
    """Make a dashboard, or a new version of it. With If-Match only when it still is the version that was read."""
    actor, version = identify(request), required_version(request)
    return _read(actions.save_dashboard(actor, slug, body.definition, note=body.note, version=version), response)


@router.delete("/dashboards/{slug:slug}", response={204: None})
def delete(request: HttpRequest, slug: Line) -> Status[None]:
    """Delete a dashboard with its versions."""
    actions.delete_dashboard(identify(request), slug)
    return Status(204, None)


@router.get("/dashboards/{slug:slug}/versions", response=DashboardVersionPage)
def list_versions(
    request: HttpRequest, response: HttpResponse, slug: Line, limit: Limit = 100, after: After = ""
) -> dict[str, Any]:
    """List what a dashboard was, the newest first: who changed it when, and what for."""
    rows, cursor = by_id(queries.versions(identify(request), slug), after, limit, newest_first=True)
    return page(request, response, [_version_row(row) for row in rows], cursor)


@router.get("/dashboards/{slug:slug}/versions/{number}", response=DashboardVersionRead)
def read_version(request: HttpRequest, slug: Line, number: Number) -> DashboardVersionRead:
    """Read one version with its definition."""
    version = queries.version(identify(request), slug, number)
    return {**_version_row(version), "definition": version.definition}


@router.post("/dashboards/{slug:slug}/restore", response=DashboardRead)
def restore(request: HttpRequest, response: HttpResponse, slug: Line, body: DashboardRestore) -> DashboardRead:
    """Make an earlier version the newest again, as a version of its own."""
    return _read(actions.restore_dashboard(identify(request), slug, body.number), response)
