"""Uploading source maps, by the protocol of `sentry-cli` or in one piece, and deleting them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import IO

from backports import zstd
from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.errors.artifacts import chunks as pieces
from quarterdeck.errors.artifacts.unpacking import FILE_MAX_BYTES, Unpacked, as_debug_id, plain, reference_in, unpacked
from quarterdeck.errors.models import Bundle, BundleFile, Chunk

UPLOAD = "errors.upload"
PROJECT_MAX = 2**63 - 1
FILES_LISTED = 1000
_SHA1 = re.compile("[0-9a-f]{40}")
_CHUNKS_MAX = 4096


@dataclass(frozen=True, slots=True)
class Build:
    """Which build files belong to: a project by its number, and the release and distribution, "" where not told."""

    project: int
    release: str = ""
    dist: str = ""


@action(UPLOAD)
def keep_chunks(actor: Actor, chunks: Iterable[tuple[str, bytes]]) -> None:
    """Keep pieces of an upload, `(SHA-1 in hex, content)`, for a day. Raises BadInput, TooMany."""
    for number, (sha1, content) in enumerate(chunks):
        if number >= pieces.CHUNKS_PER_REQUEST:
            raise BadInput(
                _("A request has at most %(limit)d chunks.") % {"limit": pieces.CHUNKS_PER_REQUEST},
                hint=_("The server tells the number under chunk-upload."),
            )
        pieces.keep(sha1, content)


@action(UPLOAD, atomic=False)
def assemble(actor: Actor, builds: Sequence[Build], checksum: str, chunks: Sequence[str]) -> list[str]:
    """Make bundles of chunks, one for each build; return the chunks that are missing, [] when it is done.

    Raises BadInput for what is no bundle.
    """
    if not _SHA1.fullmatch(checksum) or not all(_SHA1.fullmatch(one) for one in chunks):
        raise BadInput(_("A checksum is a SHA-1 in small hex digits."), hint=_("sentry-cli makes such checksums."))
    if not builds:
        raise BadInput(_("An upload is for one project at least."), hint=_("Name it with --project."), field="projects")
    wanted = [build for build in builds if not _known(build, checksum)]
    if not wanted:
        return []
    if len(chunks) > _CHUNKS_MAX or not chunks:
        raise BadInput(
            _("An upload has 1 to %(limit)d chunks.") % {"limit": _CHUNKS_MAX}, hint=_("Upload it in parts.")
        )
    if lost := pieces.missing(chunks):
        return lost
    with closing(pieces.assembled(checksum, chunks)) as file:
        for build in wanted:
            _keep(actor, build, checksum, unpacked(file))
    Chunk.objects.filter(sha1__in=chunks).delete()
    return []


@action(UPLOAD, atomic=False)
def upload(actor: Actor, build: Build, contents: Iterable[bytes], prefix: str = "~/") -> Bundle:
    """Keep the files of a ZIP, with a manifest or of what a build made; return them. Raises BadInput.

    Without a manifest, a file's address is its name in the ZIP behind `prefix`.
    """
    with closing(pieces.kept_file(contents)) as file:
        checksum = _sha1_of(file)
        return _known(build, checksum) or _keep(actor, build, checksum, unpacked(file, prefix))


@action(UPLOAD, atomic=False)
def upload_file(actor: Actor, build: Build, url: str, content: bytes, headers: Mapping[str, str]) -> BundleFile:
    """Keep one file of a release, in the place of one with the same address. Raises BadInput."""
    if not build.release or not url or "\0" in build.release + build.dist:
        raise BadInput(_("A file needs a release and an address."), hint=_("For example ~/static/app.js"), field="name")
    if len(content) > FILE_MAX_BYTES:
        raise BadInput(
            _("A file has at most %(limit)d MB.") % {"limit": FILE_MAX_BYTES >> 20}, hint=_("Split the build.")
        )
    found = plain(url, content)
    reference = reference_in({name.lower(): value for name, value in headers.items()}) or found.source_map
    own = Unpacked(found.url, found.kind, found.debug_id, reference, content)
    checksum = hashlib.sha1(f"{url}\0".encode() + content, usedforsecurity=False).hexdigest()
    former = Bundle.objects.filter(project=build.project, release=build.release, dist=build.dist, file_count=1)
    former.filter(files__url=own.url).delete()
    bundle = _keep(actor, build, checksum, [own])
    return bundle.files.get()


def _known(build: Build, checksum: str) -> Bundle | None:
    """Return the bundle that is there already. Raises BadInput for a build that cannot be."""
    if "\0" in build.release + build.dist:
        raise BadInput(_("A release has no NUL character."), hint=_("For example shop@1.2.3"), field="release")
    return Bundle.objects.filter(
        project=build.project, checksum=checksum, release=build.release, dist=build.dist
    ).first()


def _sha1_of(file: IO[bytes]) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    while block := file.read(1 << 20):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def _keep(actor: Actor, build: Build, checksum: str, files: Iterable[Unpacked]) -> Bundle:
    """Write a bundle. Files are compressed before the transaction begins, which holds SQLite's only lock."""
    rows = [
        BundleFile(
            url=one.url,
            kind=one.kind,
            debug_id=one.debug_id,
            source_map=one.source_map,
            size_bytes=len(one.content),
            content=zstd.compress(one.content),
        )
        for one in files
    ]
    if not rows:
        raise BadInput(_("The upload has no JavaScript and no source map."), hint=_("Look at what the build made."))
    size_bytes = sum(len(row.content) for row in rows)
    _check_room(size_bytes)
    at = now()
    with transaction.atomic():
        bundle, is_made = Bundle.objects.get_or_create(
            project=build.project, checksum=checksum, release=build.release, dist=build.dist,
            defaults={
                "file_count": len(rows), "size_bytes": size_bytes, "created_at": at, "used_at": at,
                "created_by": actor.name[:150],
            },
        )  # fmt: skip
        if is_made:
            for row in rows:
                row.bundle = bundle
            BundleFile.objects.bulk_create(rows, batch_size=50)
            told = {"project": build.project, "release": build.release, "files": len(rows), "bytes": size_bytes}
            record(actor, "errors.upload", bundle, str(bundle), after=told)
    return bundle


