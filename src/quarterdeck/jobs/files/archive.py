"""Files as one tar, made while it is sent: a header, a content and its padding at a time.

See https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

MEDIA_TYPE = "application/x-tar"


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive. `name` is a relative path; `blocks` yield exactly `size_bytes`."""

    name: str
    size_bytes: int
    modified_at: datetime
    blocks: Iterable[bytes]


def tar(members: Iterable[Member]) -> Iterator[bytes]:
    """Yield the bytes of an archive. Raises ValueError when a content is not as long as it should be."""
    for member in members:
        info = tarfile.TarInfo(member.name)
        info.size, info.mtime, info.mode = member.size_bytes, int(member.modified_at.timestamp()), 0o600
        yield info.tobuf(tarfile.PAX_FORMAT)
        sent = 0
        for block in member.blocks:
            sent += len(block)
            yield block
        if sent != member.size_bytes:
            raise ValueError(f"{member.name} has {sent} bytes, not {member.size_bytes}")
        yield bytes(-sent % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
