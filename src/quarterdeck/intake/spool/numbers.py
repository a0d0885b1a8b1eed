"""Numbers of segments: never used twice, whatever the clock does, since a number is the token of the engine's inserts.

DATA/spool/numbers    all numbers below the one in it may have been used
"""

from __future__ import annotations

import os
import time
from pathlib import Path

# So many are set aside with one sync; what a process does not use of them is skipped.
_AT_ONCE = 100_000


class Numbers:
    """Rising numbers, also over restarts and when the clock was set back in between."""

    def __init__(self, directory: Path, highest_seen: int) -> None:
        self._file = directory / "numbers"
        # The clock only helps where the file was lost with the directory.
        self._next = max(self._read(), highest_seen + 1, int(time.time() * 1000))
        self._end = 0

    def next(self) -> int:
        """Return a number. Raises OSError when it cannot be noted that it is used."""
        if self._next >= self._end:
            end = self._next + _AT_ONCE
            self._write(end)
            self._end = end
        self._next += 1
        return self._next - 1

    def _read(self) -> int:
        try:
            return int(self._file.read_text())
        except (OSError, ValueError):
            return 0

    def _write(self, end: int) -> None:
        fresh = self._file.with_suffix(".fresh")
        with fresh.open("w") as file:
            file.write(str(end))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)
        sync_directory(self._file.parent)


def sync_directory(directory: Path) -> None:
    """Make names in the directory survive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
