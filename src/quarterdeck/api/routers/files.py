"""Files of runs: what is pushed to hosts, and what was pulled from them."""

from __future__ import annotations

from typing import Annotated, BinaryIO, cast

from django.http import HttpRequest
from ninja import File, Path, Router, Status, UploadedFile
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import moment
from quarterdeck.jobs.files import actions
from quarterdeck.jobs.files.models import StoredFile

router = Router()
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


class StoredFileRow(TypedDict):
    """A content, stored once. Runs of the runner "push" name it by `sha256`; it goes some days after `used_at`."""

    id: int
    sha256: str
    size_bytes: int
    created_at: str
    used_at: str


def _row(file: StoredFile) -> StoredFileRow:
    return {
        "id": file.pk,
        "sha256": file.sha256,
        "size_bytes": file.size_bytes,
        "created_at": moment(file.created_at) or "",
        "used_at": moment(file.used_at) or "",
    }


@router.post("/files", response={201: StoredFileRow})
def create(request: HttpRequest, file: Annotated[UploadedFile, File()]) -> Status[StoredFileRow]:
    """Upload a file that is to be pushed to hosts. The same content again is the same file."""
    # On disk where it is large.
    stored = actions.upload(identify(request), file.name or "", cast(BinaryIO, file.file))
    return Status(201, _row(stored))


@router.get("/files/{sha256}", response=StoredFileRow)
def read(request: HttpRequest, sha256: Digest) -> StoredFileRow:
    """Tell whether a content is uploaded already, so that it need not be sent again."""
    return _row(actions.uploaded(identify(request), sha256))
