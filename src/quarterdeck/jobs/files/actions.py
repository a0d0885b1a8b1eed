"""What people do with the files of runs. The audit log has names, sizes and checksums, never what is in a file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.jobs.files import storing
from quarterdeck.jobs.files.models import StoredFile

SHA256 = re.compile("[0-9a-f]{64}")
_RUN = "jobs.run"


@action(_RUN, atomic=False)
def upload(actor: Actor, name: str, file: BinaryIO) -> StoredFile:
    """Store a file that can be sought in, to be pushed to hosts. Raises BadInput."""
    # Typeshed asks for more than it needs.
    sha256 = hashlib.file_digest(cast(Any, file), "sha256").hexdigest()
    size_bytes = file.seek(0, 2)
    limit_mb = int(settings.QD["upload_max_mb"])
    if size_bytes > limit_mb << 20:
        raise BadInput(
            _("the file has more than %(limit)d MB") % {"limit": limit_mb},
            hint=_("raise the setting upload_max_mb"),
            field="file",
        )
    stored = storing.put(file, sha256, size_bytes, by=actor.name, is_uploaded=True)
    told = {"sha256": sha256, "size_bytes": size_bytes}
    record(actor, "jobs.file.upload", ("file", str(stored.pk), name[-255:]), after=told)
    return stored


def uploaded(actor: Actor, sha256: str) -> StoredFile:
    """Return a file that can be pushed. Raises Denied, NotFound."""
    require(actor, _RUN)
    found = storing.whole(sha256)
    if found is None or not found.is_uploaded:
        raise NotFound(_("no such file is stored"), hint=_("upload it"))
    return found


def hold(digests: Collection[str]) -> None:
    """Note that a run or a schedule needs these files, in its transaction.

    Raises BadInput when one is not here (any more).
    """
    wanted = StoredFile.objects.filter(sha256__in=digests, is_whole=True, is_uploaded=True)
    if wanted.update(used_at=now()) != len(set(digests)):
        raise BadInput(
            _("of these files some are not stored, or not any more"), hint=_("upload them again"), field="files"
        )


def needed(work: Iterable[Any]) -> set[str]:
    """Return the checksums that works of the runner `push` name. A template may ask for its files by a placeholder."""
    lists = [files for one in work if isinstance(files := one.get("files"), list)]
    return {str(file.get("sha256")) for files in lists for file in files if isinstance(file, dict)}
