"""Contents into the records and out of them, a megabyte at a time: memory is bounded, and no transaction is long.

On SQLite all who write share one lock, so that a file is not written in one transaction; it counts when it is whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, NotFound
from quarterdeck.jobs.files.models import FilePart, StoredFile

PART_BYTES = 1 << 20


def whole(sha256: str) -> StoredFile | None:
    return StoredFile.objects.filter(sha256=sha256, is_whole=True).first()


def put(file: BinaryIO, sha256: str, size_bytes: int, *, by: str, is_uploaded: bool = False) -> StoredFile:
    """Store what `file` has from its beginning on; of a content that is here already, that it was used.

    Raises BadInput when there is no room, Conflict when the file is not what `sha256` says.
    """
    if (found := _used(sha256, is_uploaded=is_uploaded)) is not None:
        return found
    _check_room(size_bytes)
    at = now()
    new = StoredFile.objects.create(
        sha256=sha256, size_bytes=size_bytes, is_uploaded=is_uploaded, created_at=at, used_at=at, created_by=by[:150]
    )
    try:
        _write(new, file)
        with transaction.atomic():
            StoredFile.objects.filter(pk=new.pk).update(is_whole=True)
    except BaseException as error:
        new.delete()
        # Somebody stored the same meanwhile.
        if isinstance(error, IntegrityError) and (found := _used(sha256, is_uploaded=is_uploaded)) is not None:
            return found
        raise
    new.is_whole = True
    return new


def _used(sha256: str, *, is_uploaded: bool) -> StoredFile | None:
    """Note that a content is used; None when it is not here."""
    change: dict[str, Any] = {"used_at": now()} | ({"is_uploaded": True} if is_uploaded else {})
    return whole(sha256) if StoredFile.objects.filter(sha256=sha256, is_whole=True).update(**change) else None


def _check_room(size_bytes: int) -> None:
    limit_mb = int(settings.QD["run_files_max_mb"])
    stored = StoredFile.objects.aggregate(n=Sum("size_bytes"))["n"] or 0
    if stored + size_bytes > limit_mb << 20:
        raise BadInput(
            _("the files of runs would take more than %(limit)d MB") % {"limit": limit_mb},
            hint=_("raise the setting run_files_max_mb, or shorten run_files_retention_days"),
            field="files",
        )


def _write(new: StoredFile, file: BinaryIO) -> None:
    digest, number = hashlib.sha256(), 0
    file.seek(0)
    while block := file.read(PART_BYTES):
        digest.update(block)
        FilePart.objects.create(file=new, number=number, content=block)
        number += 1
    if digest.hexdigest() != new.sha256:
        raise Conflict(_("the file changed while it was stored"), hint=_("send it again"))


def blocks(file: StoredFile) -> Iterator[bytes]:
    """Yield a file's content. Raises NotFound when it is removed meanwhile."""
    for number in range(-(-file.size_bytes // PART_BYTES)):
        content = FilePart.objects.filter(file=file.pk, number=number).values_list("content", flat=True).first()
        if content is None:
            raise gone(file.sha256)
        yield bytes(content)


def copy(sha256: str, path: Path) -> None:
    """Write a stored content to a new file. Raises NotFound."""
    found = whole(sha256)
    if found is None:
        raise gone(sha256)
    with path.open("xb") as target:
        target.writelines(blocks(found))


def gone(sha256: str) -> NotFound:
    return NotFound(_("the file %(digest)s… is stored no more") % {"digest": sha256[:12]}, hint=_("upload it again"))
