"""Uploads of source maps: chunks and their assembly, and the older files of a release."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from quarterdeck.api.sentry.answering import Made, body_of, builds_of, project_of
from quarterdeck.api.shapes import moment
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, OpsError
from quarterdeck.errors.artifacts import actions, chunks
from quarterdeck.errors.artifacts.actions import Build
from quarterdeck.errors.artifacts.unpacking import FILE_MAX_BYTES
from quarterdeck.errors.models import BundleFile


def options(request: HttpRequest, actor: Actor, organization: str) -> dict[str, Any]:
    """Tell how chunks are sent."""
    return {
        "url": request.build_absolute_uri(request.path),
        "chunkSize": chunks.CHUNK_MAX_BYTES,
        "chunksPerRequest": chunks.CHUNKS_PER_REQUEST,
        "maxFileSize": chunks.bundle_max_bytes(),
        "maxRequestSize": chunks.CHUNK_MAX_BYTES * chunks.CHUNKS_PER_REQUEST,
        "concurrency": 2,
        "hashAlgorithm": "sha1",
        "compression": ["gzip"],
        "accept": ["artifact_bundles", "artifact_bundles_v2", "release_files"],
    }


def keep(request: HttpRequest, actor: Actor, organization: str) -> dict[str, Any]:
    """Take chunks: `file` as they are, `file_gzip` compressed; a chunk's file name is its SHA-1."""
    actions.keep_chunks(actor, _chunks(request))
    return {}


def _chunks(request: HttpRequest) -> Iterator[tuple[str, bytes]]:
    # A compressed chunk may be a little larger than it was.
    limit_bytes = chunks.CHUNK_MAX_BYTES + 1024
    for field in ("file", "file_gzip"):
        for file in request.FILES.getlist(field):
            content = file.read(limit_bytes + 1)
            yield file.name or "", chunks.inflated(content) if field == "file_gzip" else content


def assemble(request: HttpRequest, actor: Actor, organization: str) -> dict[str, Any]:
    """Make an artifact bundle of chunks. States are not_found (send `missingChunks`), ok and error."""
    body = body_of(request)
    given = body.get("chunks")
    wanted = [str(one) for one in given] if isinstance(given, list) else []
    builds, checksum = builds_of(body), str(body.get("checksum"))
    try:
        missing = actions.assemble(actor, builds, checksum, wanted)
    except BadInput as error:
        return {"state": "error", "missingChunks": [], "detail": _sentence(error)}
    return {"state": "not_found" if missing else "ok", "missingChunks": missing}


def _sentence(error: OpsError) -> str:
    return f"{error.message} {error.hint}".strip()


def _project(request: HttpRequest, project: str) -> int:
    return project_of(project or request.GET.get("project") or request.POST.get("project") or "")


def file_row(file: BundleFile) -> Made:
    return Made(
        id=str(file.pk),
        name=file.url,
        dist=file.bundle.dist or None,
        size=file.size_bytes,
        sha1=file.bundle.checksum,
        headers={"Sourcemap": file.source_map} if file.source_map else {},
        dateCreated=moment(file.bundle.created_at),
    )


def files(
    request: HttpRequest, actor: Actor, organization: str, version: str, project: str = ""
) -> list[dict[str, Any]]:
    """List the files of a release."""
    found = actions.bundles(actor, project=_project(request, project), release=version, limit=1000)
    rows = BundleFile.objects.filter(bundle__in=found).select_related("bundle").defer("content").order_by("url", "-pk")
    return [file_row(file) for file in rows[: actions.FILES_LISTED]]


def keep_file(request: HttpRequest, actor: Actor, organization: str, version: str, project: str = "") -> Made:
    """Take one file of a release: `file`, its address as `name`, `header` as "Sourcemap:app.js.map"."""
    file = request.FILES.get("file")
    if file is None:
        raise BadInput(_("The form has no file."), hint=_("Send it as `file`."), field="file")
    name = request.POST.get("name") or file.name or ""
    headers = dict(_header(one) for one in request.POST.getlist("header")[:20])
    build = Build(_project(request, project), version[:255], (request.POST.get("dist") or "")[:64])
    content = file.read(FILE_MAX_BYTES + 1)
    return file_row(actions.upload_file(actor, build, name, content, headers))


def _header(text: str) -> tuple[str, str]:
    name, _colon, value = text.partition(":")
    return name.strip(), value.strip()


def delete_file(
    request: HttpRequest, actor: Actor, organization: str, version: str, file: int, project: str = ""
) -> None:
    """Delete a file of a release."""
    actions.delete_file(actor, file, version)
