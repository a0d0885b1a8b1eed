"""The directory that a restore fills. It starts out empty, and is empty again when the restore fails."""

from __future__ import annotations

import shutil
from pathlib import Path

from quarterdeck.core.errors import Conflict

# The databases' parts of the backup are loaded, all else is moved.
_LOADED = {"manifest.json", "records.sqlite3", "records", "telemetry"}


def check_empty(target: Path) -> None:
    """Raise Conflict unless `target` is an empty directory or none yet: a restore never mixes two instances."""
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise Conflict(f"{target} is not an empty directory", hint="name a directory that does not exist yet")


def fill(staging: Path, target: Path) -> None:
    """Move keys, settings and folders from `staging`."""
    target.mkdir(mode=0o700, exist_ok=True)
    for part in sorted(staging.iterdir()):
        if part.name not in _LOADED:
            shutil.move(part, target / part.name)


def empty(target: Path, *, remove: bool) -> None:
    """Take back what a failed restore has put there; with `remove` the directory too."""
    for part in list(target.iterdir()) if target.is_dir() else []:
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part)
        else:
            part.unlink()
    if remove and target.is_dir():
        target.rmdir()
