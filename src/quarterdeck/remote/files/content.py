"""What is pushed: bytes, or a file of this machine, with its size and checksum; prepared once for many hosts."""

from __future__ import annotations

import asyncio
import difflib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, Conflict
from quarterdeck.remote.files.session import BLOCK_BYTES

MAX_DIFF_BYTES = 64 << 10
_MAX_DIFF_LINES = 2000


@dataclass(frozen=True, slots=True)
class Content:
    """`data` for bytes, else `path`; `sha256` is in hexadecimal."""

    size_bytes: int
    sha256: str
    data: bytes | None = field(default=None, repr=False)
    path: Path | None = None

    @classmethod
    async def of(cls, source: bytes | str | Path) -> Content:
        """Prepare a text, bytes or a file. Raises BadInput when it is no file that can be read."""
        if isinstance(source, str):
            source = source.encode("utf-8", "surrogateescape")
        if isinstance(source, bytes):
            return cls(len(source), hashlib.sha256(source).hexdigest(), source)
        try:
            size, digest = await asyncio.to_thread(_measured, source)
        except OSError as error:
            values = {"path": source, "reason": error.strerror}
            raise BadInput(_("%(path)s cannot be read: %(reason)s") % values, field="file") from error
        return cls(size, digest, path=source)

    async def blocks(self) -> AsyncIterator[bytes]:
        """Yield it in blocks. Raises Conflict when the file is not what it was."""
        if self.path is None:
            data = self.data or b""
            for start in range(0, len(data), BLOCK_BYTES):
                yield data[start : start + BLOCK_BYTES]
            return
        digest = hashlib.sha256()
        with await asyncio.to_thread(self.path.open, "rb") as file:
            while block := await asyncio.to_thread(file.read, BLOCK_BYTES):
                digest.update(block)
                yield block
        if digest.hexdigest() != self.sha256:
            raise Conflict(_("%(path)s changed while it was sent") % {"path": self.path}, hint=_("send it again"))

    async def text_bytes(self) -> bytes | None:
        """Return all of it when it is small enough to be shown."""
        if self.size_bytes > MAX_DIFF_BYTES:
            return None
        return b"".join([block async for block in self.blocks()])


def _measured(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return _size(file), digest.hexdigest()


def _size(file: BinaryIO) -> int:
    return file.seek(0, 2)


def diff_of(before: bytes | None, after: bytes | None, path: str) -> str:
    """Return a unified diff of two small texts, "" where one of them is none. None is a file that is not there."""
    try:
        old, new = ((data or b"").decode().splitlines(keepends=True) for data in (before, after))
    except UnicodeDecodeError:
        return ""
    if any("\0" in line for line in (*old, *new)):
        return ""
    lines = list(difflib.unified_diff(old, new, f"{path} (host)", f"{path} (new)"))
    if len(lines) > _MAX_DIFF_LINES:
        lines = [*lines[:_MAX_DIFF_LINES], _("... and %(count)d more lines") % {"count": len(lines) - _MAX_DIFF_LINES}]
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
