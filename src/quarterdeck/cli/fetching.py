"""The files of a run into a directory of this machine, which no name in the archive leads out of."""

from __future__ import annotations

import tarfile
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import note, safe
from quarterdeck.core.errors import BadInput

_BLOCK_BYTES = 1 << 20


def fetch_all(client: Client, run_id: int, directory: Path) -> None:
    """Write `DIRECTORY/HOST/NAME` for all that a run pulled. Raises NotFound, BadInput, OSError."""
    with TemporaryFile() as file:
        client.download(f"/runs/{run_id}/files", file)
        file.seek(0)
        count = 0
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                _extract(archive, member, directory)
                count += 1
    note(f"{count} files in {safe(str(directory))}")


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, directory: Path) -> None:
    """Write one file; it has its name when it is complete, and what had it is replaced."""
    parts = member.name.split("/")
    content = archive.extractfile(member) if member.isreg() else None
    if content is None or any(part in ("", ".", "..") for part in parts):
        raise BadInput(f"the archive names a file {safe(member.name)!r}", hint="check QD_URL; no instance sends that")
    target = directory.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    # A link that stands in the way would lead elsewhere.
    if target.parent.resolve() != directory.resolve().joinpath(*parts[:-1]):
        raise BadInput(f"{safe(str(target.parent))} leads out of {safe(str(directory))}", hint="name another directory")
    temporary = target.with_name(f".{uuid4().hex}.part")
    try:
        with content, temporary.open("xb") as file:
            while block := content.read(_BLOCK_BYTES):
                file.write(block)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
