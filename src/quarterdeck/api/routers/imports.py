"""Files into the inventory: upload, try, import, follow."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import File, Form, Router, Status, UploadedFile
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Body, Id, Json, Line, moment
from quarterdeck.inventory.exchange import uploads
from quarterdeck.inventory.models import Import

router = Router()


class ImportRow(TypedDict):
    """An import. `phase` is uploaded, running, done or failed; `result` tells what a done one did:

    {"create": 3, "update": 1, "unchanged": 0, "errors": [{"row": 7, "field": "ssh_port", "message": "..."}]}
    """

    id: int
    file_name: str
    format: str
    type: str
    key: str
    dry_run: bool
    phase: str
    rows_done: int
    rows_total: int | None
    result: Json
    actor: str
    created_at: str
    ended_at: str | None


class ImportChoice(Body):
    """How to import a file that was uploaded; what is left out stays as it was."""

    dry_run: bool
    format: Line = ""
    type: Line = ""
    key: Line = ""


def _row(found: Import) -> ImportRow:
    return {
        "id": found.pk,
        "file_name": found.file_name,
        "format": found.format,
        "type": found.type,
        "key": found.key,
        "dry_run": found.dry_run,
        "phase": found.phase,
        "rows_done": found.rows_done,
        "rows_total": found.rows_total,
        "result": found.result,
        "actor": found.actor,
        "created_at": moment(found.created_at) or "",
        "ended_at": moment(found.ended_at),
    }


@router.post("/imports", response={202: ImportRow})
def create(
    request: HttpRequest,
    file: Annotated[UploadedFile, File()],
    type: Annotated[Line, Form("", description="Type of the rows that name none.")] = "",  # noqa: A002
    key: Annotated[Line, Form("name", description="Field by which a row finds its item.")] = "name",
    format: Annotated[Line, Form("", description="By default told by the file's name.")] = "",  # noqa: A002
    dry_run: Annotated[bool, Form(True, description="Only tell what would change.")] = True,
) -> Status[ImportRow]:
    """Upload a file and import it in the background; `GET /imports/{id}` tells how far it is."""
    actor = identify(request)
    found = uploads.upload(
        actor, file.name or "upload", file.chunks(), format=format, type=type, key=key, dry_run=dry_run
    )
    return Status(202, _row(uploads.start_import(actor, found.pk, dry_run=dry_run)))


@router.get("/imports/{int:import_id}", response=ImportRow)
def read(request: HttpRequest, import_id: Id) -> ImportRow:
    """Tell how far one of one's own imports is, and in the end what it did."""
    return _row(uploads.import_of(identify(request), import_id))


@router.post("/imports/{int:import_id}/start", response={202: ImportRow})
def start(request: HttpRequest, import_id: Id, body: ImportChoice) -> Status[ImportRow]:
    """Import a file again that was tried: for good, or with other choices."""
    return Status(202, _row(uploads.start_import(identify(request), import_id, **body.dict())))