def _check_room(size_bytes: int) -> None:
    limit_mb = int(settings.QD["artifacts_max_mb"])
    stored = Bundle.objects.aggregate(n=Sum("size_bytes"))["n"] or 0
    if stored + size_bytes > limit_mb << 20:
        raise BadInput(
            _("The source maps would take more than %(limit)d MB.") % {"limit": limit_mb},
            hint=_("Delete old ones, or raise the setting artifacts_max_mb."),
        )


@action(UPLOAD)
def delete(actor: Actor, pk: int) -> None:
    """Delete a bundle with its files. Raises NotFound."""
    bundle = _bundle(pk)
    told = {"project": bundle.project, "release": bundle.release, "files": bundle.file_count}
    record(actor, "errors.delete_upload", bundle, str(bundle), before=told)
    bundle.delete()


@action(UPLOAD)
def delete_file(actor: Actor, pk: int, release: str) -> None:
    """Delete one file of a release, and its upload when it was the last one of it. Raises NotFound."""
    file = BundleFile.objects.filter(pk=pk, bundle__release=release).select_related("bundle").defer("content").first()
    if file is None:
        raise NotFound(_("There is no such file of this release."), hint=_("See the list of its files."))
    record(actor, "errors.delete_file", file.bundle, f"{file.bundle}: {file.url}"[:255])
    bundle = file.bundle
    file.delete()
    left = bundle.files.count()
    if left:
        Bundle.objects.filter(pk=bundle.pk).update(file_count=left)
    else:
        bundle.delete()


def bundles(
    actor: Actor, *, project: int | None = None, release: str = "", debug_id: str = "", limit: int = 200
) -> list[Bundle]:
    """Return what was uploaded, the newest first; with `debug_id`, what has a file of it. Raises Denied."""
    require(actor, UPLOAD)
    found = Bundle.objects.order_by("-pk")
    if project is not None:
        found = found.filter(project=project)
    if release:
        found = found.filter(release=release)
    if debug_id:
        ids = BundleFile.objects.filter(debug_id=as_debug_id(debug_id) or debug_id).values("bundle")
        found = found.filter(pk__in=ids)
    return list(found[: max(1, min(limit, 1000))])


def files_of(actor: Actor, pk: int) -> tuple[Bundle, list[BundleFile]]:
    """Return an upload and its first FILES_LISTED files by address, without what they hold. Raises Denied, NotFound."""
    require(actor, UPLOAD)
    bundle = _bundle(pk)
    return bundle, list(bundle.files.defer("content").order_by("url", "pk")[:FILES_LISTED])


def _bundle(pk: int) -> Bundle:
    bundle = Bundle.objects.filter(pk=pk).first()
    if bundle is None:
        raise NotFound(_("There is no upload %(id)d.") % {"id": pk}, hint=_("See the list of uploads."))
    return bundle
