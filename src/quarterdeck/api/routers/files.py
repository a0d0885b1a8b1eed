"""Files of runs: what is pushed to hosts, and what was pulled from them."""

from __future__ import annotations

from typing import Annotated, BinaryIO, cast

from django.http import HttpRequest, StreamingHttpResponse
from ninja import File, Path, Router, Status, UploadedFile
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.description import file_answer
from quarterdeck.api.shapes import Id, moment
from quarterdeck.core.streams import attachment
from quarterdeck.jobs.files import actions, archive, pulled
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


@router.get(
    "/runs/{int:run_id}/files", response={200: None}, openapi_extra=file_answer(archive.MEDIA_TYPE)
)  # fmt: skip
def download_all(request: HttpRequest, run_id: Id) -> StreamingHttpResponse:
    """Download all that a run pulled as a tar, each host's files in a directory of its name."""
    return attachment(pulled.download_all(identify(request), run_id), f"run-{run_id}.tar", archive.MEDIA_TYPE)


@router.get(
    "/runs/{int:run_id}/hosts/{int:host_id}/files/{int:file_id}",
    response={200: None},
    openapi_extra=file_answer("application/octet-stream"),
)
def download(request: HttpRequest, run_id: Id, host_id: Id, file_id: Id) -> StreamingHttpResponse:
    """Download one file that was pulled from a host; the host's `values` tell their ids."""
    file, blocks = pulled.download(identify(request), run_id, host_id, file_id)
    return attachment(blocks, pulled.file_name(file), size_bytes=file.size_bytes)
