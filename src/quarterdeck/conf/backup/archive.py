"""The backup file: a tar of plain files. The first is the manifest, which names every other with its SHA-256.

    manifest.json      {"format": 1, "version": "0.1.0", ..., "files": {"secrets/audit": {"sha256", "bytes"}, ...}}

A file from elsewhere is not trusted: only what the manifest names is read, only plain files with plain names are, and
nothing is put in place before everything was checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from quarterdeck.core.errors import BadInput, Conflict

FORMAT = 1
_MANIFEST = "manifest.json"
_MANIFEST_MAX_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 20
# One folder level per part, no part starts with a dot: neither `..` nor an absolute path can be written this way.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*\Z")


def pack(directory: Path, target: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Write every file under `directory` into `target` with `facts` in its manifest; return the manifest.

    `target` appears whole, readable by this user alone. Raises Conflict when it exists.
    """
    names = sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
    files = {name: {"sha256": _digest(directory / name), "bytes": (directory / name).stat().st_size} for name in names}
    manifest = {"format": FORMAT, **facts, "files": files}
    (directory / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    with _new_file(target) as file, tarfile.open(fileobj=file, mode="w|") as archive:
        for name in (_MANIFEST, *names):
            archive.add(directory / name, arcname=name, recursive=False)
    return manifest


@contextmanager
def _new_file(target: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when it is complete and on disk."""
    if target.exists():
        raise Conflict(f"{target} exists already", hint="choose another name, or remove it")
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(source: Path, directory: Path) -> dict[str, Any]:
    """Write the files of `source` under `directory`, each checked against the manifest; return the manifest.

    Raises BadInput for anything that is not a backup of this format, whole and unchanged.
    """
    try:
        with tarfile.open(source, mode="r:") as archive:
            manifest = _read_manifest(archive, source)
            seen = {member.name for member in archive if _extract(archive, member, manifest["files"], directory)}
    except (tarfile.TarError, EOFError) as error:
        raise _wrong(source, f"it is no readable archive: {error}") from error
    missing = sorted(set(manifest["files"]) - seen)
    if missing:
        raise _wrong(source, f"{missing[0]} is missing")
    return manifest


def _wrong(source: Path, reason: str) -> BadInput:
    return BadInput(f"{source} cannot be restored: {reason}", hint="take a file that `quarterdeck backup` made")


def _read_manifest(archive: tarfile.TarFile, source: Path) -> dict[str, Any]:
    member = archive.next()
    if member is None or member.name != _MANIFEST or not member.isreg() or member.size > _MANIFEST_MAX_BYTES:
        raise _wrong(source, "it does not begin with a manifest")
    content = archive.extractfile(member)
    try:
        manifest = json.loads(content.read() if content else b"")
    except ValueError as error:
        raise _wrong(source, f"its manifest is not JSON: {error}") from error
    if not isinstance(manifest, dict) or not _are_files(manifest.get("files")):
        raise _wrong(source, "its manifest does not name its files")
    if manifest.get("format") != FORMAT:
        raise _wrong(source, f"its format is {manifest.get('format')}, this version reads {FORMAT}")
    return manifest


def _are_files(files: object) -> bool:
    return isinstance(files, dict) and all(
        isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and isinstance(entry.get("bytes"), int)
        for entry in files.values()
    )


def _extract(
    archive: tarfile.TarFile, member: tarfile.TarInfo, files: dict[str, dict[str, Any]], directory: Path
) -> bool:
    """Write one member; False for the manifest. Raises BadInput for what the manifest does not describe exactly."""
    if member.name == _MANIFEST:
        return False
    if not member.isreg() or not _NAME.match(member.name):
        raise BadInput(f'the backup holds "{member.name}", which is no plain file with a plain name')
    described = files.get(member.name)
    if described is None or described["bytes"] != member.size:
        raise BadInput(f'the backup holds "{member.name}", which its manifest does not describe')
    target = directory / member.name
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = archive.extractfile(member)
    digest = hashlib.sha256()
    # "x": the same name twice is refused as well.
    with target.open("xb") as file:
        target.chmod(0o600)
        while content and (chunk := content.read(_CHUNK_BYTES)):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != described["sha256"]:
        raise BadInput(f'"{member.name}" was changed since the backup was made', hint="take another backup file")
    return True
