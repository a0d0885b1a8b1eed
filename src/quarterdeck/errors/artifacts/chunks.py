"""Pieces of uploads, and the file that they make.

See https://github.com/getsentry/sentry-cli/blob/master/src/utils/chunks/upload.rs
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterable, Sequence
from tempfile import TemporaryFile
from typing import IO

from django.conf import settings
from django.utils.translation import gettext as _

from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, TooMany
from quarterdeck.errors.models import Chunk

# What is told to clients, and what a request may carry.
CHUNK_MAX_BYTES = 1 << 20
CHUNKS_PER_REQUEST = 16
# Uploads that nobody completes may not fill the records.
_WAITING_MAX_BYTES = 1 << 30
_CHUNKS_MAX = _WAITING_MAX_BYTES // CHUNK_MAX_BYTES


def bundle_max_bytes() -> int:
    """Return how large an upload may be, as it is sent."""
    return int(settings.QD["artifacts_upload_max_mb"]) << 20


def inflated(content: bytes) -> bytes:
    """Return a chunk that was sent with gzip. Raises BadInput for one that is none, or larger than a chunk may be."""
    try:
        with gzip.open(io.BytesIO(content)) as file:
            found = file.read(CHUNK_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise BadInput(_("A chunk is no gzip."), hint=_("Send it as it is, or with gzip as `file_gzip`.")) from None
    return found


def keep(sha1: str, content: bytes) -> None:
    """Keep a chunk until it is put together. Raises BadInput where it is too large or is not what its name says."""
    if len(content) > CHUNK_MAX_BYTES:
        raise BadInput(
            _("A chunk has at most %(limit)d bytes.") % {"limit": CHUNK_MAX_BYTES},
            hint=_("The server tells the size under chunk-upload."),
        )
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != sha1.lower():
        raise BadInput(_("A chunk is not what its checksum says."), hint=_("Send it again."))
    if Chunk.objects.count() >= _CHUNKS_MAX:
        raise TooMany(
            _("Too many uploads were begun and not completed."),
            hint=_("They are forgotten after a day."),
            retry_after_seconds=3600,
        )
    Chunk.objects.get_or_create(sha1=sha1.lower(), defaults={"content": content, "created_at": now()})


def missing(chunks: Sequence[str]) -> list[str]:
    """Return those that are not here, each once, in their order."""
    known = set(Chunk.objects.filter(sha1__in=chunks).values_list("sha1", flat=True))
    return [sha1 for sha1 in dict.fromkeys(chunks) if sha1 not in known]


def assembled(checksum: str, chunks: Sequence[str]) -> IO[bytes]:
    """Return the file that the chunks make, on disk and open. Raises BadInput where it is not what `checksum` says."""
    contents = (bytes(Chunk.objects.values_list("content", flat=True).get(sha1=sha1)) for sha1 in chunks)
    return kept_file(contents, checksum)


def kept_file(contents: Iterable[bytes], checksum: str = "") -> IO[bytes]:
    """Return a nameless file on disk with the contents; `checksum` is compared unless it is "". Raises BadInput."""
    file, digest = TemporaryFile(), hashlib.sha1(usedforsecurity=False)  # noqa: SIM115 - the caller closes it
    for content in contents:
        digest.update(content)
        file.write(content)
        if file.tell() > bundle_max_bytes():
            file.close()
            raise BadInput(
                _("The upload is larger than %(limit)d MB.") % {"limit": bundle_max_bytes() >> 20},
                hint=_("Upload fewer files at once, or raise the setting artifacts_upload_max_mb."),
            )
    if checksum and digest.hexdigest() != checksum:
        file.close()
        raise BadInput(_("The upload is not what its checksum says."), hint=_("Send it again."))
    file.seek(0)
    return file
