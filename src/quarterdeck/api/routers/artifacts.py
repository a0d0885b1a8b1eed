"""Source maps: what builds uploaded, so that frames of minified JavaScript are shown as in the source."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import File, Form, Query, Router, Schema, Status
from ninja.files import UploadedFile
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Id, Line, moment
from quarterdeck.errors.artifacts import actions
from quarterdeck.errors.artifacts.actions import PROJECT_MAX, Build
from quarterdeck.errors.models import Bundle

router = Router()
Project = Annotated[int, Form(ge=0, le=PROJECT_MAX, description="The number at the end of the DSN.")]


class ArtifactRow(TypedDict):
    """Files that were uploaded together. `size_bytes` is what they take; `used_at` when one was last needed."""

    id: int
    project: int
    release: str
    dist: str
    checksum: str
    files: int
    size_bytes: int
    created_at: str
    created_by: str
    used_at: str


class Artifacts(Schema):
    items: list[ArtifactRow]
    next: str | None


def _row(bundle: Bundle) -> ArtifactRow:
    return {
        "id": bundle.pk,
        "project": bundle.project,
        "release": bundle.release,
        "dist": bundle.dist,
        "checksum": bundle.checksum,
        "files": bundle.file_count,
        "size_bytes": bundle.size_bytes,
        "created_at": moment(bundle.created_at) or "",
        "created_by": bundle.created_by,
        "used_at": moment(bundle.used_at) or "",
    }


@router.get("/errors/artifacts", response=Artifacts)
def list_(
    request: HttpRequest,
    project: Annotated[int | None, Query(None, ge=0, le=PROJECT_MAX)] = None,
    release: Line = "",
    debug_id: Annotated[Line, Query("", description="Only uploads with a file that has it.")] = "",
    limit: Annotated[int, Query(200, ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """List what was uploaded, the newest first."""
    found = actions.bundles(identify(request), project=project, release=release, debug_id=debug_id, limit=limit)
    return {"items": [_row(bundle) for bundle in found], "next": None}


@router.post("/errors/artifacts", response={201: ArtifactRow})
def create(
    request: HttpRequest,
    file: Annotated[UploadedFile, File()],
    project: Project,
    release: Annotated[Line, Form("", description="The release that the SDK names.")] = "",
    dist: Annotated[str, Form("", max_length=64)] = "",
    prefix: Annotated[Line, Form("~/", description="Begins the addresses of the files of a plain ZIP.")] = "~/",
) -> Status[ArtifactRow]:
    """Upload a ZIP: an artifact bundle as sentry-cli makes it, or the programs and maps that a build made."""
    build = Build(project, release, dist)
    return Status(201, _row(actions.upload(identify(request), build, file.chunks(), prefix)))


@router.delete("/errors/artifacts/{int:artifact_id}", response={204: None})
def delete(request: HttpRequest, artifact_id: Id) -> Status[None]:
    """Delete an upload with its files."""
    actions.delete(identify(request), artifact_id)
    return Status(204, None)
